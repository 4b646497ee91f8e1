import { OAuthError } from "../errors/index.ts";
import { readBody } from "./read-body.ts";

/**
 * Reads a JSON body. What it holds is the caller's to check.
 * @throws OAuthError invalid_client_metadata (the only JSON body of this server is a registration, RFC 7591 §3.2.2)
 */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  const type = (request.headers.get("content-type") ?? "").toLowerCase().split(";")[0]?.trim();
  if (type !== "application/json") {
    throw new OAuthError("invalid_client_metadata", "unsupported_media_type", "Content-Type must be application/json", { status: 415 });
  }
  const text = await readBody(request, maxBytes);
  try {
    return JSON.parse(text);
  } catch {
    throw new OAuthError("invalid_client_metadata", "malformed_request", "The body is not JSON.");
  }
}
