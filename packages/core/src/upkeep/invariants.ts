import type { EpochRecord, Grant, KeyringRecord, Transaction } from "../records/index.ts";

/** When a record ends in the store, and now, ms. */
export interface StoredTimes {
  readonly expiresAt: number;
  readonly now: number;
}

/** Clocks of replicas may differ by so much, ms. */
const skew = 300_000;
/** The longest that a code, a transaction and a lease may have left, ms. */
const longestCode = 600_000;
const longestTransaction = 600_000;
const longestLease = 10_000;

/** Names the statements that do not hold. */
const broken = (statements: readonly (readonly [boolean, string])[]): readonly string[] =>
  statements.flatMap(([holds, fault]) => (holds ? [] : [fault]));

/** What holds of every grant at every moment, also after a process was killed in the middle of anything. */
export function grantFaults(grant: Grant, { expiresAt, now }: StoredTimes): readonly string[] {
  const { state, upstream, code, refresh, lease } = grant;
  const always = broken([
    [grant.createdAt <= now + skew, "it began in the future"],
    [grant.scopes.length > 0, "it gives no scope"],
    [!lease || lease.until <= now + longestLease + skew, "its lease lasts too long"],
  ]);
  const own =
    state === "code_issued"
      ? broken([
          [code !== undefined && code.redeemedAt === undefined, "a code was issued, but there is none to redeem"],
          [refresh === undefined, "it has a refresh token before its code was redeemed"],
          [upstream !== undefined, "nothing stands behind it"],
          [!code || code.expiresAt <= now + longestCode + skew, "its code lasts too long"],
        ])
      : state === "live"
        ? broken([
            [upstream !== undefined, "nothing stands behind it"],
            [grant.principal === "machine" || refresh !== undefined, "a user's grant is live without a refresh token"],
            [!code || code.redeemedAt !== undefined, "it is live, but its code is not marked as redeemed"],
            [
              expiresAt >= Math.min(refresh?.idleUntil ?? 0, grant.absoluteUntil),
              "the store drops it before its tokens end",
            ],
          ])
        : broken([
            [!upstream && !code && !refresh && !lease, "it has ended and still holds something that opens"],
            [grant.endedBecause !== undefined, "it has ended without a reason"],
          ]);
  return [...always, ...own, ...refreshFaults(refresh)];
}

function refreshFaults(refresh: Grant["refresh"]): readonly string[] {
  if (!refresh) return [];
  const numbers = refresh.used.map(({ n }) => n);
  const rising = numbers.every((n, at) => at === 0 || n > (numbers[at - 1] ?? 0));
  return broken([
    [refresh.n >= 1, "its refresh token has no number"],
    [rising, "its used refresh tokens are out of order"],
    [numbers.every((n) => n < refresh.n), "a used refresh token is as new as the current one"],
    [!refresh.used.some(({ hash }) => hash === refresh.hash), "its current refresh token is marked as used"],
  ]);
}

export const epochFaults = ({ instant }: EpochRecord, { now }: StoredTimes): readonly string[] =>
  broken([[instant <= now + skew, "a kill switch is set in the future and would end grants that have not begun"]]);

export function keyringFaults({ keys }: KeyringRecord): readonly string[] {
  const active = keys.filter(({ state }) => state === "active").length;
  const next = keys.filter(({ state }) => state === "next").length;
  return broken([
    [active === 1, `${active} signing keys are active`],
    [next <= 1, `${next} signing keys are next`],
    [new Set(keys.map(({ kid }) => kid)).size === keys.length, "two signing keys have one name"],
  ]);
}

export const transactionFaults = (_: Transaction, { expiresAt, now }: StoredTimes): readonly string[] =>
  broken([[expiresAt <= now + longestTransaction + skew, "a sign-in may be finished for too long"]]);
