import { z } from "zod";
import { endpointUrl, scopeName } from "../../config/values.ts";
import type { Clock, Fetch, Logger } from "../../runtime/index.ts";

/** What `cognitoProvider` is given. */
export interface CognitoProviderOptions {
  /** As `eu-central-1_AbCdEfGhI`; the region is read from it. */
  readonly userPoolId: string;
  /** The app client that signs users in. */
  readonly clientId: string;
  /** Its secret; `null` says that it is a public app client without one. */
  readonly clientSecret: string | null;
  /** A prefix (`my-app`), the host of a prefix or custom domain, or a full URL. */
  readonly domain: string;
  /** Base URL of a local Cognito (or of a proxy) that serves the pool's discovery in place of AWS: https, or http on loopback. */
  readonly endpoint?: string | undefined;
  /** What is asked of Cognito at sign-in; default `openid email profile`. Must have `openid`. */
  readonly scopes?: readonly string[] | undefined;
  /** Sends users straight to this identity provider of the pool. Not together with `idpIdentifier`. */
  readonly identityProvider?: string | undefined;
  /** The same by an identifier of the provider, such as an e-mail domain. */
  readonly idpIdentifier?: string | undefined;
  /** Language of the managed login pages. */
  readonly lang?: string | undefined;
  /** `prompt` of a request that has none of its own. Managed login only. */
  readonly prompt?: "login" | "select_account" | undefined;
  /** Authentication contexts to ask for, the best first. */
  readonly acrValues?: readonly string[] | undefined;
  /** RFC 8707: what Cognito is asked to bind access tokens to. Their `aud` must then be this very text. */
  readonly resource?: string | undefined;
  /** Names of the claims that an identity has; all of the user's attributes when left out. */
  readonly claims?: readonly string[] | undefined;
  /** Asks the userInfo endpoint too, for attributes that are not in the tokens. Default: no. */
  readonly userInfo?: boolean | undefined;
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told the time by Cognito's clock, ms, and when it was asked for it, by the monotonic clock. */
  readonly sawTime?: ((theirs: number, askedAt: number) => void) | undefined;
  /** Milliseconds each request to Cognito may take, body included; default 10,000. */
  readonly timeoutMs?: number | undefined;
}

/** The options do not describe a user pool; the message names the setting and the mend, and holds no secret. */
export class CognitoOptionsError extends Error {
  override readonly name = "CognitoOptionsError";
  /** As it is written in a configuration file: `cognito.user_pool_id`. */
  readonly setting: string;
  constructor(setting: string, message: string) {
    super(`${setting}: ${message}`);
    this.setting = setting;
  }
}

const settings = z.object({
  userPoolId: z
    .string()
    .regex(
      /^[a-z]{2,4}(-[a-z]+)+-\d_[A-Za-z0-9]{1,55}$/,
      "is not a user pool id; copy it from the Cognito console, it looks like eu-central-1_AbCdEfGhI",
    ),
  clientId: z.string().regex(/^[\w+]{1,128}$/, "is not an app client id; copy it from the pool's app client"),
  clientSecret: z.string().min(1, "is empty; give the app client's secret, or null for a public app client").nullable(),
  domain: z.string().min(1, "is empty; give the pool's domain: a prefix, a host or a full URL"),
  endpoint: endpointUrl().optional(),
  scopes: z
    .array(scopeName())
    .refine((scopes) => scopes.includes("openid"), "must have openid: without it Cognito gives no ID token")
    .default(["openid", "email", "profile"]),
  identityProvider: z.string().min(1).optional(),
  idpIdentifier: z.string().min(1).optional(),
  lang: z.string().min(1).optional(),
  prompt: z.enum(["login", "select_account"]).optional(),
  acrValues: z.array(scopeName()).default([]),
  resource: z
    .string()
    .refine((text) => URL.canParse(text), "is no URL")
    .optional(),
  claims: z.array(z.string().min(1)).optional(),
  userInfo: z.boolean().default(false),
  timeoutMs: z.int().min(1).max(600_000).default(10_000),
});

/** The options as data, checked; `endpoint` has no trailing slash. */
export type CognitoSettings = z.output<typeof settings>;

/**
 * Checks the options.
 * @throws {CognitoOptionsError} for the first setting that is wrong
 */
export function parseCognitoOptions(options: CognitoProviderOptions): CognitoSettings {
  const parsed = settings.safeParse(options);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new CognitoOptionsError(settingName(String(issue?.path[0] ?? "")), issue?.message ?? "is not valid");
  }
  if (parsed.data.identityProvider !== undefined && parsed.data.idpIdentifier !== undefined) {
    throw new CognitoOptionsError(
      "cognito.idp_identifier",
      "is given together with identity_provider; keep one of them",
    );
  }
  return parsed.data;
}

const settingName = (key: string): string => `cognito.${key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
