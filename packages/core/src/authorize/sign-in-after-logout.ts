import { z } from "zod";
import { openHandle, sealHandle } from "../crypto/index.ts";
import { browserCookies, endBrowserCookies } from "../http/index.ts";
import type { AuthorizeDeps } from "./deps.ts";
import { logoutUri, ownLogout } from "./logout-uri.ts";
import { redirect } from "./redirect-error.ts";

const purpose = "sign-in-after-logout";
const schema = z.strictObject({ location: z.string(), expiresAt: z.number() });

/** Where whoever wants another account goes first, and what brings them back to the sign-in that they approved. */
export interface Detour {
  /** Cognito's `/logout`. */
  readonly location: string;
  /** Value of the cookie by which `/logout` here goes on. */
  readonly continuation: string;
}

/**
 * The way over Cognito's `/logout`, which ends its session, back to our `/logout`, and from there to the very same
 * authorization request, within `life` (ms). Undefined where Cognito sends browsers elsewhere after signing out: nobody would come back.
 */
export async function detourOverLogout(
  deps: AuthorizeDeps,
  authorization: URL,
  life: number,
): Promise<Detour | undefined> {
  if (logoutUri(deps) !== ownLogout(deps)) return undefined;
  const { href } = await deps.identityProvider.logoutUrl(ownLogout(deps));
  const value = { location: authorization.href, expiresAt: deps.clock.now() + life };
  return { location: href, continuation: sealHandle(deps.keys, purpose, value, deps.random) };
}

/** Goes on with the newest sign-in that was sent over Cognito's `/logout`, once; undefined if this browser has none. */
export function continueSignIn(deps: AuthorizeDeps, request: Request): Response | undefined {
  for (const cookie of browserCookies(request, "again", deps)) {
    const opened = schema.safeParse(openHandle(deps.keys, purpose, cookie));
    if (!opened.success || opened.data.expiresAt <= deps.clock.now()) continue;
    return redirect(
      opened.data.location,
      endBrowserCookies(request, deps, ["again"], (value) => value === cookie),
    );
  }
  return undefined;
}
