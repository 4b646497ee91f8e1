import { z } from "zod";
import type { AuthMethod, Capabilities, GrantType } from "../capabilities/capabilities.ts";
import { OAuthError } from "../errors/index.ts";
import type { ScopeCatalog } from "../scopes/index.ts";
import { parseRedirectUri, type RedirectPolicy } from "./redirect-uri.ts";

/** What decides over a registration: redirect URIs, what this deployment supports, and its scopes. */
export interface RegistrationPolicy extends RedirectPolicy {
  readonly capabilities: Pick<Capabilities, "clientGrantTypes" | "tokenEndpointAuthMethods">;
  readonly scopes: Pick<ScopeCatalog, "has" | "isIdentityScope">;
}

/** Client metadata as registered: what is stored and what is answered, defaults filled in (RFC 7591 §3.2.1). */
export type RegisteredMetadata = {
  readonly redirect_uris: readonly string[];
  readonly token_endpoint_auth_method: AuthMethod;
  readonly grant_types: readonly GrantType[];
  readonly response_types: readonly ["code"];
  readonly application_type?: "native" | "web";
  readonly client_name?: string;
  readonly scope?: string;
  readonly contacts?: readonly string[];
  readonly software_id?: string;
  readonly software_version?: string;
} & { readonly [name in UriMember]?: string };

type UriMember = "client_uri" | "logo_uri" | "tos_uri" | "policy_uri";

const mostMembers = 64;
const mostRedirectUris = 32;
/** Characters of JSON that one registration may take up in the store. */
const longestRegistration = 16_384;

/**
 * Parses a registration request (RFC 7591 §2, §3.1). Members that are not known here are ignored, as the RFC asks, so a
 * client can neither make itself first-party nor skip consent. `null` and `""` count as left out: some clients send them.
 *
 * - `token_endpoint_auth_method` left out means client_secret_basic, the RFC's default; the answer holds the secret.
 * - `grant_types` left out means authorization_code and refresh_token, not the RFC's authorization_code alone: MCP clients
 *   that leave it out do refresh, and would otherwise send their users to the browser every ten minutes.
 * - `application_type` left out means neither: clients with loopback and custom-scheme redirects leave it out.
 * - `jwks` and `jwks_uri` are read for faults and not kept: no method that is supported uses them.
 * @throws OAuthError invalid_redirect_uri or invalid_client_metadata, naming the member
 */
export function parseRegistrationRequest(body: unknown, policy: RegistrationPolicy): RegisteredMetadata {
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw invalid("the body must be a JSON object");
  const members = Object.entries(body);
  if (members.length > mostMembers) throw invalid(`more than ${mostMembers} members`);
  const given = Object.fromEntries(members.filter(([, value]) => value !== null && value !== ""));
  const parsed = schema(policy).safeParse(given);
  if (!parsed.success) throw fromIssue(parsed.error);
  const { jwks, jwks_uri, redirect_uris, ...rest } = parsed.data;
  if (jwks && jwks_uri !== undefined) throw invalid("jwks and jwks_uri exclude each other");
  const metadata = {
    redirect_uris: [...new Set(redirect_uris.map((uri) => parseRedirectUri(uri, policy)))],
    ...rest,
  };
  if (metadata.application_type === "web") requireWebRedirects(metadata.redirect_uris);
  if (JSON.stringify(metadata).length > longestRegistration) {
    throw invalid(`all members together are longer than ${longestRegistration} characters`);
  }
  return metadata;
}

const invalid = (description: string): OAuthError =>
  new OAuthError("invalid_client_metadata", "client_metadata_invalid", description);

function fromIssue(error: z.ZodError): OAuthError {
  const issue = error.issues[0];
  const member = String(issue?.path[0] ?? "the body");
  const text = `${member}: ${issue?.message ?? "not valid"}`;
  return member === "redirect_uris"
    ? new OAuthError("invalid_redirect_uri", "redirect_uri_invalid", text)
    : invalid(text);
}

/** OpenID Connect Dynamic Client Registration §2: a web client has https redirects only. */
function requireWebRedirects(redirectUris: readonly string[]): void {
  if (redirectUris.every((uri) => uri.startsWith("https:"))) return;
  throw new OAuthError(
    "invalid_redirect_uri",
    "redirect_uri_invalid",
    "redirect_uris: a client with application_type web may have https redirects only; desktop apps are native",
  );
}

function schema(policy: RegistrationPolicy) {
  const { clientGrantTypes, tokenEndpointAuthMethods } = policy.capabilities;
  return z.object({
    redirect_uris: z
      .array(z.string("must hold texts"), "must be a list of redirect URIs")
      .min(1, "give at least one redirect URI")
      .max(mostRedirectUris, `at most ${mostRedirectUris} are allowed`),
    token_endpoint_auth_method: oneOf(tokenEndpointAuthMethods).default("client_secret_basic"),
    grant_types: z
      .array(oneOf(clientGrantTypes), "must be a list of grant types")
      .max(16, "too many values")
      .refine((types) => types.includes("authorization_code"), "must hold authorization_code")
      .transform((types) => [...new Set(types)])
      .default(["authorization_code", "refresh_token"]),
    response_types: z
      .array(oneOf(["code"]), "must be a list of response types")
      .min(1, "must hold code")
      .max(16, "too many values")
      .transform((): readonly ["code"] => ["code"])
      .default(["code"]),
    application_type: oneOf(["native", "web"]).exactOptional(),
    client_name: clientName.exactOptional(),
    client_uri: webPage.exactOptional(),
    logo_uri: webPage.exactOptional(),
    tos_uri: webPage.exactOptional(),
    policy_uri: webPage.exactOptional(),
    scope: scope(policy).exactOptional(),
    contacts: z.array(plainText(320), "must be a list of texts").max(10, "at most 10 are allowed").exactOptional(),
    software_id: plainText(256).exactOptional(),
    software_version: plainText(256).exactOptional(),
    jwks: keySet.exactOptional(),
    jwks_uri: webPage.exactOptional(),
  });
}

const oneOf = <const T extends string>(values: readonly T[]) =>
  z.enum(values, { error: `must be one of: ${values.join(", ")}` });

/** Control characters, line separators and marks that turn the direction of text: they could make one text look another. */
const deceptive = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

const plainText = (longest: number) =>
  z
    .string("must be a text")
    .trim()
    .max(longest, `must have at most ${longest} characters`)
    .refine(
      (text) => !deceptive.test(text),
      "must not hold control characters or marks that change the text's direction",
    );

/** Refused rather than cleaned: a name that has to be cleaned was not meant well, and would not be the client's own. */
const clientName = plainText(100).refine(
  (text) => /[^\p{Default_Ignorable_Code_Point}\p{Z}]/u.test(text),
  "must have a character that can be seen",
);

/** Only shown, never fetched. Anything but https could be `javascript:` in somebody's list of clients. */
const webPage = z
  .string("must be a text")
  .max(2048, "must have at most 2048 characters")
  .refine((text) => /^https:\/\/[^\s\\@"<>]+$/.test(text) && URL.canParse(text), "must be an https URL");

/** A client that writes its private key into a registration has given it away (RFC 7591 §2: public keys only). */
const keySet = z
  .object(
    { keys: z.array(z.record(z.string(), z.unknown()), "must hold keys").max(16, "at most 16 keys") },
    "must be a JWK set",
  )
  .refine((set) => !set.keys.some((key) => "d" in key || "k" in key), "must hold public keys only");

const scope = (policy: RegistrationPolicy) =>
  z
    .string("must be a text of scopes, separated by spaces")
    .max(2048, "must have at most 2048 characters")
    .transform((text) => [...new Set(text.split(" ").filter((name) => name !== ""))])
    .refine(
      (names) => names.every((name) => policy.scopes.has(name) || policy.scopes.isIdentityScope(name)),
      "holds an unknown scope",
    )
    .transform((names) => names.join(" "));
