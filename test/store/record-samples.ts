import type { RootKeys } from "../../packages/core/src/crypto/index.ts";
import {
  assertionIdKind,
  clientDocumentKind,
  clientKind,
  consentMarkKind,
  epochKind,
  type Grant,
  grantKind,
  keyringKind,
  type RecordKind,
  recordCodec,
  registrationSlotKind,
  rememberedConsentsKind,
  type Transaction,
  transactionKind,
  type Upstream,
} from "../../packages/core/src/records/index.ts";
import { systemRandom } from "../../packages/core/src/runtime/index.ts";

/** The root secret under which every fixture is sealed. */
export const fixtureSecret = "the-root-secret-of-the-fixtures-0123456789ABCDEF";

/** A kind with records that show each of its forms and every field that it may have. */
export interface Samples {
  readonly kind: string;
  /** In which this release writes it. */
  readonly version: number;
  readonly values: readonly object[];
  /** Fields that nobody may read in the store. */
  readonly sealed: readonly string[];
  /** The key and the stored text of the value at this place in the list. */
  seal(keys: RootKeys, index: number): Promise<{ readonly key: string; readonly text: string }>;
  open(keys: RootKeys, key: string, text: string): Promise<object>;
}

function samplesOf<T extends object>(kind: RecordKind<T>, ...values: readonly T[]): Samples {
  const codec = (keys: RootKeys) => recordCodec(kind, { keys, random: systemRandom });
  return {
    kind: kind.kind,
    version: kind.version,
    values,
    sealed: kind.sealed,
    async seal(keys, index) {
      const value = values[index];
      if (!value) throw new RangeError(`there are ${values.length} samples`);
      const key = codec(keys).keyOf(`fixture ${index}`);
      return { key, text: await codec(keys).encode(key, value) };
    },
    open: async (keys, key, text) => (await codec(keys).decode(key, text)).value,
  };
}

const day = 86_400_000;
const begin = Date.UTC(2026, 0, 1);
const hash = (name: string): string => name.padEnd(43, "_");

const sub = "5a11e000-0000-4000-8000-000000000001";
const user: Upstream = {
  kind: "cognito_session",
  identity: {
    sub,
    username: "alice",
    groups: ["mcp-admins"],
    email: "alice@example.com",
    emailVerified: true,
    claims: { "custom:department": "demo" },
  },
  refreshToken: "a refresh token of Cognito's",
  verifiedAt: begin,
  renewAt: begin + 600_000,
};

const grant: Omit<Grant, "state"> = {
  principal: "user",
  createdAt: begin,
  clientId: "client-1",
  resource: "https://mcp.example/clock/mcp",
  scopes: ["mcp/read"],
  absoluteUntil: begin + 30 * day,
};

const code = {
  hash: hash("code"),
  challenge: hash("challenge"),
  redirectUri: "https://app.example/",
  expiresAt: begin,
};
const used = { n: 1, hash: hash("one"), kid: "rootkey1", salt: "c2FsdA", usedAt: begin };
const refresh = { n: 2, hash: hash("two"), kid: "rootkey1", idleUntil: begin + day, used: [used] };
const key = { kty: "EC", crv: "P-256", x: "x", y: "y", d: "d" } as const;

const request: Transaction["request"] = {
  clientId: "client-1",
  redirectUri: "https://app.example/",
  state: "state of the client",
  codeChallenge: hash("challenge"),
  resource: "https://mcp.example/clock/mcp",
  scopes: ["mcp/read"],
  prompt: "login",
  loginHint: "alice@example.com",
};
const transaction = { request, cookieHash: hash("cookie"), codeVerifier: hash("verifier"), nonce: hash("nonce") };

/** As each kind is kept by this release. */
export const samples: readonly Samples[] = [
  samplesOf(
    grantKind,
    { ...grant, clientScopes: ["mcp/read"], state: "code_issued", code, upstream: user },
    {
      ...grant,
      state: "live",
      code: { ...code, redeemedAt: begin },
      refresh,
      upstream: user,
      lease: { holder: "a replica", until: begin + 10_000 },
    },
    {
      ...grant,
      principal: "machine",
      state: "live",
      upstream: { kind: "cognito_client", clientId: "machine-1", until: begin + 3_600_000 },
    },
    {
      ...grant,
      principal: "machine",
      state: "live",
      upstream: { kind: "registered_key", clientId: "robot" },
    },
    { ...grant, state: "ended", endedBecause: "refresh_reused" },
  ),
  samplesOf(epochKind, { instant: begin, name: "all" }, { instant: begin, name: `user ${sub}` }),
  samplesOf(keyringKind, {
    keys: [
      { kid: "one", state: "retired", createdAt: begin, privateJwk: key },
      { kid: "two", state: "active", createdAt: begin, since: begin + day, privateJwk: key },
      { kid: "three", state: "next", createdAt: begin, requested: true, privateJwk: key },
    ],
  }),
  samplesOf(
    transactionKind,
    { ...transaction, consent: { by: "user" } },
    { ...transaction, consent: { by: "configuration" } },
    { ...transaction, consent: { by: "memory", user: "sub" } },
  ),
  samplesOf(
    consentMarkKind,
    { decision: "approve", location: "https://pool.example/", transaction: { handle: "handle", cookie: "cookie" } },
    { decision: "deny", location: "https://app.example/?error=access_denied" },
  ),
  samplesOf(clientKind, {
    metadata: { client_id: "client-1", client_name: "Client", redirect_uris: ["https://app.example/"] },
    secretHash: hash("secret"),
    issuedAt: begin / 1000,
    used: true,
  }),
  samplesOf(registrationSlotKind, { clientId: "client-1" }),
  samplesOf(
    clientDocumentKind,
    {
      state: "valid",
      body: '{"client_id":"https://app.example/client.json"}',
      knownSince: begin,
      checkedAt: begin,
      lifetime: 3_600_000,
      etag: '"1"',
      lastModified: "Thu, 01 Jan 2026 00:00:00 GMT",
    },
    { state: "refused", knownSince: begin, checkedAt: begin },
  ),
  samplesOf(rememberedConsentsKind, {
    user: sub,
    approvals: [
      {
        id: "approval",
        clientId: "client-1",
        clientName: "Client",
        redirectUri: "https://app.example/",
        resource: "https://mcp.example/clock/mcp",
        scopes: ["mcp/read"],
        approvedAt: begin,
      },
    ],
  }),
  samplesOf(assertionIdKind, { usedAt: begin }),
];
