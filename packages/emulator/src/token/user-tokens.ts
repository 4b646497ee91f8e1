import { createHash } from "node:crypto";
import type { JWTPayload } from "jose";
import { booleanAttributes } from "../config/attributes.ts";
import { uuid } from "../runtime.ts";
import { visibleAttributes } from "../scopes/readable-attributes.ts";
import type { Client } from "../state/client-directory.ts";
import type { Emulation } from "../state/emulation.ts";
import type { SignIn } from "../state/sign-ins.ts";
import type { User } from "../state/user-directory.ts";
import { groupClaims, roleClaims } from "./group-claims.ts";
import { scopeClaim } from "./scope-claim.ts";

/** What comes of a sign-in each time tokens are issued for it. */
export interface UserTokens {
  readonly accessToken: string;
  /** Only with the scope `openid`. */
  readonly idToken?: string;
}

/**
 * Issues an access token and, with `openid`, an ID token. Groups and attributes are those of this moment.
 * Source: Cognito, using the access token and using the ID token.
 * @param nonce the one of the authorization request; a refresh has none
 */
export async function issueUserTokens(
  emulation: Emulation,
  { client, user, signIn, nonce }: { client: Client; user: User; signIn: SignIn; nonce?: string | undefined },
): Promise<UserTokens> {
  const accessToken = await emulation.keys.sign("access", accessClaims(emulation, client, user, signIn));
  if (!signIn.scopes.includes("openid")) return { accessToken };
  const claims = idClaims(emulation, { client, user, signIn, nonce, accessToken });
  return { accessToken, idToken: await emulation.keys.sign("id", claims) };
}

function accessClaims(emulation: Emulation, client: Client, user: User, signIn: SignIn): JWTPayload {
  const { clock, random, addresses, scopes } = emulation;
  const now = Math.floor(clock.now() / 1000);
  const revocable = client.enableTokenRevocation;
  return {
    sub: user.sub,
    ...groupClaims(user),
    iss: addresses.issuer,
    version: 2,
    client_id: client.id,
    ...(signIn.resource !== undefined && { aud: signIn.resource }),
    ...(revocable && { origin_jti: signIn.originJti }),
    event_id: signIn.eventId,
    token_use: "access",
    scope: scopeClaim(scopes, signIn.scopes),
    auth_time: signIn.authTime,
    exp: now + client.accessTokenValidity,
    iat: now,
    ...(revocable && { jti: uuid(random) }),
    username: user.username,
  };
}

function idClaims(
  emulation: Emulation,
  {
    client,
    user,
    signIn,
    nonce,
    accessToken,
  }: { client: Client; user: User; signIn: SignIn; nonce: string | undefined; accessToken: string },
): JWTPayload {
  const { clock, random, addresses, settings } = emulation;
  const now = Math.floor(clock.now() / 1000);
  const revocable = client.enableTokenRevocation;
  const attributes = Object.entries(visibleAttributes(client, user, signIn.scopes))
    .filter(([name]) => !settings.claimsToSuppress.includes(name))
    .map(([name, value]): [string, string | boolean] => [name, booleanAttributes.has(name) ? value === "true" : value]);
  return {
    at_hash: leftHalfHash(accessToken),
    sub: user.sub,
    ...groupClaims(user),
    ...roleClaims(user, settings.groups),
    iss: addresses.issuer,
    "cognito:username": user.username,
    ...Object.fromEntries(attributes),
    ...(nonce !== undefined && { nonce }),
    ...(revocable && { origin_jti: signIn.originJti }),
    ...(user.identityProvider !== undefined && { identities: identitiesOf(user, user.identityProvider, signIn) }),
    ...(signIn.wantsAcr && { acr: "urn:cognito:loa:1", amr: ["pwd"] }),
    aud: client.id,
    event_id: signIn.eventId,
    token_use: "id",
    auth_time: signIn.authTime,
    exp: now + client.idTokenValidity,
    iat: now,
    ...(revocable && { jti: uuid(random) }),
  };
}

/** Where a federated user comes from. Numbers and booleans are texts, and the account is as old as its sign-in. */
const identitiesOf = (user: User, providerName: string, signIn: SignIn) => [
  {
    userId: user.signInName,
    providerName,
    providerType: "OIDC",
    issuer: null,
    primary: "true",
    dateCreated: String(signIn.authTime * 1000),
  },
];

/** OpenID Connect Core section 3.1.3.6, for RS256. */
function leftHalfHash(token: string): string {
  return createHash("sha256").update(token).digest().subarray(0, 16).toString("base64url");
}
