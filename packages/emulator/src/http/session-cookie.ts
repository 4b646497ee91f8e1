import type { Emulation } from "../state/emulation.ts";
import { type Session, sessionLifetimeSeconds } from "../state/sessions.ts";
import type { User } from "../state/user-directory.ts";
import { cookieValues, setCookie } from "./cookies.ts";

const cookieName = "cognito";

/** The signed-in user of a browser. A user who is gone or disabled is not signed in. */
export function currentSession(
  emulation: Emulation,
  cookieHeader: string | undefined,
): { user: User; session: Session } | undefined {
  for (const handle of cookieValues(cookieHeader, cookieName)) {
    const session = emulation.sessions.find(handle);
    const user = session && emulation.users.bySub(session.sub);
    if (session !== undefined && user?.enabled === true) return { user, session };
  }
  return undefined;
}

/** Signs a browser in; the session it had before ends. Answers the new session and its `Set-Cookie` line. */
export function beginSession(
  emulation: Emulation,
  cookieHeader: string | undefined,
  user: User,
): { session: Session; cookie: string } {
  for (const handle of cookieValues(cookieHeader, cookieName)) emulation.sessions.end(handle);
  const { handle, session } = emulation.sessions.begin(user.sub);
  return { session, cookie: cookieLine(emulation, handle, sessionLifetimeSeconds) };
}

/** Signs a browser out: nothing but its session ends. Answers the `Set-Cookie` line that removes the cookie. */
export function endSession(emulation: Emulation, cookieHeader: string | undefined): string {
  for (const handle of cookieValues(cookieHeader, cookieName)) emulation.sessions.end(handle);
  return cookieLine(emulation, "", 0);
}

function cookieLine({ addresses }: Emulation, value: string, maxAge: number): string {
  return setCookie(cookieName, value, { path: "/", secure: addresses.url.startsWith("https:"), maxAge });
}
