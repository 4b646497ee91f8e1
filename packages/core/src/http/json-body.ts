import { OAuthError } from "../errors/index.ts";
import { readBody } from "./read-body.ts";

/**
 * Reads the JSON body of a registration (RFC 7591 §3.1). What is in it is for the caller's schema to say.
 * @throws OAuthError 415 for another content type, 413 for a body over `maxBytes`, invalid_client_metadata if it is no JSON
 */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  const text = await readBody(request, "application/json", maxBytes);
  try {
    return JSON.parse(text);
  } catch {
    throw new OAuthError("invalid_client_metadata", "malformed_request", "the body is not JSON");
  }
}
