import { z } from "zod";
import { openHandle, sealHandle } from "../crypto/index.ts";
import { addBrowserCookie, browserCookies } from "../http/index.ts";
import type { AuthorizeDeps } from "./deps.ts";

type Deps = Pick<AuthorizeDeps, "keys" | "clock" | "random" | "baseUrl" | "config">;

const purpose = "browser-user";

const schema = z.strictObject({ sub: z.string(), signedInAt: z.number(), expiresAt: z.number() });

/** Longer than Cognito's own session lives in a browser (1 h), so that /logout knows that there may be one, ms. */
const shortestLife = 86_400_000;

/** Who signed in last with a browser. No proof of who sits there now: it opens nothing, it finds approvals to remember. */
export interface BrowserUser {
  readonly sub: string;
  /** ms. A kill switch set later makes the cookie worthless. */
  readonly signedInAt: number;
}

/** The user whose sign-in this browser's newest cookie of ours tells of. */
export function browserUser(deps: Deps, request: Request): BrowserUser | undefined {
  for (const cookie of browserCookies(request, "user", deps)) {
    const found = openCookie(deps, cookie);
    if (found && found.expiresAt > deps.clock.now()) return found;
  }
  return undefined;
}

/** The cookie for whoever has just signed in, in place of the one before. */
export function browserUserCookie(deps: Deps, request: Request, sub: string): readonly string[] {
  const now = deps.clock.now();
  const life = Math.max(deps.config.consent.remember, shortestLife);
  const value = sealHandle(deps.keys, purpose, { sub, signedInAt: now, expiresAt: now + life }, deps.random);
  const isOurs = (other: string): boolean => openCookie(deps, other) !== undefined;
  return addBrowserCookie(request, deps, "user", value, life, isOurs);
}

function openCookie(deps: Deps, cookie: string): z.output<typeof schema> | undefined {
  return schema.safeParse(openHandle(deps.keys, purpose, cookie)).data;
}
