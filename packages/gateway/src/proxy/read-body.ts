import type { IncomingMessage } from "node:http";

/**
 * Reads a request's body.
 * @param limit bytes; what is longer is not kept
 * @param done gets the whole body, or undefined if it is longer than the limit; never called if the client goes away
 */
export function readBody(req: IncomingMessage, limit: number, done: (body: Buffer | undefined) => void): void {
  let first: Buffer | undefined;
  let more: Buffer[] | undefined;
  let length = 0;
  const onData = (chunk: Buffer): void => {
    length += chunk.length;
    if (length > limit) {
      req.off("data", onData);
      req.off("end", onEnd);
      req.pause();
      done(undefined);
    } else if (first === undefined) first = chunk;
    else if (more === undefined) more = [first, chunk];
    else more.push(chunk);
  };
  const onEnd = (): void => done(more === undefined ? (first ?? empty) : Buffer.concat(more, length));
  req.on("data", onData);
  req.on("end", onEnd);
  // A client that goes away in the middle ends here: nothing was forwarded, nobody is left to be answered.
  req.on("error", ignore);
}

const empty = Buffer.alloc(0);
const ignore = (): void => {};
