import { z } from "zod";
import { attributeName } from "./attributes.ts";
import { duration } from "./duration.ts";
import { callbackUrlProblem } from "./url-rules.ts";

/** Scopes that exist in every pool without a resource server. Cognito has no `offline_access`. */
export const systemScopes: readonly string[] = ["openid", "email", "phone", "profile", "aws.cognito.signin.user.admin"];

const secret = z
  .string()
  .regex(/^[\x21-\x7e]{24,128}$/, { error: "must be 24 to 128 printable characters without spaces" });

const registeredUrl = z.string().superRefine((value, context) => {
  const message = callbackUrlProblem(value);
  if (message !== undefined) context.addIssue({ code: "custom", message });
});

const refreshTokenRotation = z.strictObject({
  /** Each refresh answers a new refresh token that keeps what is left of the first one's life. Default false. */
  enabled: z.boolean().default(false),
  /** How long a rotated refresh token still works, seconds, 0 to 60. Default 0. */
  retryGracePeriodSeconds: z.number().int().min(0).max(60).default(0),
});

const clientShape = z.strictObject({
  /** The client id: letters, digits, `_` and `+`. */
  id: z.string().regex(/^[\w+]{1,128}$/, { error: "must be 1 to 128 letters, digits, _ or +" }),
  /** Shown on the sign-in page. Default: the id. */
  name: z
    .string()
    .regex(/^[\w\s+=,.@-]{1,128}$/, { error: "must be 1 to 128 letters, digits, spaces or any of _+=,.@-" })
    .optional(),
  /** Makes the client confidential. Without `secret` and `secrets` it is public. */
  secret: secret.optional(),
  /** One or two secrets that work side by side, for rotation. Instead of `secret`. */
  secrets: z.array(secret).min(1).max(2).optional(),
  /** `client_credentials` stands alone and needs a secret and custom scopes. Default `["code"]`. */
  allowedOAuthFlows: z
    .array(z.enum(["code", "implicit", "client_credentials"]))
    .min(1)
    .max(2)
    .default(["code"]),
  /** OpenID Connect scopes and `<resource server>/<scope>`. At most 50. */
  scopes: z.array(z.string().min(1)).min(1).max(50),
  /** Matched exactly. At most 100. */
  callbackUrls: z.array(registeredUrl).max(100).default([]),
  /** Used when a request names no `redirect_uri`. One of `callbackUrls`. */
  defaultRedirectUri: z.string().optional(),
  /** Matched exactly. At most 100. */
  logoutUrls: z.array(registeredUrl).max(100).default([]),
  /** 5 min to 1 day, default 60 min. */
  accessTokenValidity: duration("5m", "1d").default(3600),
  /** 5 min to 1 day, default 60 min. */
  idTokenValidity: duration("5m", "1d").default(3600),
  /** 60 min to 10 years, default 30 days. */
  refreshTokenValidity: duration("60m", "3650d").default(30 * 86_400),
  refreshTokenRotation: refreshTokenRotation.default({ enabled: false, retryGracePeriodSeconds: 0 }),
  /** Off: `/oauth2/revoke` is refused, and tokens carry neither `origin_jti` nor `jti`. Default true. */
  enableTokenRevocation: z.boolean().default(true),
  /** What of a user the client may see. Default: everything. */
  readAttributes: z.array(attributeName).optional(),
});

/** One app client. */
export const clientConfig = clientShape.superRefine((client, context) => {
  const problem = (message: string, ...path: (string | number)[]): void => {
    context.addIssue({ code: "custom", path, message });
  };
  const machine = client.allowedOAuthFlows.includes("client_credentials");
  if (client.secret !== undefined && client.secrets !== undefined) {
    problem("give either secret or secrets, not both", "secrets");
  }
  if (machine && client.allowedOAuthFlows.length > 1) {
    problem("client_credentials stands alone: make a client of its own for it", "allowedOAuthFlows");
  }
  if (machine && client.secret === undefined && client.secrets === undefined) {
    problem("is needed: client_credentials works only with a secret", "secret");
  }
  if (!machine && client.callbackUrls.length === 0) problem("needs at least one URL", "callbackUrls");
  if (client.defaultRedirectUri !== undefined && !client.callbackUrls.includes(client.defaultRedirectUri)) {
    problem("must be one of the callback URLs", "defaultRedirectUri");
  }
  for (const [index, scope] of client.scopes.entries()) {
    if (client.scopes.indexOf(scope) !== index) problem(`${scope} stands twice`, "scopes", index);
    if (machine && systemScopes.includes(scope)) {
      problem(`${scope} is for users: client_credentials takes custom scopes only`, "scopes", index);
    }
  }
});
