import { type Clock, type Random, randomText, sha256, uuid } from "../runtime.ts";
import { createExpiringMap } from "./expiring-map.ts";

/** One sign-in of one user through one client: what a code stands for, and every token that comes of it. */
export interface SignIn {
  /** In every token of this sign-in. */
  readonly eventId: string;
  readonly originJti: string;
  readonly clientId: string;
  readonly sub: string;
  readonly scopes: readonly string[];
  readonly resource?: string;
  /** Whether its ID tokens say how the user signed in. */
  readonly wantsAcr: boolean;
  /** Seconds since the Unix epoch. */
  readonly authTime: number;
}

/** A request that the user has signed in for, until its code is redeemed. */
export interface IssuedCode {
  readonly clientId: string;
  readonly sub: string;
  readonly redirectUri: string;
  readonly scopes: readonly string[];
  readonly authTime: number;
  readonly codeChallenge?: string;
  readonly nonce?: string;
  readonly resource?: string;
  readonly wantsAcr: boolean;
}

interface RefreshRecord {
  readonly signIn: SignIn;
  /** Milliseconds since the Unix epoch; the same for every token that rotation makes. */
  readonly expiresAt: number;
  readonly rotated: boolean;
}

const codeLifetime = 5 * 60_000;
const codeLimit = 10_000;
const signInLimit = 20_000;
const refreshTokenLimit = 50_000;

/** Codes, sign-ins and refresh tokens. Bounded: at the limits the oldest goes, and its tokens with it. */
export interface SignIns {
  issueCode(code: IssuedCode): string;
  /** Single use, 5 minutes. Another client's attempt does not spend it. */
  takeCode(code: string, clientId: string): IssuedCode | undefined;
  /** @param lifetime how long its tokens may live, seconds */
  begin(of: Omit<SignIn, "eventId" | "originJti">, lifetime: number): SignIn;
  /** Whether the sign-in of that event still holds: begun, not ended, not revoked. */
  holds(eventId: string): boolean;
  /** @param lifetime seconds */
  issueRefreshToken(signIn: SignIn, lifetime: number): string;
  refreshToken(token: string): RefreshRecord | undefined;
  /** A successor with what is left of the token's life; the token itself works for `grace` seconds more. */
  rotate(token: string, record: RefreshRecord, grace: number): string;
  /** Ends one sign-in and all of its tokens. */
  revoke(signIn: SignIn): void;
  /** Ends every sign-in of a user. */
  revokeUser(sub: string): void;
}

export function createSignIns(clock: Clock, random: Random): SignIns {
  const codes = createExpiringMap<IssuedCode>(clock, codeLimit);
  const signIns = createExpiringMap<SignIn>(clock, signInLimit);
  const refreshTokens = createExpiringMap<RefreshRecord>(clock, refreshTokenLimit);

  const keep = (record: RefreshRecord): string => {
    const token = opaqueToken(random);
    refreshTokens.set(sha256(token), record, record.expiresAt);
    return token;
  };

  return {
    issueCode(issued) {
      const code = uuid(random);
      codes.set(code, issued, clock.now() + codeLifetime);
      return code;
    },
    takeCode: (code, clientId) => (codes.get(code)?.clientId === clientId ? codes.take(code) : undefined),
    begin(of, lifetime) {
      const signIn: SignIn = { ...of, eventId: uuid(random), originJti: uuid(random) };
      signIns.set(signIn.eventId, signIn, clock.now() + lifetime * 1000);
      return signIn;
    },
    holds: (eventId) => signIns.get(eventId) !== undefined,
    issueRefreshToken: (signIn, lifetime) => keep({ signIn, expiresAt: clock.now() + lifetime * 1000, rotated: false }),
    refreshToken: (token) => {
      const record = refreshTokens.get(sha256(token));
      return record !== undefined && signIns.get(record.signIn.eventId) !== undefined ? record : undefined;
    },
    rotate(token, record, grace) {
      // The first use alone decides when the old token ends: a repeat within the grace must not prolong it.
      if (!record.rotated) {
        const until = Math.min(record.expiresAt, clock.now() + grace * 1000);
        refreshTokens.set(sha256(token), { ...record, rotated: true }, until);
      }
      return keep({ ...record, rotated: false });
    },
    revoke: (signIn) => signIns.delete(signIn.eventId),
    revokeUser(sub) {
      for (const signIn of signIns.values()) if (signIn.sub === sub) signIns.delete(signIn.eventId);
    },
  };
}

// The look of Cognito's: a JWE in five parts. Nothing is inside.
function opaqueToken(random: Random): string {
  const header = Buffer.from('{"cty":"JWT","enc":"A256GCM","alg":"RSA-OAEP"}').toString("base64url");
  return [header, ...[256, 12, 700, 16].map((length) => randomText(random, length))].join(".");
}
