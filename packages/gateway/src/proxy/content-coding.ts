import type { Transform } from "node:stream";
import { constants, createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from "node:zlib";

/** The window that `zstd` may want as a content coding (RFC 9659 §3): 8 MiB. */
const zstdWindow = { params: { [constants.ZSTD_d_windowLogMax]: 23 } };

const decoders: Readonly<Record<string, () => Transform>> = {
  gzip: () => createGunzip(),
  "x-gzip": () => createGunzip(),
  deflate: () => createInflate(),
  br: () => createBrotliDecompress(),
  zstd: () => createZstdDecompress(zstdWindow),
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

/**
 * Whether a client said that it takes a coding, or several. One that said nothing gets plain text: RFC 9110 §12.5.3
 * would allow any, but such clients mostly know none.
 * @param acceptEncoding the client's `Accept-Encoding`
 */
export function takesCoding(acceptEncoding: string | undefined, contentEncoding: string): boolean {
  if (acceptEncoding === undefined) return false;
  const taken = new Map<string, boolean>();
  for (const entry of acceptEncoding.toLowerCase().split(",")) {
    const [coding = "", ...parameters] = entry.split(";").map((text) => text.trim());
    taken.set(coding, !parameters.some((parameter) => /^q\s*=\s*0(\.0{0,3})?$/.test(parameter)));
  }
  return contentEncoding
    .toLowerCase()
    .split(",")
    .map((coding) => coding.trim())
    .every((coding) => coding === "" || coding === "identity" || (taken.get(coding) ?? taken.get("*") ?? false));
}
