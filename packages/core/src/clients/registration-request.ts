import { z } from "zod";
import type { AuthMethod, Capabilities, GrantType } from "../capabilities/capabilities.ts";
import type { CoreConfig } from "../config/section.ts";
import { isLoopbackHost } from "../config/values.ts";
import { importVerificationKey, signatureAlgorithms } from "../crypto/index.ts";
import { OAuthError } from "../errors/index.ts";
import type { ScopeCatalog } from "../scopes/index.ts";
import { matchesHostPattern } from "./host-pattern.ts";
import { clientName, keySet, oneOf, plainText, redirectUris, webPage } from "./metadata-members.ts";
import { matchesNamePattern } from "./name-pattern.ts";
import { parseRedirectUri, type RedirectPolicy } from "./redirect-uri.ts";

/** What decides over a registration: redirect URIs, what this deployment supports, its scopes, and its settings. */
export interface RegistrationPolicy extends RedirectPolicy {
  readonly capabilities: Pick<Capabilities, "clientGrantTypes" | "tokenEndpointAuthMethods">;
  readonly scopes: Pick<ScopeCatalog, "resolve" | "isIdentityScope" | "expand">;
  readonly settings: Pick<
    CoreConfig["registration"],
    "allowedScopes" | "defaultScopes" | "publicClientPatterns" | "redirectHosts"
  >;
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
  readonly jwks?: { readonly keys: readonly Readonly<Record<string, unknown>>[] };
  readonly jwks_uri?: string;
} & { readonly [name in UriMember]?: string };

type UriMember = "client_uri" | "logo_uri" | "tos_uri" | "policy_uri";

const mostMembers = 64;
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
 * - `jwks` and `jwks_uri` are kept for private_key_jwt; for any other method they are read for faults only, as it uses none.
 * - `scope` is cut to `allowed_scopes`: most clients register whatever the metadata list, and mean what they can have of
 *   it. Left out means `default_scopes`.
 * @throws OAuthError invalid_redirect_uri or invalid_client_metadata, naming the member
 */
export function parseRegistrationRequest(body: unknown, policy: RegistrationPolicy): RegisteredMetadata {
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw invalid("the body must be a JSON object");
  const members = Object.entries(body);
  if (members.length > mostMembers) throw invalid(`more than ${mostMembers} members`);
  const given = Object.fromEntries(members.filter(([, value]) => value !== null && value !== ""));
  const parsed = schema(policy).safeParse(given);
  if (!parsed.success) throw fromIssue(parsed.error);
  const { jwks, jwks_uri, redirect_uris, scope, ...rest } = parsed.data;
  if (jwks && jwks_uri !== undefined) throw invalid("jwks and jwks_uri exclude each other");
  const metadata = {
    redirect_uris: [...new Set(redirect_uris.map((uri) => checkRedirect(uri, policy)))],
    ...rest,
    ...registeredScope(scope, policy),
    ...(rest.token_endpoint_auth_method === "private_key_jwt" ? registeredKeys(jwks, jwks_uri) : {}),
  };
  if (metadata.token_endpoint_auth_method === "none") mayBePublic(metadata.client_name ?? "", policy);
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

/** The setting `redirect_hosts` is about https alone: loopback and the schemes of apps have rules of their own. */
function checkRedirect(text: string, policy: RegistrationPolicy): string {
  const uri = parseRedirectUri(text, policy);
  const { redirectHosts } = policy.settings;
  const { protocol, hostname } = new URL(uri);
  if (!redirectHosts || protocol !== "https:" || isLoopbackHost(hostname)) return uri;
  if (matchesHostPattern(redirectHosts, hostname)) return uri;
  throw new OAuthError(
    "invalid_redirect_uri",
    "redirect_uri_invalid",
    "redirect_uris: this server accepts the hosts of certain apps only; ask its administrator to add this one",
  );
}

/** The setting `public_client_patterns`. No border against anybody: a client chooses its own name. */
function mayBePublic(name: string, { settings }: RegistrationPolicy): void {
  if (settings.publicClientPatterns.some((pattern) => matchesNamePattern(pattern, name))) return;
  throw invalid(
    "token_endpoint_auth_method: a client of this name must not be public here; register for client_secret_basic, " +
      "client_secret_post or private_key_jwt",
  );
}

/** RFC 7591 §2: exactly one of the two. */
function registeredKeys(
  jwks: z.output<typeof keySet> | undefined,
  jwksUri: string | undefined,
): Pick<RegisteredMetadata, "jwks" | "jwks_uri"> {
  if (jwksUri !== undefined) return { jwks_uri: jwksUri };
  if (!jwks) throw invalid("jwks: private_key_jwt needs jwks or jwks_uri");
  if (!jwks.keys.some((jwk) => importVerificationKey(jwk))) {
    throw invalid(
      `jwks: holds no public key for ${signatureAlgorithms.join(", ")} (RSA from 2048 bits, P-256, Ed25519)`,
    );
  }
  return { jwks };
}

function registeredScope(
  named: readonly string[] | undefined,
  { scopes, settings }: RegistrationPolicy,
): Pick<RegisteredMetadata, "scope"> {
  const { allowedScopes, defaultScopes } = settings;
  if (named === undefined || named.length === 0) return defaultScopes ? { scope: defaultScopes.join(" ") } : {};
  if (!allowedScopes) return { scope: named.join(" ") };
  const allowed = new Set(scopes.expand(allowedScopes));
  // Of a scope that goes too far what it includes may be left.
  const cut = named.flatMap((name) =>
    scopes.isIdentityScope(name) || allowed.has(name)
      ? [name]
      : scopes.expand([name]).filter((each) => allowed.has(each)),
  );
  if (named.every((name) => scopes.isIdentityScope(name)) || cut.some((name) => allowed.has(name))) {
    return { scope: [...new Set(cut)].join(" ") };
  }
  throw invalid(`scope: a client that registers itself may have no more than: ${[...allowed].join(" ") || "nothing"}`);
}

function schema(policy: RegistrationPolicy) {
  const { clientGrantTypes, tokenEndpointAuthMethods } = policy.capabilities;
  return z.object({
    redirect_uris: redirectUris,
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

const scope = (policy: RegistrationPolicy) =>
  z
    .string("must be a text of scopes, separated by spaces")
    .max(2048, "must have at most 2048 characters")
    .transform((text) => [...new Set(text.split(" ").filter((name) => name !== ""))])
    .refine(
      (names) => names.every((name) => policy.scopes.resolve(name) || policy.scopes.isIdentityScope(name)),
      "holds an unknown scope",
    )
    .transform((names) => [...new Set(names.map((name) => policy.scopes.resolve(name) ?? name))]);
