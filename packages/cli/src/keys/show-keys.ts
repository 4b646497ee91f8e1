import { checkStore, type KeyringStatus, type KeyStatus, type StoreReport } from "sallyport";
import { writeLine } from "../process/output.ts";
import { noKeysYet, withKeys } from "./open-keys.ts";
import { minuteOf } from "./times.ts";

/** A root secret of the settings, and what in the store still needs it. */
interface RootSecret {
  readonly id: string;
  readonly active: boolean;
  readonly records: number;
  readonly refreshTokens: number;
  /** From when on nothing needs it, ms; undefined for the active one, and while records need it. */
  readonly freeFrom: number | undefined;
}

interface Status extends KeyringStatus {
  readonly rootSecrets: readonly RootSecret[];
  readonly report: StoreReport;
}

/**
 * `sallyport keys status`: every signing key and what happens to it next, and for every root secret what still needs it.
 * @returns the exit status
 * @throws CommandFailure for settings or a store that cannot be used, and where there are no keys
 */
export async function showKeys(options: { readonly config?: string; readonly json?: boolean }): Promise<number> {
  return withKeys(options, async ({ management, identity, ...opened }) => {
    const main = await management.status();
    if (!main) throw noKeysYet();
    const beside = await identity.status();
    const keyring = {
      ...main,
      keys: [...main.keys, ...(beside?.keys ?? [])],
      sealedByActive: main.sealedByActive && (beside?.sealedByActive ?? true),
    };
    const report = await checkStore(opened);
    const now = opened.clock.now();
    const rootSecrets = opened.keys.all.map(({ kid }, index) => rootSecret(kid, index === 0, report, now));
    const status = { ...keyring, rootSecrets, report };
    for (const line of options.json ? [asJson(status)] : asText(status, now)) writeLine(line);
    return 0;
  });
}

function rootSecret(id: string, active: boolean, { secrets }: StoreReport, now: number): RootSecret {
  const { records, refreshTokens, lastEnd } = secrets[id] ?? { records: 0, refreshTokens: 0, lastEnd: 0 };
  const freeFrom = active || records > 0 ? undefined : Math.max(now, lastEnd);
  return { id, active, records, refreshTokens, freeFrom };
}

const asJson = ({ keys, sealedUnder, sealedByActive, rootSecrets, report }: Status): string => {
  const iso = (at: number): string => new Date(at).toISOString();
  return JSON.stringify(
    {
      keys: keys.map(({ kid, state, since, change }) => ({
        kid,
        state,
        since: iso(since),
        next_change: { what: change.what, at: iso(change.at) },
      })),
      sealed_under: sealedUnder,
      sealed_by_active: sealedByActive,
      root_secrets: rootSecrets.map(({ id, active, records, refreshTokens, freeFrom }) => ({
        id,
        active,
        records,
        refresh_tokens: refreshTokens,
        free_from: freeFrom === undefined ? null : iso(freeFrom),
      })),
      records_sealed_under: report.sealedUnder,
      unreadable_records: report.unreadable,
    },
    null,
    2,
  );
};

const changes: Readonly<Record<KeyStatus["change"]["what"], string>> = {
  successor_published: "its successor is published",
  signs: "signs",
  retires: "retires",
  goes: "goes",
};

function* asText({ keys, sealedUnder, sealedByActive, rootSecrets, report }: Status, now: number): Generator<string> {
  const width = Math.max(...keys.map(({ kid }) => kid.length));
  yield row("key".padEnd(width), "state", "since", "what comes next");
  for (const { kid, state, since, change } of keys) {
    yield row(kid.padEnd(width), state, minuteOf(since), `${changes[change.what]} ${minuteOf(change.at)}`);
  }
  const index = rootSecrets.findIndex(({ id }) => id === sealedUnder);
  const place =
    index < 0 ? `AWS KMS (${sealedUnder})` : `root secret ${index + 1} of ${rootSecrets.length} (${sealedUnder})`;
  yield sealedByActive
    ? `sealed under ${place}, the one that writes`
    : `sealed under ${place}: leave it in the settings until a server has been started with the new one first`;
  for (const [kid, count] of Object.entries(report.sealedUnder)) {
    if (!rootSecrets.some(({ id }) => id === kid)) yield `AWS KMS (${kid}): seals ${counted(count, "record")}`;
  }
  for (const [n, secret] of rootSecrets.entries()) {
    const { id, records, refreshTokens } = secret;
    const needs = `${counted(records, "record")}, ${counted(refreshTokens, "refresh token")} in use`;
    yield `root secret ${n + 1} of ${rootSecrets.length} (${id}): ${needs}; ${verdict(secret, now)}`;
  }
  if (report.unreadable > 0) {
    yield `${counted(report.unreadable, "record")} cannot be read with these settings; \`sallyport store check\` names them`;
  }
}

function verdict({ active, records, freeFrom }: RootSecret, now: number): string {
  if (active) return "it writes";
  if (freeFrom === undefined)
    return `run \`sallyport keys reseal\`: ${records === 1 ? "that record needs" : "those records need"} it`;
  if (freeFrom <= now) return "it may be taken out now";
  return `it may be taken out from ${minuteOf(freeFrom)}, or when the tokens have been used: each use gives one of the active secret`;
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

const row = (kid: string, state: string, since: string, change: string): string =>
  `${kid}  ${state.padEnd(7)}  ${since.padEnd(20)}  ${change}`;
