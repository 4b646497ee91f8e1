import { readFileSync } from "node:fs";
import { createLogger } from "sallyport";
import { openAudit } from "../../src/audit/open-audit.ts";
import { listenForStop } from "../../src/process/stop-signals.ts";

// Writes events without an end to the file named, or with `-` to stdout, until it is told to stop. Once a second stderr
// gets what the sink says of itself and how long the event loop was held up at most, in milliseconds.

const [, , to, secretFile = ""] = process.argv;
const logger = createLogger({ write: (line) => process.stderr.write(`${line}\n`) });
const sink = await openAudit(to, { secret: [readFileSync(secretFile, "utf8")], logger });
const stop = listenForStop(4000);
let [n, longest, last] = [0, 0, performance.now()];
const timer = setInterval(() => {
  const now = performance.now();
  longest = Math.max(longest, now - last);
  last = now;
  const event = {
    time: new Date().toISOString(),
    action: "token.issued",
    client: `c${n}`,
    tool: "x".repeat(100),
  } as const;
  for (const end = n + 200; n < end; n += 1) sink.write(event);
}, 1);
const report = setInterval(() => {
  process.stderr.write(`${JSON.stringify({ ...sink.stats?.(), n, longest, heap: process.memoryUsage().heapUsed })}\n`);
}, 250);
await stop.stopped;
clearInterval(timer);
clearInterval(report);
await sink.close();
process.stderr.write(`${JSON.stringify({ closed: sink.stats?.() })}\n`);
stop.done();
