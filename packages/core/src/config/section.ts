import { z } from "zod";
import { byteSize, duration, endpointUrl, scopeName } from "./values.ts";

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
  })
  .describe("The Amazon Cognito user pool behind the sign-in.");

const resource = z.strictObject({
  path: path.describe("Path of a protected MCP endpoint below base_url."),
  name: z.string().max(200).optional().describe("Shown on the consent page and in the metadata."),
  scopes: z
    .array(scopeName())
    .optional()
    .describe("Scopes that can be had for it; every configured scope when left out."),
  requiredScopes: z
    .array(scopeName())
    .default([])
    .describe("Scopes without which no request passes; a scope that includes one of them counts."),
});

const scope = z.strictObject({
  description: z.string().max(200).optional().describe("Plain words for the consent page."),
  includes: z.array(scopeName()).default([]).describe("Scopes that come with it."),
  stepUp: z.boolean().default(false).describe("Left out of the first challenge: asked for only when it is needed."),
});

const registeredClient = z.strictObject({
  name: z.string().min(1).max(100),
  redirectUris: z.array(z.string()).min(1),
  secrets: z
    .array(secretSetting())
    .max(2)
    .default([])
    .describe("None: a public client. Two: an old and a new one, while they are changed."),
  scopes: z.array(scopeName()).optional().describe("The most it may have; everything when left out."),
  firstParty: z
    .boolean()
    .default(false)
    .describe("Skips the consent page. Only for exact https redirects or a client with a secret."),
});

const machine = z.strictObject({
  scopes: z
    .array(scopeName())
    .min(1)
    .describe("What this Cognito app client may have here; never more than Cognito gives it."),
  resources: z.array(path).optional().describe("Paths of the resources it may use; all when left out."),
});

const registration = z.strictObject({
  enabled: z.boolean().default(true),
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
    .array(z.string().regex(/^[a-z][a-z0-9+.-]*$/))
    .default(["cursor", "vscode", "vscode-insiders"])
    .describe("Redirect schemes allowed besides https, loopback and reverse-DNS names."),
});

const tokens = z.strictObject({
  accessTtl: duration({ min: "1m", max: "1h" }).prefault("10m"),
  codeTtl: duration({ min: "10s", max: "10m" }).prefault("60s"),
  refreshIdleTtl: duration({ min: "10m", max: "365d" })
    .prefault("30d")
    .describe("A refresh token that is not used for so long ends."),
  refreshTtl: duration({ min: "10m", max: "3650d" })
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

const limits = z.strictObject({
  register: z.int().min(1).default(120).describe("Registrations a minute and address."),
  authorize: z.int().min(1).default(300).describe("Authorization requests a minute and address."),
  token: z.int().min(1).default(600).describe("Token requests a minute and address."),
  failedClientAuth: z.int().min(1).default(60).describe("Failed client authentications a minute and client."),
});

/** The settings of the library. Each key has its default and its doc text here and nowhere else. */
export const coreSection = z.strictObject({
  baseUrl: endpointUrl().describe("Public URL of this deployment. Every URL we give out starts with it."),
  issuer: endpointUrl().optional().describe("Issuer identifier; the origin of base_url when left out."),
  cognito,
  resources: z.array(resource).default([]).describe("The protected MCP endpoints."),
  requiredScopes: z
    .array(scopeName())
    .default([])
    .describe("Scopes without which no request passes, for every resource that sets none of its own."),
  defaultResource: path
    .optional()
    .describe("Which resource is meant by a client that names none, when there are several."),
  scopes: z.record(scopeName(), scope).default({}).describe("Every scope that can be granted."),
  groups: z
    .record(z.string().min(1).max(128), z.array(scopeName()))
    .default({})
    .describe("Cognito group → scopes. A group that is not here gives nothing."),
  clients: z
    .record(z.string().regex(/^[\x21-\x7e]{1,256}$/), registeredClient)
    .default({})
    .describe("Clients known beforehand, by client_id."),
  machines: z
    .record(z.string().regex(/^[\w+]{1,128}$/), machine)
    .default({})
    .describe("Cognito app clients with client_credentials that may come, by client id."),
  registration: registration.prefault({}).describe("Dynamic client registration (RFC 7591)."),
  tokens: tokens.prefault({}),
  limits: limits.prefault({}),
  secret: z
    .array(secretSetting())
    .default([])
    .describe("Root secrets, at least 32 random bytes each; the first writes, all read."),
  store: z.string().default("sqlite:./.sallyport/store.db").describe("Where state lives: memory: or sqlite:./path."),
  allowedOrigins: z.array(z.string()).default([]).describe("Web origins whose scripts may call the endpoints."),
  maxBody: byteSize().prefault("64KiB").describe("The largest form or registration that is read."),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
  logFormat: z.enum(["text", "json"]).default("text"),
});

/** Settings as the code sees them: durations in milliseconds, sizes in bytes. */
export type CoreConfig = z.output<typeof coreSection>;
/** Settings as a caller writes them. */
export type CoreConfigInput = z.input<typeof coreSection>;
