import { z } from "zod";
import { attributeName, attributes } from "./attributes.ts";
import { clientConfig } from "./client-config.ts";

const user = z.strictObject({
  /** What the person types, with `signInWith: "email"` the address. */
  username: z
    .string()
    .regex(/^[\p{L}\p{M}\p{S}\p{N}\p{P}]{1,128}$/u, { error: "must be 1 to 128 characters without spaces" }),
  password: z.string().min(1).max(256),
  /**
   * The identity provider that the user comes from: signs in on its page only, and is called `<provider>_<username>` in
   * tokens. Default: the pool's own directory.
   */
  identityProvider: z.string().optional(),
  /** Default: a random UUID at each start. */
  sub: z.string().min(1).max(128).optional(),
  attributes: attributes.default({}),
  /** At most 100 names out of `groups`. */
  groups: z.array(z.string()).max(100).default([]),
  /** Default true. */
  enabled: z.boolean().default(true),
  /** Only `CONFIRMED` users can sign in. Default `CONFIRMED`. */
  status: z.enum(["CONFIRMED", "UNCONFIRMED", "RESET_REQUIRED"]).default("CONFIRMED"),
});

const identityProvider = z.strictObject({
  /** The value of `identity_provider`. */
  name: z
    .string()
    .regex(/^[^_\s][\p{L}\p{M}\p{S}\p{N}\p{P}]{2,31}$/u, { error: "must be 3 to 32 characters without spaces" })
    .refine((name) => name !== "COGNITO", { error: "is the pool's own directory; choose another name" }),
  /** Values of `idp_identifier` that lead to it, such as e-mail domains. */
  identifiers: z
    .array(z.string().regex(/^[\w\s+=.@-]{1,40}$/, { error: "must be 1 to 40 characters" }))
    .max(50)
    .default([]),
});

const groupName = z
  .string()
  .regex(/^[\p{L}\p{M}\p{S}\p{N}\p{P}]{1,128}$/u, { error: "must be 1 to 128 characters without spaces" });

const group = z.strictObject({
  name: groupName,
  description: z.string().max(2048).optional(),
  /** The lowest decides `cognito:preferred_role`. */
  precedence: z.number().int().min(0).optional(),
  /** Appears in ID tokens as `cognito:roles`. */
  roleArn: z.string().startsWith("arn:").optional(),
});

const scope = z.strictObject({
  /** On the wire the scope is `<identifier>/<name>`. */
  name: z.string().regex(/^[\x21\x23-\x2e\x30-\x5b\x5d-\x7e]{1,256}$/, { error: 'must hold no space, ", \\ or /' }),
  description: z.string().max(256).optional(),
});

const resourceServer = z.strictObject({
  /** A name or a URL. */
  identifier: z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, { error: 'must hold no space, " or \\' }),
  name: z.string().min(1).max(256).optional(),
  scopes: z.array(scope).max(100).default([]),
});

/** The sections, which `checkPool` also reads one by one. */
export const poolSections = {
  clients: z.array(clientConfig).min(1).max(10_000),
  resourceServers: z.array(resourceServer).max(300).default([]),
  groups: z.array(group).max(10_000).default([]),
  identityProviders: z.array(identityProvider).max(300).default([]),
  users: z.array(user).default([]),
};

/** A whole user pool. Unknown keys are refused everywhere. */
export const poolConfig = z.strictObject({
  /** In the form of Cognito's own ids: region, `_`, letters and digits. */
  id: z
    .string()
    .regex(/^[a-z]{2,4}(-[a-z]+){1,3}-\d_[A-Za-z0-9]{1,45}$/, { error: "must look like us-east-1_AbCdEfGhI" }),
  ...poolSections,
  /** Whether `resource` at /oauth2/authorize sets `aud` of the access token. Off: the parameter is ignored. Default true. */
  resourceBinding: z.boolean().default(true),
  /**
   * Whether `resource` must be the identifier of a resource server; if so and it is not, the code exchange answers
   * `invalid_grant`. AWS's texts and older reports disagree, so both can be tried. Default false.
   */
  requireResourceServer: z.boolean().default(false),
  /**
   * Whether a request with `acr_values` gets `acr` and `amr` in the ID token; a password is `urn:cognito:loa:1`. AWS
   * documents them, and a live test did not see them, so both can be tried. Default false: the parameter is ignored.
   */
  emitAcr: z.boolean().default(false),
  /** Attributes that are left out of ID tokens, as by a trigger's `claimsToSuppress`; /oauth2/userInfo has them. */
  claimsToSuppress: z.array(attributeName).default([]),
  /** `email`: people type their address, and tokens carry the sub as user name. Default `username`. */
  signInWith: z.enum(["username", "email"]).default("username"),
});

/** A user pool as it is written. */
export type PoolConfig = z.input<typeof poolConfig>;
/** A user pool with every default filled in. */
export type PoolSettings = z.output<typeof poolConfig>;
export type ClientSettings = PoolSettings["clients"][number];
export type GroupSettings = PoolSettings["groups"][number];
