import type { PoolSettings } from "../config/pool-config.ts";
import type { Parameters } from "../http/parameters.ts";

/** The pool's own directory, as `identity_provider` calls it. */
export const ownDirectory = "COGNITO";

/**
 * Where a request sends its user: to the pool's own directory, or straight to an identity provider, named or found by
 * one of its identifiers. Undefined: it names one that the pool does not have.
 */
export function providerOf(settings: PoolSettings, { values }: Parameters): string | undefined {
  const { identity_provider: name, idp_identifier: identifier } = values;
  if (name === ownDirectory) return ownDirectory;
  const { identityProviders } = settings;
  if (name !== undefined) return identityProviders.find((provider) => provider.name === name)?.name;
  if (identifier === undefined) return ownDirectory;
  return identityProviders.find(({ identifiers }) => identifiers.includes(identifier))?.name;
}
