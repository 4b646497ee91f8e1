import { OAuthError } from "../errors/index.ts";
import { readBody } from "./read-body.ts";

/** The parameters of a request, each once. An empty value counts as left out (RFC 6749 §3.1, §3.2). */
export interface Parameters {
  get(name: string): string | undefined;
  has(name: string): boolean;
}

const mostParameters = 64;
const longestQuery = 16_384;

/**
 * Reads the query of an address.
 * @throws OAuthError invalid_request for anything that is not a strict form: repeated names, bad encoding, control
 * characters, more than 64 parameters, more than 16 KiB; invalid_target for a repeated `resource`
 */
export function readQuery(url: URL): Parameters {
  const text = url.search.slice(1);
  if (text.length > longestQuery) throw malformed(`the query is longer than ${longestQuery} characters`);
  return parseParameters(text);
}

/**
 * Reads a form body (application/x-www-form-urlencoded), as strictly as {@link readQuery}.
 * @throws OAuthError also 415 for another content type and 413 for a body over `maxBytes`
 */
export const readForm = async (request: Request, maxBytes: number): Promise<Parameters> =>
  parseParameters(await readBody(request, "application/x-www-form-urlencoded", maxBytes));

function parseParameters(text: string): Parameters {
  const pairs = text.split("&").filter((pair) => pair !== "");
  if (pairs.length > mostParameters) throw malformed(`more than ${mostParameters} parameters`);
  const seen = new Set<string>();
  const values = new Map<string, string>();
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    const name = decode(equals < 0 ? pair : pair.slice(0, equals));
    const value = decode(equals < 0 ? "" : pair.slice(equals + 1));
    if (seen.has(name)) throw repeated(name);
    seen.add(name);
    if (value !== "") values.set(name, value);
  }
  return { get: (name) => values.get(name), has: (name) => values.has(name) };
}

/** A part of a form. `decodeURIComponent` refuses bytes that are not UTF-8; `URLSearchParams` would replace them. */
function decode(part: string): string {
  let text: string;
  try {
    text = decodeURIComponent(part.replaceAll("+", " "));
  } catch {
    throw malformed("a parameter is not percent-encoded UTF-8");
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to refuse.
  if (/[\x00-\x1f\x7f]/.test(text)) throw malformed("a parameter holds a control character");
  return text;
}

const malformed = (description: string): OAuthError =>
  new OAuthError("invalid_request", "malformed_request", description);

/** RFC 8707 §2 lets `resource` repeat, but a token here is for one resource. */
function repeated(name: string): OAuthError {
  if (name === "resource") {
    return new OAuthError(
      "invalid_target",
      "repeated_parameter",
      "resource is given more than once; ask for one at a time",
    );
  }
  // Only a plain name is told back.
  const shown = /^[A-Za-z0-9_.-]{1,64}$/.test(name) ? name : "a parameter";
  return new OAuthError("invalid_request", "repeated_parameter", `${shown} is given more than once`);
}
