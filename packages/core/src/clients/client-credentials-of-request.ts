import type { AuthMethod } from "../capabilities/capabilities.ts";
import { OAuthError } from "../errors/index.ts";
import type { Parameters } from "../http/index.ts";
import { type ClientAssertion, jwtBearer, parseClientAssertion } from "./client-assertion.ts";

/** Who a client says it is, and how. Nothing of it has been checked. */
export interface ClientCredentials {
  /** How they were presented; `none` with neither secret nor assertion. */
  readonly method: AuthMethod;
  readonly clientId: string;
  readonly clientSecret?: string;
  readonly assertion?: ClientAssertion;
}

const longestHeader = 8192;

/**
 * Reads a client's credentials from a request to the token endpoint (RFC 6749 §2.3.1): `Authorization: Basic`, or
 * `client_id` and `client_secret` in the form, or a signed assertion (RFC 7523 §2.2), or `client_id` alone. `client_id` may
 * be repeated beside Basic or an assertion if it says the same. An empty secret is none.
 * @throws OAuthError invalid_client (401) for malformed, missing or unsupported credentials, invalid_request for two at once
 */
export function clientCredentialsOf(headers: Headers, form: Parameters): ClientCredentials {
  const authorization = headers.get("authorization");
  const clientId = form.get("client_id");
  const clientSecret = form.get("client_secret");
  const assertion = form.has("client_assertion") || form.has("client_assertion_type");
  if ([authorization !== null, clientSecret !== undefined, assertion].filter(Boolean).length > 1) {
    throw ambiguous(
      "use one way of client authentication: the Authorization header, client_secret or client_assertion",
    );
  }
  if (assertion) return readAssertion(form, clientId);
  if (authorization !== null) {
    const basic = readBasic(authorization);
    if (clientId !== undefined && clientId !== basic.clientId) {
      throw ambiguous("client_id in the form is not the one in the Authorization header");
    }
    return basic;
  }
  if (clientId === undefined) throw malformed("client_id is missing");
  return clientSecret === undefined
    ? { method: "none", clientId }
    : { method: "client_secret_post", clientId, clientSecret };
}

function readAssertion(form: Parameters, clientId: string | undefined): ClientCredentials {
  if (form.get("client_assertion_type") !== jwtBearer) throw malformed(`client_assertion_type must be ${jwtBearer}`);
  const text = form.get("client_assertion");
  if (text === undefined) throw malformed("client_assertion is missing");
  const assertion = parseClientAssertion(text);
  const { sub } = assertion.claims;
  // RFC 7521 §4.2
  if (clientId !== undefined && clientId !== sub) throw malformed("client_id in the form is not the assertion's sub");
  return { method: "private_key_jwt", clientId: sub, assertion };
}

/** `Basic base64(form(client_id) ":" form(client_secret))`: both parts are form-encoded before they are joined. */
function readBasic(authorization: string): ClientCredentials {
  const token = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization.slice(0, longestHeader + 1))?.[1];
  if (token === undefined || authorization.length > longestHeader) {
    throw malformed("the Authorization header is not valid Basic authentication");
  }
  let pair: string;
  try {
    pair = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(token, "base64"));
  } catch {
    throw malformed("the Authorization header is not valid UTF-8");
  }
  const colon = pair.indexOf(":");
  if (colon < 1) throw malformed("the Authorization header holds no client_id and secret");
  const clientId = formDecode(pair.slice(0, colon));
  const clientSecret = formDecode(pair.slice(colon + 1));
  return clientSecret === "" ? { method: "none", clientId } : { method: "client_secret_basic", clientId, clientSecret };
}

function formDecode(part: string): string {
  let text: string;
  try {
    text = decodeURIComponent(part.replaceAll("+", " "));
  } catch {
    throw malformed("client_id and secret must be form-encoded before they are joined for Basic authentication");
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to refuse.
  if (/[\x00-\x1f\x7f]/.test(text)) throw malformed("the Authorization header holds a control character");
  return text;
}

const malformed = (description: string): OAuthError =>
  new OAuthError("invalid_client", "client_auth_malformed", description);

const ambiguous = (description: string): OAuthError =>
  new OAuthError("invalid_request", "client_auth_ambiguous", description);
