import type { UpstreamSession } from "../identity/identity-provider.ts";
import type { Upstream } from "../records/index.ts";
import type { GrantDeps } from "./deps.ts";

/** What a grant keeps of a sign-in or a renewal at Cognito: who, the refresh token, when to ask again, and the access token only where it may be exposed. */
export function cognitoSession(
  deps: Pick<GrantDeps, "clock" | "random" | "tokens" | "exposeCognitoToken">,
  session: UpstreamSession,
): Extract<Upstream, { kind: "cognito_session" }> {
  const now = deps.clock.now();
  const { sub, username, groups, email, emailVerified, claims } = session.identity;
  return {
    kind: "cognito_session",
    identity: {
      sub,
      username,
      groups: [...groups],
      claims: { ...claims },
      ...(email === undefined ? {} : { email }),
      ...(emailVerified === undefined ? {} : { emailVerified }),
    },
    ...(session.refreshToken === undefined ? {} : { refreshToken: session.refreshToken }),
    ...(session.accessToken === undefined || !deps.exposeCognitoToken ? {} : { accessToken: session.accessToken }),
    verifiedAt: now,
    // A random point, so that grants that began together do not renew together.
    renewAt: now + deps.tokens.upstreamMaxAge * (0.7 + 0.2 * deps.random.fraction()),
  };
}
