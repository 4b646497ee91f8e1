import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startDemoServers } from "../../src/demo/index.ts";
import { showMatrix } from "../../src/policy/matrix.ts";

let folder: string;
let demo: Awaited<ReturnType<typeof startDemoServers>>;
const closers: (() => void)[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sallyport-live-"));
  demo = await startDemoServers();
});
afterAll(async () => {
  for (const close of closers) close();
  await demo.close();
  await rm(folder, { recursive: true });
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => void server.close().closeAllConnections());
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/mcp`;
}

/** Of a server that is no longer there. */
async function closedUrl(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/mcp`;
}

interface Message {
  readonly id?: number;
  readonly method: string;
  readonly params?: { readonly cursor?: string };
}

/** A server that is asked with JSON-RPC, and what it was asked: HTTP method, session, JSON-RPC method. */
async function mcpServer(answer: (message: Message, res: ServerResponse, req: IncomingMessage) => object | undefined) {
  const asked: string[] = [];
  const url = await serve(async (req, res) => {
    let body = "";
    for await (const piece of req) body += String(piece);
    const message: Message = body === "" ? { method: "" } : JSON.parse(body);
    asked.push(`${req.method} ${req.headers["mcp-session-id"] ?? "-"} ${message.method}`);
    const result = answer(message, res, req);
    if (result === undefined) return void res.end();
    res.setHeader("content-type", "application/json");
    res.end(JSON.stringify({ jsonrpc: "2.0", id: message.id ?? null, ...result }));
  });
  return { url, asked };
}

const settings = (servers: string, rules: string): string => `base_url = "https://mcp.example.com"
[cognito]
user_pool_id = "eu-central-1_AbCdEfGhI"
client_id = "4example"
client_secret = "none"
domain = "example"
[groups]
readers = ["mcp/read"]
${servers}
[scopes."mcp/read"]
${rules}`;

async function live(text: string, options: { readonly json?: boolean; readonly csv?: boolean } = {}) {
  const config = join(folder, "sallyport.toml");
  await writeFile(config, text);
  const said = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((piece) => {
      said[name] += String(piece);
      return true;
    }),
  );
  try {
    const code = await showMatrix({ config, live: true, ...options });
    return { code, stdout: said.stdout.replaceAll(config, "FILE"), stderr: said.stderr.replaceAll(config, "FILE") };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

const server = (name: string, url: string, more = ""): string =>
  `[[servers]]\nname = "${name}"\nurl = "${url}"\ntimeout = "2s"\n${more}`;

describe("servers are asked for what they have", () => {
  test("of 2026-07-28: tools, prompts, resources and templates, and what the rules leave out", async () => {
    const notes = demo.servers.find(({ name }) => name === "notes")?.url ?? "";
    const { code, stdout } = await live(
      settings(
        server("notes", notes),
        'allow = [{ servers = ["notes"], tools = ["list_notes", "list_note"], methods = ["prompts/get"] }]\n',
      ),
    );
    expect(code).toBe(0);
    expect(stdout).toBe(`what                          readers
notes/list_notes              yes
notes/add_note                -
notes/delete_note             -
notes/*                       -
notes prompt summarize_notes  yes
notes template note://{id}    -

given by no rule: notes/add_note, notes/delete_note (nobody may call it)
listed by no server: list_note (scopes."mcp/read".allow[0] (FILE:15) names it for notes)
`);
  });

  test("of earlier revisions: in a session that is ended, with the server's secret, page by page", async () => {
    const pages: Readonly<Record<string, object>> = {
      "": { tools: [{ name: "a" }, { title: "nameless" }], nextCursor: "2" },
      2: { tools: [{ name: "b\u001b[31m" }, { name: "a" }] },
    };
    const { url, asked } = await mcpServer(({ method, params }, res, req) => {
      if (req.headers["x-api-key"] !== "Key s3cret-s3cret") return void res.writeHead(401);
      if (method === "initialize") {
        res.setHeader("mcp-session-id", "s1");
        return { result: { protocolVersion: "2025-06-18", capabilities: { tools: {}, resources: {} } } };
      }
      if (method === "tools/list") return { result: pages[params?.cursor ?? ""] };
      if (method === "resources/list") return { result: { resources: [{ uri: "x://1", name: "one" }] } };
      if (method === "resources/templates/list") return { error: { code: -32601, message: "no" } };
      return void res.writeHead(method === "server/discover" ? 400 : 202);
    });
    const secret = '[servers.secret_header]\nname = "X-Api-Key"\nscheme = "Key"\nvalue = "s3cret-s3cret"\n';
    const { code, stdout, stderr } = await live(
      settings(server("old", url, secret), 'allow = [{ servers = ["*"], tools = ["*"] }]\n'),
      { csv: true },
    );
    expect(code).toBe(0);
    expect(stdout.split("\n").map((line) => line.replace(/,"?scopes.*|,no scope.*/, ""))).toEqual([
      "type,item,kind,name,allow,because",
      "tool,old/a,group,readers,yes",
      "tool,old/b\\u{1b}[31m,group,readers,yes",
      "tool,old/*,group,readers,yes",
      "resource,old resource x://1,group,readers,yes",
      "",
    ]);
    expect(stderr).toContain("named by no rule: old/a, old/b\\u{1b}[31m (given with every other tool by mcp/read)");
    expect(asked).toEqual([
      "POST - server/discover",
      "POST - initialize",
      "POST s1 notifications/initialized",
      "POST s1 tools/list",
      "POST s1 tools/list",
      "POST s1 resources/list",
      "POST s1 resources/templates/list",
      "DELETE s1 ",
    ]);
  });

  test("one that cannot be asked is told; tools that rules name stand for its own; the status is 1", async () => {
    const page = await serve((_req, res) => void res.writeHead(200, { "content-type": "text/html" }).end("<p>hello"));
    const elsewhere = await serve((_req, res) => void res.writeHead(307, { location: "http://127.0.0.1:1/" }).end());
    const closed = await mcpServer((_message, res) => void res.writeHead(401));
    const endless = await mcpServer(({ method }) =>
      method === "server/discover"
        ? { result: { capabilities: { tools: {} } } }
        : { result: { tools: [], nextCursor: "x" } },
    );
    const silent = await serve(() => {});
    const gone = await closedUrl();
    const { code, stdout } = await live(
      settings(
        [
          server("page", page),
          server("elsewhere", elsewhere),
          server("closed", closed.url, '[servers.identity_assertion]\naudience = "x"\n'),
          server("endless", endless.url),
          server("gone", gone),
          server("silent", silent).replace('"2s"', '"200ms"'),
        ].join(""),
        'allow = [{ servers = ["page"], tools = ["named"] }, { servers = ["*"] }]\n',
      ),
      { json: true },
    );
    expect(code).toBe(1);
    const { cells, remarks } = JSON.parse(stdout);
    expect(cells.slice(0, 2)).toMatchObject([{ item: "page/named", type: "tool", allow: true }, { item: "page/*" }]);
    expect(remarks.map(({ about, what, detail }: Record<string, string>) => `${about}: ${what} ${detail}`)).toEqual([
      "could not be asked: page it answers no JSON-RPC; is this the URL of its MCP endpoint?",
      "could not be asked: elsewhere it answers 307, a redirect",
      "could not be asked: closed it refuses initialize (status 401); it may want an identity assertion, which only the gateway signs",
      "could not be asked: endless it answers tools/list with page after page without end",
      "could not be asked: gone it cannot be reached (ECONNREFUSED)",
      "could not be asked: silent it does not answer in time",
    ]);
  });
});
