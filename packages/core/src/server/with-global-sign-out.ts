import { ConfigError, type CoreConfig } from "../config/index.ts";
import { adminUserGlobalSignOut } from "../identity/cognito/admin-user-global-sign-out.ts";
import { CognitoOptionsError, type IdentityProvider } from "../identity/index.ts";
import type { Logger } from "../runtime/index.ts";

/**
 * The identity provider, able to sign users out everywhere if `cognito.global_sign_out` asks for it: at the start it is
 * known whether that can be done.
 * @param given a provider that was handed in instead of Cognito's
 * Rejects with ConfigError where it cannot.
 */
export async function withGlobalSignOut(
  provider: IdentityProvider,
  given: boolean,
  cognito: CoreConfig["cognito"],
  logger: Logger,
): Promise<IdentityProvider> {
  if (!cognito.globalSignOut || provider.signOutEverywhere) return provider;
  const cannot = (message: string): ConfigError =>
    new ConfigError([{ setting: "cognito.global_sign_out", source: "configuration", message }]);
  if (given) throw cannot("is on, but the identity provider that was handed in signs nobody out everywhere");
  try {
    return { ...provider, signOutEverywhere: await adminUserGlobalSignOut({ ...cognito, logger }) };
  } catch (error) {
    throw error instanceof CognitoOptionsError ? cannot(error.message.replace(`${error.setting}: `, "")) : error;
  }
}
