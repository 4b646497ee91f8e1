import { ConfigError, type CoreConfig } from "../config/index.ts";
import { adminUserGlobalSignOut } from "../identity/cognito/admin-user-global-sign-out.ts";
import { CognitoOptionsError, type IdentityProvider, IdentityProviderError } from "../identity/index.ts";
import { type CallObserver, type Clock, type Logger, observedCall } from "../runtime/index.ts";

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
  deps: { readonly logger: Logger; readonly clock: Clock; readonly observer: CallObserver | undefined },
): Promise<IdentityProvider> {
  if (!cognito.globalSignOut || provider.signOutEverywhere) return provider;
  const cannot = (message: string): ConfigError =>
    new ConfigError([{ setting: "cognito.global_sign_out", source: "configuration", message }]);
  if (given) throw cannot("is on, but the identity provider that was handed in signs nobody out everywhere");
  try {
    const { observer, clock } = deps;
    const signOut = await adminUserGlobalSignOut({ ...cognito, logger: deps.logger });
    if (observer === undefined) return { ...provider, signOutEverywhere: signOut };
    const signOutEverywhere = (sub: string): Promise<void> =>
      observedCall(
        { observer, clock },
        "cognito_api",
        () => signOut(sub),
        () => "ok",
        (error) =>
          error instanceof IdentityProviderError && error.failure !== "unavailable" ? "refused" : "unreachable",
      );
    return { ...provider, signOutEverywhere };
  } catch (error) {
    throw error instanceof CognitoOptionsError ? cannot(error.message.replace(`${error.setting}: `, "")) : error;
  }
}
