import { type JWTPayload, jwtVerify } from "jose";
import { z } from "zod";
import { oauthJson } from "../http/oauth-json.ts";
import { visibleAttributes } from "../scopes/readable-attributes.ts";
import type { Emulation } from "../state/emulation.ts";
import type { AppContext } from "./app-env.ts";

const claimsShape = z.object({
  sub: z.string(),
  client_id: z.string(),
  event_id: z.string(),
  token_use: z.literal("access"),
  scope: z.string(),
});

const badRequest = 'error="invalid_request", error_description="Bad OAuth2 request at UserInfo Endpoint"';
const badToken =
  'error="invalid_token", error_description="Access token is expired, disabled, or deleted, ' +
  'or the user has globally signed out."';

/**
 * GET /oauth2/userInfo with an access token that has the scope `openid`. Every value is text, booleans too. Unlike an
 * offline check it sees revocation, global sign-out and disabled users.
 */
export async function userInfo(emulation: Emulation, c: AppContext): Promise<Response> {
  const [, token] = /^bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "") ?? [];
  if (token === undefined) return c.body(null, 400, { "www-authenticate": badRequest });
  const claims = claimsShape.safeParse(await verified(emulation, token)).data;
  const scopes = claims?.scope.split(" ") ?? [];
  const client = emulation.clients.get(claims?.client_id ?? "");
  const user = emulation.users.bySub(claims?.sub ?? "");
  const live = claims !== undefined && emulation.signIns.holds(claims.event_id) && scopes.includes("openid");
  if (!live || client === undefined || user?.enabled !== true) {
    return c.body(null, 401, { "www-authenticate": badToken });
  }
  return oauthJson(emulation.random, 200, {
    sub: user.sub,
    ...visibleAttributes(client, user, scopes),
    username: user.username,
  });
}

async function verified({ keys, addresses, clock }: Emulation, token: string): Promise<JWTPayload | undefined> {
  try {
    const { payload } = await jwtVerify(
      token,
      async ({ kid }) => {
        const key = await keys.publicKey("access", kid);
        if (key === undefined) throw new Error("the key is not published");
        return key;
      },
      { issuer: addresses.issuer, algorithms: ["RS256"], currentDate: new Date(clock.now()) },
    );
    return payload;
  } catch {
    return undefined;
  }
}
