import { beforeEach, describe, expect, test } from "vitest";
import { steppingClock } from "../../test/support/stepping-clock.ts";
import { deriveRootKeys } from "../crypto/index.ts";
import { systemRandom } from "../runtime/index.ts";
import { memoryStore, type Store } from "../store/index.ts";
import {
  clientKind,
  consentMarkKind,
  type Grant,
  grantKind,
  keyringKind,
  recordStore,
  transactionKind,
  UnreadableRecord,
} from "./index.ts";
import type { RecordKind } from "./record-codec.ts";

const [a, b] = ["A".repeat(43), "B".repeat(43)];
const ttl = 60_000;

const grant: Grant = {
  state: "live",
  principal: "user",
  createdAt: 1,
  clientId: "client-1",
  resource: "https://mcp.example/clock/mcp",
  scopes: ["read"],
  absoluteUntil: 2,
  upstream: {
    kind: "cognito_session",
    identity: {
      sub: "sub-of-alice",
      username: "name-of-alice",
      groups: ["group-of-alice"],
      email: "alice@example.com",
      claims: { "custom:department": "secret-department" },
    },
    refreshToken: "cognito-refresh-token",
    verifiedAt: 1,
    renewAt: 2,
  },
};

let store: Store;
/** Everything that reached the store, keys and index hints included. */
let written: string[];
beforeEach(() => {
  const memory = memoryStore({ clock: steppingClock(), random: systemRandom });
  written = [];
  store = {
    ...memory,
    put: (...args) => {
      written.push(JSON.stringify(args));
      return memory.put(...args);
    },
    swap: (...args) => {
      written.push(JSON.stringify(args));
      return memory.swap(...args);
    },
  };
});

const records = <T extends object>(kind: RecordKind<T>, secrets: readonly string[] = [a]) =>
  recordStore(kind, { store, keys: deriveRootKeys(secrets), random: systemRandom });

/** The one key that was written to. */
function keyWritten(): string {
  const [key]: unknown[] = JSON.parse(written[0] ?? "[]");
  if (typeof key !== "string") throw new Error("nothing was written");
  return key;
}

/** Changes the stored text as somebody would who may write to the store and knows no secret. */
async function tamper(change: (record: Record<string, unknown>) => unknown): Promise<void> {
  const entry = await store.get(keyWritten());
  await store.put(keyWritten(), JSON.stringify(change(JSON.parse(entry?.value ?? ""))), { ttl });
}

describe("what the store sees", () => {
  test("a grant comes back as it was, and neither its handle nor anything of the user is readable", async () => {
    const grants = records(grantKind);
    await grants.put("grant-handle", grant, { ttl });
    const stored = await grants.get("grant-handle");
    expect(stored?.value).toEqual(grant);
    await grants.swap("grant-handle", stored?.version ?? "", grant, { ttl });
    expect(written).toHaveLength(2);
    for (const secret of ["grant-handle", "cognito-refresh-token", "alice", "secret-department", a]) {
      expect(written.join("\n")).not.toContain(secret);
    }
    // What decides is readable, so that this test looks at the right text.
    expect(written.join("\n")).toContain("client-1");
  });

  test("nor a transaction's verifier, nonce or request", async () => {
    const request = {
      clientId: "client-1",
      redirectUri: "http://127.0.0.1:9/cb",
      state: "client-state",
      codeChallenge: "client-challenge",
      resource: "https://mcp.example/clock/mcp",
      scopes: ["read"],
      loginHint: "alice@example.com",
    };
    const consent = { by: "memory", user: "remembered-sub" } as const;
    const transaction = { request, consent, cookieHash: "hash", codeVerifier: "own-verifier", nonce: "own-nonce" };
    await records(transactionKind).put("state-handle", transaction, { ttl });
    const secrets = ["state-handle", "client-state", "client-challenge", "alice", "own-verifier", "own-nonce"];
    for (const secret of [...secrets, "remembered-sub"]) expect(written.join("\n")).not.toContain(secret);
    expect(await records(transactionKind).take("state-handle")).toEqual(transaction);
    expect(await records(transactionKind).take("state-handle")).toBeUndefined();
  });

  test("nor a consent's transaction, nor a private key", async () => {
    const transaction = { handle: "state-handle", cookie: "cookie-value" };
    await records(consentMarkKind).put(
      "form",
      { decision: "approve", location: "https://pool/?state=x", transaction },
      { ttl },
    );
    const privateJwk = { kty: "EC", crv: "P-256", x: "xx", y: "yy", d: "private-part" } as const;
    await records(keyringKind).put(
      "main",
      { keys: [{ kid: "k", state: "active", createdAt: 1, privateJwk }] },
      { ttl },
    );
    for (const secret of ["state-handle", "cookie-value", "state=x", "private-part"]) {
      expect(written.join("\n")).not.toContain(secret);
    }
  });

  test("two records with the same content look different", async () => {
    await records(grantKind).put("one", grant, { ttl });
    await records(grantKind).put("two", grant, { ttl });
    const sealed = written.map((text) => /\\"upstream\\":\\"([^"\\]+)/.exec(text)?.[1]);
    expect(sealed[0]).toBeDefined();
    expect(sealed[0]).not.toBe(sealed[1]);
  });
});

describe("a change of root secrets", () => {
  test("the old one listed second still reads; what is written anew needs it no more", async () => {
    await records(grantKind, [a]).put("1", grant, { ttl });
    const during = records(grantKind, [b, a]);
    const stored = await during.get("1");
    expect(stored?.value).toEqual(grant);
    await expect(records(grantKind, [b]).get("1")).rejects.toThrow(UnreadableRecord);
    await during.swap("1", stored?.version ?? "", grant, { ttl });
    expect((await records(grantKind, [b]).get("1"))?.value).toEqual(grant);
  });

  test("a missing secret is told, never taken for an absent record", async () => {
    await records(grantKind, [a]).put("1", grant, { ttl });
    const without = records(grantKind, [b]);
    await expect(without.get("1")).rejects.toThrow(/root secret .* not in the setting "secret"/);
    await expect(without.take("1")).rejects.toThrow(UnreadableRecord);
    expect(await without.get("2")).toBeUndefined();
  });

  test("it concerns records without a sealed field as well", async () => {
    const client = { metadata: {}, issuedAt: 1, used: false };
    await records(clientKind, [a]).put("1", client, { ttl });
    await expect(records(clientKind, [b]).get("1")).rejects.toThrow(UnreadableRecord);
  });
});

describe("a record that was changed in the store is not read", () => {
  beforeEach(() => records(grantKind).put("1", grant, { ttl }));

  test.each<[string, RegExp, (record: Record<string, unknown>) => unknown]>([
    ["not a record", /form of a record/, () => "hello"],
    ["an unknown member", /form of a record/, (record) => ({ ...record, x: 1 })],
    ["another version", /version is 2, this release reads 1/, (record) => ({ ...record, v: 2 })],
    ["another key id", /root secret unknown0/, (record) => ({ ...record, k: "unknown0" })],
    ["another data key", /data key/, (record) => ({ ...record, d: "AAAA" })],
    [
      "a sealed field that does not open",
      /field upstream does not open/,
      (record) => ({ ...record, s: { upstream: "AAAA" } }),
    ],
    [
      "a plain field of the wrong type",
      /fields are wrong: scopes/,
      (record) => ({ ...record, f: { ...grant, upstream: undefined, scopes: 1 } }),
    ],
  ])("%s", async (_, message, change) => {
    await tamper(change);
    const read = records(grantKind).get("1");
    await expect(read).rejects.toThrow(UnreadableRecord);
    await expect(read).rejects.toThrow(message);
    expect(await read.catch(String)).not.toContain("alice");
  });

  test("a field that must be sealed and stands there in the clear: nobody without the root secret can plant one", async () => {
    await tamper((record) => ({ ...record, f: { ...grant }, s: {} }));
    await expect(records(grantKind).get("1")).rejects.toThrow(/field upstream is not sealed/);
  });

  test("a sealed field or data key of another record", async () => {
    const before = await store.get(keyWritten());
    written.length = 0;
    await records(grantKind).put("2", { ...grant, clientId: "client-2" }, { ttl });
    const { d, s } = JSON.parse(before?.value ?? "");
    await tamper((record) => ({ ...record, s }));
    await expect(records(grantKind).get("2")).rejects.toThrow(/field upstream/);
    await tamper((record) => ({ ...record, d, s }));
    await expect(records(grantKind).get("2")).rejects.toThrow(/data key/);
  });
});
