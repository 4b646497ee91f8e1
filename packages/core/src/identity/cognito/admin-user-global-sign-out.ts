import { type Logger, withDeadline } from "../../runtime/index.ts";
import { IdentityProviderError } from "../identity-provider.ts";
import { CognitoOptionsError } from "./options.ts";

/** The part of `@aws-sdk/client-cognito-identity-provider` that is used. */
type Sdk = Pick<
  typeof import("@aws-sdk/client-cognito-identity-provider"),
  "CognitoIdentityProviderClient" | "ListUsersCommand" | "AdminUserGlobalSignOutCommand"
>;

/** Ends every session that a user (`sub`) has at Cognito: no refresh token of theirs is good any more, whoever holds it. */
export type SignOutEverywhere = (sub: string) => Promise<void>;

/** Errors by which AWS says that it has nothing against us but cannot serve now. */
const passing = new Set([
  "TooManyRequestsException",
  "ThrottlingException",
  "InternalErrorException",
  "TimeoutError",
  "AbortError",
]);

/**
 * Loads the AWS SDK, an optional peer, and answers what calls `AdminUserGlobalSignOut` with the credentials that the SDK
 * finds. It takes a user name, which is a third-party sign-in's own and no `sub`, so `ListUsers` is asked for it first.
 * The IAM permissions are `cognito-idp:ListUsers` and `cognito-idp:AdminUserGlobalSignOut` on the user pool. The browser
 * session at Cognito's domain survives for up to an hour.
 * Source: Cognito API reference, "AdminUserGlobalSignOut", "ListUsers".
 * Rejects with CognitoOptionsError if the package is not installed; what it answers, with IdentityProviderError.
 * @param settings.endpoint of a local Cognito, in place of the region's
 */
export async function adminUserGlobalSignOut(
  settings: {
    readonly userPoolId: string;
    readonly endpoint?: string | undefined;
    /** Milliseconds for both requests together. */
    readonly timeout: number;
    readonly logger: Logger;
  },
  load: () => Promise<Sdk> = () => import("@aws-sdk/client-cognito-identity-provider"),
): Promise<SignOutEverywhere> {
  const sdk = await load().catch((error: unknown) => {
    settings.logger.debug("the AWS SDK could not be loaded", { error: nameOf(error) });
    throw new CognitoOptionsError(
      "cognito.global_sign_out",
      "needs a package that is not installed; run: npm install @aws-sdk/client-cognito-identity-provider",
    );
  });
  const { userPoolId, endpoint } = settings;
  const client = new sdk.CognitoIdentityProviderClient({
    region: userPoolId.slice(0, userPoolId.indexOf("_")),
    ...(endpoint === undefined ? {} : { endpoint }),
  });

  return async (sub) => {
    const filter = `sub = "${sub.replace(/["\\]/g, "\\$&")}"`;
    try {
      await withDeadline(settings.timeout, async (abortSignal) => {
        const list = new sdk.ListUsersCommand({ UserPoolId: userPoolId, Filter: filter, Limit: 1 });
        const found = await client.send(list, { abortSignal });
        const username = found.Users?.[0]?.Username;
        // Who is no longer in the pool has nothing that could be ended.
        if (username === undefined) return;
        const command = new sdk.AdminUserGlobalSignOutCommand({ UserPoolId: userPoolId, Username: username });
        await client.send(command, { abortSignal });
      });
    } catch (error) {
      const name = nameOf(error);
      if (name === "UserNotFoundException") return;
      const failure =
        passing.has(name) || isServerFault(error) || isNetworkFault(error) ? "unavailable" : "misconfigured";
      throw new IdentityProviderError(failure, `AdminUserGlobalSignOut failed: ${name}`);
    }
  };
}

/** Never the message: AWS writes ARNs of roles into it. */
const nameOf = (error: unknown): string => (error instanceof Error ? error.name : "unknown");

const isServerFault = (error: unknown): boolean =>
  error instanceof Error && "$fault" in error && error.$fault === "server";

const isNetworkFault = (error: unknown): boolean =>
  error instanceof Error && "code" in error && typeof error.code === "string" && /^E[A-Z_]+$/.test(error.code);
