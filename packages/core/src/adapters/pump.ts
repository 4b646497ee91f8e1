import { once } from "node:events";
import type { Writable } from "node:stream";

/**
 * Writes a body to a stream, each chunk as it comes and no faster than it is taken, and ends the stream. Where that
 * closes before, the body is cancelled and nothing more is done. Rejects where the body fails.
 */
export async function pump(body: ReadableStream<Uint8Array>, out: Writable): Promise<void> {
  const reader = body.getReader();
  const gone = new AbortController();
  const close = (): void => {
    gone.abort();
    // Whoever makes the body hears of it; what it answers to that interests nobody any more.
    reader.cancel().catch(() => {});
  };
  out.once("close", close);
  if (out.destroyed) close();
  for (;;) {
    const { done, value } = await reader.read();
    if (done || out.destroyed) break;
    if (!out.write(value)) await once(out, "drain", { signal: gone.signal }).catch(() => {});
  }
  if (!out.destroyed) out.end();
}
