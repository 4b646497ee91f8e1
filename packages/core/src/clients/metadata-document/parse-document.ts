import { z } from "zod";
import type { GrantType } from "../../capabilities/capabilities.ts";
import type { KeySource } from "../../config/own-keys.ts";
import { OAuthError } from "../../errors/index.ts";
import { clientName, keySet, oneOf, redirectUris, webPage } from "../metadata-members.ts";
import { parseRedirectUri, type RedirectPolicy } from "../redirect-uri.ts";

/** How a client that published itself may authenticate: there is nobody to share a secret with. */
const methods = ["none", "private_key_jwt"] as const;
export type DocumentMethod = (typeof methods)[number];

/** What is read of a client's metadata document. */
export interface ClientDocument {
  readonly name: string;
  readonly redirectUris: readonly string[];
  readonly grantTypes: readonly GrantType[];
  /** At least one. */
  readonly methods: readonly DocumentMethod[];
  readonly keys: KeySource;
}

/** A document that cannot be accepted. The message names the member, for its developer, and repeats no value of it. */
export class DocumentFault extends Error {
  override readonly name = "DocumentFault";
}

const texts = z.array(z.string("must hold texts"), "must be a list of texts").max(32, "at most 32 are allowed");

const schema = z.object({
  client_name: clientName,
  redirect_uris: redirectUris,
  token_endpoint_auth_method: oneOf(methods).exactOptional(),
  token_endpoint_auth_methods_supported: texts.exactOptional(),
  grant_types: texts
    .refine((types) => types.includes("authorization_code"), "must hold authorization_code")
    .exactOptional(),
  response_types: texts.refine((types) => types.includes("code"), "must hold code").exactOptional(),
  jwks: keySet.exactOptional(),
  jwks_uri: webPage.exactOptional(),
});

type Metadata = z.output<typeof schema>;

/**
 * Parses a client-id metadata document (draft-ietf-oauth-client-id-metadata-document §4). It is written for every server
 * at once, so what it offers is negotiated, unlike a registration here: grant types, methods and members that are not
 * known here are passed over.
 *
 * - `client_id` is the document's URL, character by character; `client_name` and `redirect_uris` must be there.
 * - Method: `none` or `private_key_jwt`; both for a client that lists both. Left out: `none`, since RFC 7591's default
 *   needs a secret. A document may hold no secret and no private key.
 * - `grant_types` left out: what it can use here.
 * @throws DocumentFault, naming the member
 */
export function parseClientDocument(body: string, url: string, policy: RedirectPolicy): ClientDocument {
  const document = parseObject(body);
  for (const member of ["client_secret", "client_secret_expires_at"]) {
    if (Object.hasOwn(document, member))
      throw new DocumentFault(`${member}: a document that all can read has no secret`);
  }
  if (document.client_id !== url) throw new DocumentFault("client_id: must be the very URL of the document");
  // `null` counts as left out, as in a registration.
  const parsed = schema.safeParse(Object.fromEntries(Object.entries(document).filter(([, value]) => value !== null)));
  if (!parsed.success) throw memberFault(parsed.error);
  const metadata = parsed.data;
  return {
    name: metadata.client_name,
    redirectUris: [...new Set(metadata.redirect_uris.map((uri) => checkRedirect(uri, policy)))],
    grantTypes: ["authorization_code", ...refreshing(metadata.grant_types)],
    methods: usableMethods(metadata),
    keys: { jwks: metadata.jwks, jwksUri: metadata.jwks_uri },
  };
}

function parseObject(body: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new DocumentFault("it is not JSON");
  }
  const object = z.record(z.string(), z.unknown()).safeParse(value);
  if (!object.success) throw new DocumentFault("it is not a JSON object");
  return object.data;
}

function memberFault(error: z.ZodError): DocumentFault {
  const issue = error.issues[0];
  return new DocumentFault(`${String(issue?.path[0] ?? "document")}: ${issue?.message ?? "not valid"}`);
}

function checkRedirect(uri: string, policy: RedirectPolicy): string {
  try {
    return parseRedirectUri(uri, policy);
  } catch (error) {
    throw error instanceof OAuthError ? new DocumentFault(error.message) : error;
  }
}

const refreshing = (types: readonly string[] | undefined): readonly GrantType[] =>
  types === undefined || types.includes("refresh_token") ? ["refresh_token"] : [];

function usableMethods(metadata: Metadata): readonly DocumentMethod[] {
  const { token_endpoint_auth_method: main, token_endpoint_auth_methods_supported: listed, jwks, jwks_uri } = metadata;
  if (jwks && jwks_uri !== undefined) throw new DocumentFault("jwks and jwks_uri exclude each other");
  const offered = new Set<string>([...(main === undefined ? [] : [main]), ...(listed ?? [])]);
  if (offered.size === 0) return ["none"];
  const known = methods.filter((method) => offered.has(method));
  if (known.length === 0)
    throw new DocumentFault(`token_endpoint_auth_methods_supported: must hold ${methods.join(" or ")}`);
  if (jwks || jwks_uri !== undefined) return known;
  if (!known.includes("none")) throw new DocumentFault("jwks_uri: is missing, and private_key_jwt needs it or jwks");
  return ["none"];
}
