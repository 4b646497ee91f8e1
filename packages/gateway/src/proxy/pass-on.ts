import type { ServerResponse } from "node:http";
import type { Readable } from "node:stream";

/** Short bodies leave in one piece with the head: Node joins the two where both are text, and latin1 keeps every byte. */
export function endWith(res: ServerResponse, body: Buffer): void {
  if (body.length > joinedBody) res.end(body);
  else res.end(body.toString("latin1"), "latin1");
}

const joinedBody = 16 * 1024;

/** Passes a body on as it comes, no faster than it is taken. */
export function passOn(source: Readable, res: ServerResponse): void {
  let waiting = false;
  source.on("data", (chunk: Buffer) => {
    if (res.write(chunk)) return;
    source.pause();
    if (!waiting) res.on("drain", () => source.resume());
    waiting = true;
  });
  source.on("end", () => res.end());
}
