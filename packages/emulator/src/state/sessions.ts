import { type Clock, type Random, randomText, sha256 } from "../runtime.ts";
import { createExpiringMap } from "./expiring-map.ts";

/** A browser that is signed in. */
export interface Session {
  readonly sub: string;
  /** When the password was given, seconds since the Unix epoch. */
  readonly authTime: number;
}

/** One hour from the sign-in, never extended by use. Source: Cognito, managed login cookies. */
export const sessionLifetimeSeconds = 3600;

const sessionLimit = 10_000;

/** The sessions behind the `cognito` cookie. */
export interface Sessions {
  /** Answers the cookie's value. */
  begin(sub: string): { handle: string; session: Session };
  find(handle: string): Session | undefined;
  end(handle: string): void;
}

export function createSessions(clock: Clock, random: Random): Sessions {
  const sessions = createExpiringMap<Session>(clock, sessionLimit);
  return {
    begin(sub) {
      const handle = randomText(random, 32);
      const session = { sub, authTime: Math.floor(clock.now() / 1000) };
      sessions.set(sha256(handle), session, clock.now() + sessionLifetimeSeconds * 1000);
      return { handle, session };
    },
    find: (handle) => sessions.get(sha256(handle)),
    end: (handle) => sessions.delete(sha256(handle)),
  };
}
