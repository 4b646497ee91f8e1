import { OAuthError } from "../errors/index.ts";

/**
 * Reads a request's body as text, and no more of it than is allowed: it is counted while it streams in, so that neither
 * a false Content-Length nor a missing one makes us hold more.
 * @param mediaType the one media type that is accepted; a charset other than UTF-8, a content coding or a second type is not
 * @param maxBytes the longest body
 * @throws OAuthError invalid_request: 415 unsupported_media_type, 413 body_too_large, 400 malformed_request (not UTF-8)
 */
export async function readBody(request: Request, mediaType: string, maxBytes: number): Promise<string> {
  checkMediaType(request.headers, mediaType);
  if (Number(request.headers.get("content-length") ?? "0") > maxBytes) throw tooLarge(maxBytes);
  const bytes = await readBytes(request, maxBytes);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new OAuthError("invalid_request", "malformed_request", "the body is not valid UTF-8");
  }
}

function checkMediaType(headers: Headers, mediaType: string): void {
  const [type, ...parameters] = (headers.get("content-type") ?? "").split(";").map((part) => part.trim().toLowerCase());
  const plain = parameters.every((parameter) => parameter === "charset=utf-8" || parameter === 'charset="utf-8"');
  const coding = headers.get("content-encoding") ?? "identity";
  if (type === mediaType && plain && coding.toLowerCase() === "identity") return;
  throw new OAuthError("invalid_request", "unsupported_media_type", `Content-Type must be ${mediaType}, in UTF-8`, {
    status: 415,
  });
}

async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const reader = request.body?.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (reader) {
    const { done, value } = await reader.read().catch((cause: unknown) => {
      throw new OAuthError("invalid_request", "malformed_request", "the body ended too early", { cause });
    });
    if (done) break;
    length += value.byteLength;
    if (length > maxBytes) {
      // Whether the sender takes notice is not our matter.
      await reader.cancel().catch(() => undefined);
      throw tooLarge(maxBytes);
    }
    chunks.push(value);
  }
  return Buffer.concat(chunks, length);
}

const tooLarge = (maxBytes: number): OAuthError =>
  new OAuthError("invalid_request", "body_too_large", `the body is longer than ${maxBytes} bytes`, { status: 413 });
