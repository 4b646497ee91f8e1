import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { endGrant } from "../../src/grants/index.ts";
import { backupSqlite, deriveRootKeys, type RootKeys, restoreSqliteStore, sqliteStore } from "../../src/index.ts";
import {
  assertionIdKind,
  consentMarkKind,
  epochId,
  epochKind,
  type Grant,
  grantKind,
  keyringKind,
  type RecordKind,
  recordStore,
  transactionKind,
} from "../../src/records/index.ts";
import { silentLogger, systemClock, systemRandom } from "../../src/runtime/index.ts";
import { secretA as a, secretB as b, testReplica } from "../grants/test-replica.ts";
import { testPool } from "../support/test-pool.ts";

const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
const ttl = 600_000;

async function room(keys: RootKeys = deriveRootKeys([a])) {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-restore-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const [path, backup] = [join(folder, "store.db"), join(folder, "backup.db")];
  const store = await sqliteStore({ ...deps, path });
  onTestFinished(() => store.close());
  return {
    store,
    replica: testReplica({ clock: systemClock, pool: testPool(systemClock), store }),
    records: <T extends object>(kind: RecordKind<T>) => recordStore(kind, { store, keys, random: systemRandom }),
    backup: () => backupSqlite({ ...deps, path, target: backup }),
    restore: (opening: RootKeys = keys) => restoreSqliteStore({ ...deps, path, backup, keys: opening }),
  };
}

const states = async (one: Awaited<ReturnType<typeof room>>, ids: readonly string[]): Promise<unknown[]> =>
  Promise.all(ids.map(async (id) => (await one.records<Grant>(grantKind).get(id))?.value.state));

test("a grant that has ended since stays so; what was live is live; what waited for its code does not come back", async () => {
  const one = await room();
  const [ended, live] = [await one.replica.signIn(), await one.replica.signIn()];
  const waiting = await one.replica.code();
  await one.backup();
  await one.records(grantKind).delete(live.grantId);
  await one.replica.redeem(waiting.code);
  await one.replica.epochs.set({ user: "nobody" });
  await endGrant(one.replica.deps, ended.grantId, "grant_revoked");
  await one.restore();
  expect(await states(one, [ended.grantId, live.grantId, waiting.grantId])).toEqual(["ended", "live", undefined]);
  // Whoever holds the code cannot use it again.
  await expect(one.replica.redeem(waiting.code)).rejects.toMatchObject({ reason: "code_unknown" });
});

test("kill switches, signing keys, answered forms and used assertions stay as they are; sign-ins under way are over", async () => {
  const one = await room();
  const key = { kty: "EC", crv: "P-256", x: "x", y: "y", d: "d" } as const;
  const ring = (kid: string) => ({ keys: [{ kid, state: "active" as const, createdAt: 1, privateJwk: key }] });
  const all = epochId(deriveRootKeys([a]).active, "all");
  const request = { clientId: "c", redirectUri: "r", codeChallenge: "c", resource: "r", scopes: ["read"] };
  const transaction = { request, consent: { by: "user" as const }, cookieHash: "h", codeVerifier: "v", nonce: "n" };
  const form = { decision: "deny" as const, location: "https://app.example/" };

  await one.records(keyringKind).put("main", ring("old"), { ttl });
  await one.records(epochKind).put(all, { instant: 1, name: "all" }, { ttl });
  await one.records(transactionKind).put("t", transaction, { ttl });
  await one.backup();
  await one.records(keyringKind).put("main", ring("new"), { ttl });
  await one.records(epochKind).put(all, { instant: 2, name: "all" }, { ttl });
  await one.records(transactionKind).take("t");
  await one.records(consentMarkKind).put("m", form, { ttl });
  await one.records(assertionIdKind).put("j", { usedAt: 1 }, { ttl });

  expect(await one.restore()).toEqual({ restored: 0, kept: 4 });
  expect((await one.records(keyringKind).get("main"))?.value.keys[0]?.kid).toBe("new");
  expect((await one.records(epochKind).get(all))?.value.instant).toBe(2);
  expect(await one.records(transactionKind).get("t")).toBeUndefined();
  expect(await one.records(consentMarkKind).get("m")).toBeDefined();
  expect(await one.records(assertionIdKind).get("j")).toBeDefined();
});

test("a backup that the secrets do not open is refused, and nothing is changed", async () => {
  const one = await room();
  const { grantId } = await one.replica.signIn();
  await one.backup();
  await one.replica.signIn();
  await expect(one.restore(deriveRootKeys([b]))).rejects.toThrow(
    /^1 records of the backup cannot be read with these settings, and nothing was changed: .*root secret/,
  );
  expect((await one.store.scan()).keys).toHaveLength(2);
  await one.restore(deriveRootKeys([b, a]));
  expect(await states(one, [grantId])).toEqual(["live"]);
  expect((await one.store.scan()).keys).toHaveLength(1);
});
