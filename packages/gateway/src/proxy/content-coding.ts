import type { Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";

const decoders: Readonly<Record<string, () => Transform>> = {
  gzip: () => createGunzip(),
  "x-gzip": () => createGunzip(),
  deflate: () => createInflate(),
  br: () => createBrotliDecompress(),
};

/**
 * What undoes a `Content-Encoding` (RFC 9110 §8.4). The gateway asks upstreams for none; some code all the same.
 * @returns `undefined` where there is nothing to undo, `null` for a coding, or several, that cannot be undone here
 */
export function decoderOf(contentEncoding: string | undefined): Transform | undefined | null {
  const coding = contentEncoding?.trim().toLowerCase() ?? "identity";
  if (coding === "identity" || coding === "") return undefined;
  return Object.hasOwn(decoders, coding) ? (decoders[coding]?.() ?? null) : null;
}
