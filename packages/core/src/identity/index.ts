/** Who signs users in. Everything but the contract knows one provider only. */
export { cognitoProvider } from "./cognito/cognito-provider.ts";
export { CognitoOptionsError, type CognitoProviderOptions } from "./cognito/options.ts";
export {
  type Identity,
  type IdentityProvider,
  IdentityProviderError,
  type IdentityProviderFailure,
  type MachineSession,
  type ProviderAccessToken,
  type ProviderToken,
  type UpstreamSession,
} from "./identity-provider.ts";
