import type { ClientRequest, ServerResponse } from "node:http";
import type { Readable } from "node:stream";

/** Short bodies leave in one piece with the head: Node joins the two where both are text, and latin1 keeps every byte. */
export function endWith(message: ClientRequest | ServerResponse, body: Buffer | undefined): void {
  if (body === undefined) message.end();
  else if (body.length > joinedBody) message.end(body);
  else message.end(body.toString("latin1"), "latin1");
}

const joinedBody = 16 * 1024;

/**
 * Passes a body on as it comes, no faster than it is taken.
 * @param contentLength bytes, if they are known beforehand: then the last piece ends the response
 */
export function passOn(source: Readable, res: ServerResponse, contentLength: number | undefined): void {
  let left = contentLength ?? Number.POSITIVE_INFINITY;
  let waiting = false;
  source.on("data", (chunk: Buffer) => {
    left -= chunk.length;
    if (left === 0) endWith(res, chunk);
    else if (!res.write(chunk)) {
      source.pause();
      if (!waiting) res.on("drain", () => source.resume());
      waiting = true;
    }
  });
  source.on("end", () => res.end());
}
