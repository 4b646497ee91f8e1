import { z } from "zod";
import { byteSize, duration, endpointUrl, exactUrl, scopeName, scopeReference } from "./values.ts";

/** Marks a setting whose value never appears in `config show`, logs or errors. */
export const secretSetting = () => z.string().min(1).meta({ secret: true });

const path = z
  .string()
  .regex(/^\/[A-Za-z0-9._~/-]*$/, "a path begins with / and has no query")
  .refine((p) => p === "/" || !p.endsWith("/"), "leave out the trailing slash")
  .refine((p) => !p.includes("//") && !p.split("/").some((s) => s === "." || s === ".."), "no empty or dot segments");

const cognito = z
  .strictObject({
    userPoolId: z
      .string()
      .regex(/^[a-z]{2,4}(-[a-z]+)+-\d_[A-Za-z0-9]+$/, "a user pool id looks like eu-central-1_AbCdEfGhI")
      .describe("The user pool's id. The region is read from it."),
    clientId: z
      .string()
      .regex(/^[\w+]{1,128}$/, "an app client id has letters and digits only")
      .describe("The app client that signs users in."),
    clientSecret: secretSetting()
      .nullable()
      .describe("The app client's secret; `null` (or `none` in a file) for a public app client."),
    domain: z.string().min(1).describe("The pool's domain: a prefix, a custom domain, or a full URL."),
    endpoint: endpointUrl().optional().describe("Origin of a local Cognito instead of AWS."),
    scopes: z
      .array(scopeName())
      .min(1)
      .default(["openid", "email", "profile"])
      .describe("What is asked of Cognito at sign-in. What a client asks for is never forwarded."),
    resourceServer: z
      .string()
      .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, "an identifier has no spaces, quotes or backslashes")
      .optional()
      .describe(
        "Identifier of the pool's resource server: with mcp, a scope named read here is mcp/read at Cognito, and either name means it.",
      ),
    identityProvider: z
      .string()
      .min(1)
      .max(32)
      .optional()
      .describe("Sends users straight to this identity provider of the pool; not together with idp_identifier."),
    idpIdentifier: z
      .string()
      .min(1)
      .max(40)
      .optional()
      .describe("The same by an identifier, such as an e-mail domain."),
    lang: z.string().min(2).max(10).optional().describe("Language of the managed login pages, such as de or zh-CN."),
    prompt: z
      .enum(["login", "select_account"])
      .optional()
      .describe("Sent where the client's request has no prompt of its own. Managed login only."),
    acrValues: z
      .array(z.string().regex(/^[\x21-\x7e]{1,256}$/, "a value has no spaces"))
      .default([])
      .describe("Authentication contexts asked for, where the pool's tier has them."),
    resource: z
      .string()
      .regex(
        /^(?:https:\/\/|http:\/\/localhost(?=[:/]|$)|(?!http:)[a-z][a-z0-9+.-]*:\/\/)[\x21\x23-\x5b\x5d-\x7e]*$/i,
        { error: "write a full URL: https://…, http://localhost… or an app's own scheme", abort: true },
      )
      .refine((text) => URL.canParse(text), "write a full URL")
      .optional()
      .describe("RFC 8707 resource asked of Cognito, where the pool's tier binds tokens; their aud must then be it."),
    claims: z
      .array(z.string().regex(/^[\x21-\x7e]{1,256}$/, "a claim's name has no spaces"))
      .optional()
      .describe("The claims of a sign-in that a principal carries; every attribute of the user when left out."),
    userInfo: z
      .boolean()
      .default(false)
      .describe("Asks Cognito's userInfo endpoint as well, for attributes that are not in the tokens."),
    logoutUri: exactUrl()
      .optional()
      .describe(
        "Where Cognito sends the browser after signing out: one of the app client's sign-out URLs; base_url/logout when left out.",
      ),
    globalSignOut: z
      .boolean()
      .default(false)
      .describe(
        "Ending all grants of a user also calls AdminUserGlobalSignOut; needs @aws-sdk/client-cognito-identity-provider and credentials.",
      ),
    // Shorter than the lease under which a grant is renewed, so that no second replica asks while the first still waits.
    timeout: duration({ min: "1s", max: "9s" }).prefault("8s").describe("How long one request to Cognito may take."),
  })
  .describe("The Amazon Cognito user pool behind the sign-in.");

const resource = z.strictObject({
  path: path.describe("Path of a protected MCP endpoint below base_url."),
  urls: z
    .array(endpointUrl())
    .optional()
    .describe("Further public URLs of it, on host names of their own. A token for one of its URLs opens no other."),
  name: z.string().max(200).optional().describe("Shown on the consent page and in the metadata."),
  scopes: z
    .array(scopeReference())
    .optional()
    .describe("Scopes that can be had for it; every configured scope when left out."),
  requiredScopes: z
    .array(scopeReference())
    .default([])
    .describe("Scopes without which no request passes; a scope that includes one of them counts."),
  accessTtl: duration({ min: "1m", max: "1h" })
    .optional()
    .describe("How long access tokens for it live; tokens.access_ttl when left out."),
});

const scope = z.strictObject({
  description: z.string().max(200).optional().describe("Plain words for the consent page."),
  includes: z.array(scopeReference()).default([]).describe("Scopes that come with it."),
  stepUp: z.boolean().default(false).describe("Left out of the first challenge: asked for only when it is needed."),
});

const claimScopes = z.strictObject({
  claim: z
    .string()
    .regex(/^[\x21-\x7e]{1,256}$/, "a claim's name has no spaces")
    .describe("Name of the claim, such as custom:team. email counts only where Cognito has verified it."),
  values: z
    .array(z.union([z.string().min(1).max(2048), z.number(), z.boolean()]))
    .min(1)
    .describe(
      "The claim must be one of these, or a list that has one of them; text, number or true and false exactly.",
    ),
  scopes: z.array(scopeReference()).min(1),
});

const secretHashes = () =>
  z
    .array(
      z.string().regex(/^sha256:[A-Za-z0-9_-]{43}$/, "write sha256: and the hash, as `sallyport secret` prints it"),
    )
    .max(2)
    .default([]);

/** Public keys (RFC 7517 §5); what a key must be for its algorithm is judged where it is used. */
const jwks = () =>
  z
    .strictObject({ keys: z.array(z.record(z.string(), z.unknown())).min(1).max(16) })
    .refine((set) => !set.keys.some((key) => "d" in key || "k" in key), "must hold public keys only")
    .optional();

const jwksUri = () =>
  z
    .string()
    .regex(/^https:\/\//, "must be https")
    .optional();

const registeredClient = z.strictObject({
  name: z.string().min(1).max(100),
  redirectUris: z.array(z.string()).min(1),
  secretHashes: secretHashes().describe(
    "Hashes of its secrets, made by `sallyport secret`. None and no keys: a public client. Two: an old and a new one, while they are changed.",
  ),
  jwks: jwks().describe("Its public keys, for private_key_jwt; not together with jwks_uri or secret_hashes."),
  jwksUri: jwksUri().describe("Where its public keys are published, for private_key_jwt."),
  scopes: z.array(scopeReference()).optional().describe("The most it may have; everything when left out."),
  firstParty: z
    .boolean()
    .default(false)
    .describe("Skips the consent page. Only for exact https redirects or a client with a secret."),
});

const machine = z.strictObject({
  scopes: z
    .array(scopeReference())
    .min(1)
    .describe("What this machine may have here; a Cognito app client never gets more than Cognito gives it."),
  resources: z.array(path).optional().describe("Paths of the resources it may use; all when left out."),
  jwks: jwks().describe(
    "Its public keys: it signs in by private_key_jwt, and Cognito is not asked. Not with jwks_uri.",
  ),
  jwksUri: jwksUri().describe("Where its public keys are published."),
});

const resourceServer = z.strictObject({
  secretHashes: secretHashes()
    .refine((hashes) => hashes.length > 0, "give at least one")
    .describe("Hashes of its secrets, made by `sallyport secret`."),
  resources: z.array(path).min(1).describe("Paths of the resources whose tokens it may ask about."),
});

/** A host, or `*.` and a domain for every host below it. */
const hostPattern = () =>
  z.string().regex(/^(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*$/, "write a host such as claude.ai, or *.example.com");

const metadataDocuments = z.strictObject({
  enabled: z.boolean().default(true),
  allowedHosts: z.array(hostPattern()).optional().describe("Only documents on these hosts; every host when left out."),
  deniedHosts: z.array(hostPattern()).default([]).describe("No document on these hosts; goes before allowed_hosts."),
});

const registration = z.strictObject({
  enabled: z.boolean().default(true),
  defaultScopes: z
    .array(scopeReference())
    .optional()
    .describe("What a client gets that neither registers nor asks for scopes; the resource's default when left out."),
  allowedScopes: z
    .array(scopeReference())
    .optional()
    .describe("The most a dynamic client may have; everything when left out."),
  publicClientPatterns: z
    .array(z.string().min(1).max(100))
    .default(["*"])
    .describe(
      "Names that may register without a secret; * stands for any text. No security border: a client chooses its own name.",
    ),
  redirectHosts: z
    .array(hostPattern())
    .optional()
    .describe("Hosts that https redirects of dynamic clients may have; every host when left out."),
  initialAccessTokens: z
    .array(secretSetting())
    .default([])
    .describe("Bearer tokens of which a registration must bring one (RFC 7591 §3); anyone may register when empty."),
  cap: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(10_000)
    .describe("The most registrations that are kept; at the cap the oldest unused one goes."),
  unusedTtl: duration({ min: "1m", max: "30d" })
    .prefault("24h")
    .describe("How long a registration lives that never reached consent."),
  customSchemes: z
    .array(z.string().regex(/^[a-z][a-z0-9+.-]*$/, "write a scheme such as cursor, without :// and what follows"))
    .default(["cursor", "vscode", "vscode-insiders"])
    .describe("Redirect schemes allowed besides https, loopback and reverse-DNS names."),
});

const tokens = z.strictObject({
  accessTtl: duration({ min: "1m", max: "1h" }).prefault("10m"),
  codeTtl: duration({ min: "10s", max: "10m" }).prefault("60s"),
  refreshIdleTtl: duration({ min: "10m", max: "365d" })
    .prefault("30d")
    .describe("A refresh token that is not used for so long ends."),
  refreshTtl: duration({ min: "1h", max: "3650d" })
    .prefault("30d")
    .describe("The life of Cognito's own refresh token, as the app client has it; no grant outlives it."),
  graceWindow: duration({ min: "0s", max: "5m" })
    .prefault("60s")
    .describe("For so long a used refresh token answers its own successor again."),
  grantCheckInterval: duration({ min: "0s", max: "5m" })
    .prefault("15s")
    .describe("How often the grant behind a stream of requests is read again: how soon a revocation holds everywhere."),
  upstreamMaxAge: duration({ min: "1m", max: "24h" })
    .prefault("15m")
    .describe("How old groups may be before Cognito is asked again."),
  upstreamGrace: duration({ min: "0s", max: "1h" })
    .prefault("5m")
    .describe("For how long after that an unreachable Cognito is borne."),
});

const keys = z.strictObject({
  rotateEvery: duration({ min: "1h", max: "3650d" })
    .prefault("90d")
    .describe("How long a signing key signs before the next one takes over."),
  publishBefore: duration({ min: "10m", max: "30d" })
    .prefault("1d")
    .describe("How long the next key is published before it signs: longer than anyone may cache the key set."),
});

const consent = z.strictObject({
  remember: duration({ min: "0s", max: "365d" })
    .prefault("30d")
    .describe("How long an approval is remembered; 0s: every sign-in is asked for."),
  mostRemembered: z.int().min(1).max(500).default(50).describe("How many approvals of a user are remembered."),
});

const link = () =>
  z
    .string()
    .regex(/^https:\/\/[^\s\\@"<>]+$/, "must be an https URL without user name")
    .max(2048)
    .optional();

const branding = z.strictObject({
  name: z.string().min(1).max(60).default("Sallyport").describe("Whose sign-in this is, at the head of every page."),
  logo: z
    .string()
    .regex(
      /^(?:https:\/\/[^\s\\@"<>';]+|data:image\/(?:png|jpeg|webp|svg\+xml);base64,[A-Za-z0-9+/]+={0,2})$/,
      "write an https URL or a data:image/…;base64, URL",
    )
    .max(200_000)
    .optional()
    .describe("An image: an https URL, or a data: URL that needs no other host."),
  accentColor: z
    .string()
    .regex(/^#[0-9a-f]{6}$/i, "write a colour such as #0e5f63")
    .optional()
    .describe("Colour of buttons and marks; made darker or lighter where its contrast would not do."),
  termsUrl: link().describe("Terms of use, linked from every page."),
  privacyUrl: link().describe("Privacy notice, linked from every page."),
});

const limits = z.strictObject({
  register: z.int().min(1).default(120).describe("Registrations a minute and address."),
  authorize: z.int().min(1).default(300).describe("Authorization requests a minute and address."),
  consent: z.int().min(1).default(300).describe("Answers to consent pages a minute and address."),
  token: z.int().min(1).default(600).describe("Token requests a minute and address, of whoever is not identified."),
  introspect: z
    .int()
    .min(1)
    .default(6000)
    .describe(
      "Introspection requests a minute and address, or of one authenticated resource server over all replicas.",
    ),
  failedClientAuth: z.int().min(1).default(60).describe("Failed client authentications a minute and client."),
  client: z
    .int()
    .min(1)
    .default(6000)
    .describe("Token requests a minute of one authenticated client, over all replicas."),
  principal: z
    .int()
    .min(1)
    .default(300)
    .describe("Token requests a minute of one user through one client, or of one machine, over all replicas."),
});

const kms = z
  .strictObject({
    keyId: z.string().min(1).max(2048).describe("Id, alias or ARN of a symmetric key."),
    region: z
      .string()
      .regex(/^[a-z]{2,4}(-[a-z]+)+-\d$/, "write a region such as eu-central-1")
      .optional(),
    endpoint: endpointUrl().optional().describe("Of a local stand-in instead of AWS."),
    readOnly: z
      .boolean()
      .default(false)
      .describe("Only opens what was sealed with it before; the root secret seals again: the way back from KMS."),
  })
  .describe("AWS KMS key that wraps the keys of stored records, in place of the root secret.");

/** The settings of the library. Each key has its default and its doc text here and nowhere else. */
export const coreSection = z.strictObject({
  baseUrl: endpointUrl().describe("Public URL of this deployment. Every URL we give out starts with it."),
  issuer: endpointUrl().optional().describe("Issuer identifier; the origin of base_url when left out."),
  cognito,
  resources: z.array(resource).default([]).describe("The protected MCP endpoints."),
  requiredScopes: z
    .array(scopeReference())
    .default([])
    .describe("Scopes without which no request passes, for every resource that sets none of its own."),
  defaultResource: path
    .optional()
    .describe("Which resource is meant by a client that names none, when there are several."),
  scopes: z.record(scopeName(), scope).default({}).describe("Every scope that can be granted."),
  groups: z
    .record(z.string().min(1).max(128), z.array(scopeReference()))
    .default({})
    .describe("Cognito group → scopes. A group that is not here gives nothing."),
  claims: z
    .array(claimScopes)
    .default([])
    .describe("Claims of the sign-in that give scopes, besides groups. A claim that is not there gives nothing."),
  clients: z
    .record(
      z.string().regex(/^[\x21-\x7e]{1,256}$/, "an id has no spaces and at most 256 characters"),
      registeredClient,
    )
    .default({})
    .describe("Clients known beforehand, by client_id."),
  machines: z
    .record(
      z.string().regex(/^[\w+.-]{1,128}$/, "an id has letters, digits and . _ + - only, at most 128 characters"),
      machine,
    )
    .default({})
    .describe(
      "Who may come by client_credentials: Cognito app clients by their client id, machines with keys of their own by any id.",
    ),
  resourceServers: z
    .record(z.string().regex(/^[\x21-\x7e]{1,256}$/, "an id has no spaces and at most 256 characters"), resourceServer)
    .default({})
    .describe("Who may ask /introspect, by the id that they authenticate with."),
  registration: registration.prefault({}).describe("Dynamic client registration (RFC 7591)."),
  metadataDocuments: metadataDocuments.prefault({}).describe("Clients whose id is the URL of their metadata (CIMD)."),
  consent: consent.prefault({}),
  branding: branding.prefault({}).describe("How the pages look."),
  tokens: tokens.prefault({}),
  keys: keys.prefault({}).describe("The keys that sign access tokens."),
  limits: limits.prefault({}),
  trustedProxies: z
    .array(z.string())
    .default([])
    .describe(
      "Addresses or networks (10.0.0.0/8) whose X-Forwarded-For is believed; otherwise the socket's address counts.",
    ),
  secret: z
    .array(secretSetting())
    .default([])
    .describe("Root secrets, at least 32 random bytes each; the first writes, all read."),
  kms: kms.optional(),
  store: z
    .string()
    .default("sqlite:./.sallyport/store.db")
    .describe("Where state lives: memory:, sqlite:./path, redis://host:6379 or dynamodb://table?region=…."),
  exposeCognitoToken: z
    .boolean()
    .default(false)
    .describe(
      "Keeps Cognito's access token sealed in the grant and gives it to the library's own code (auth.cognitoToken()), for calls to AWS on the user's behalf. No client ever gets it.",
    ),
  allowedOrigins: z.array(z.string()).default([]).describe("Web origins whose scripts may call the endpoints."),
  maxBody: byteSize().prefault("64KiB").describe("The largest form or registration that is read."),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
  logFormat: z.enum(["text", "json"]).default("text"),
});

/** Settings as the code sees them: durations in milliseconds, sizes in bytes. */
export type CoreConfig = z.output<typeof coreSection>;
/** Settings as a caller writes them. */
export type CoreConfigInput = z.input<typeof coreSection>;
