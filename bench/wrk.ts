import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

/** What wrk is told. */
export interface Load {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Bearer tokens, used in turn. */
  readonly tokens: readonly string[];
  readonly body: string;
  /** Connections, each with one request at a time. */
  readonly connections: number;
  readonly seconds: number;
  /** Milliseconds that a connection rests between two requests, on average; 0 for as much as goes. */
  readonly pause: number;
}

/** What it found. Latencies in milliseconds. */
export interface LoadResult {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/**
 * Runs wrk with one thread.
 * @param program path of wrk
 * @throws Error if a request fails or an answer is not 200
 */
export async function runWrk(program: string, load: Load): Promise<LoadResult> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-wrk-"));
  try {
    const file = join(folder, "load.lua");
    await writeFile(file, script(load));
    const options = ["-t1", `-c${load.connections}`, `-d${load.seconds}s`, "-s", file, load.url];
    const child = spawn(program, options, { stdio: ["ignore", "pipe", "inherit"] });
    const [out] = await Promise.all([text(child.stdout), once(child, "exit")]);
    const line = out.split("\n").find((one) => one.startsWith("{"));
    if (line === undefined) throw new Error(`wrk told nothing: ${out}`);
    const result: LoadResult & { readonly bad: number } = JSON.parse(line);
    if (result.bad > 0) throw new Error(`${result.bad} requests to ${load.url} failed`);
    return result;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * wrk's own language is Lua; it measures in microseconds. Requests are ready-made before it begins. Pauses are drawn so
 * that requests come at random.
 */
const script = ({ headers, tokens, body, pause }: Load): string => `
wrk.method = "POST"
wrk.body = ${JSON.stringify(body)}
${Object.entries(headers)
  .map(([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`)
  .join("\n")}
local tokens = { ${tokens.map((token) => JSON.stringify(token)).join(", ")} }
local ready = {}
local turn = 0
function init(args)
  for at, token in ipairs(tokens) do
    wrk.headers["Authorization"] = "Bearer " .. token
    ready[at] = wrk.format()
  end
end
function request()
  turn = turn % #ready + 1
  return ready[turn]
end
${pause > 0 ? `function delay() return math.floor(-math.log(1 - math.random()) * ${pause} + 0.5) end` : ""}
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('{"perSecond":%f,"p50":%f,"p99":%f,"bad":%d}\\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
`;
