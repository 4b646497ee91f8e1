import { createHash } from "node:crypto";
import { type AuditEvent, memoryAudit } from "../../src/audit/index.ts";
import { type CoreConfigInput, parseCoreConfig } from "../../src/config/index.ts";
import { deriveRootKeys } from "../../src/crypto/index.ts";
import {
  type Epochs,
  type GrantDeps,
  type GrantJudge,
  grantChecks,
  issueCode,
  type LiveGrant,
  parseHandleToken,
  redeemCode,
  rotateRefreshToken,
} from "../../src/grants/index.ts";
import type { IdentityProvider } from "../../src/identity/index.ts";
import { grantKind, recordStore } from "../../src/records/index.ts";
import { type Clock, createLogger, systemRandom } from "../../src/runtime/index.ts";
import { memoryStore, type Store } from "../../src/store/index.ts";
import type { TestPool } from "../support/test-pool.ts";

const secretOf = (name: string): string => createHash("sha256").update(name).digest("base64url");
export const secretA = secretOf("A");
export const secretB = secretOf("B");

export const testClientId = "test-client";
export const testResource = "https://mcp.example/clock/mcp";
export const testRedirect = "http://127.0.0.1:9/callback";
export const codeVerifier = "v".repeat(43);
export const codeChallenge = createHash("sha256").update(codeVerifier).digest("base64url");

/** Settings with one resource and three scopes, each of which includes the one before. */
export const testSettings = (more: Partial<CoreConfigInput> = {}): CoreConfigInput => ({
  baseUrl: "https://mcp.example",
  cognito: {
    userPoolId: "eu-central-1_Test00001",
    clientId: "app",
    clientSecret: null,
    domain: "https://pool.example",
  },
  resources: [{ path: "/clock/mcp" }],
  scopes: { read: {}, write: { includes: ["read"] }, admin: { includes: ["write"] } },
  groups: { admins: ["admin"], readers: ["read"] },
  clients: { [testClientId]: { name: "Test client", redirectUris: [testRedirect] } },
  secret: [secretA],
  store: "memory:",
  ...more,
});

/** One replica's grants over a store, without HTTP. */
export interface TestReplica {
  readonly deps: GrantDeps;
  readonly judge: GrantJudge;
  readonly epochs: Epochs;
  readonly settled: () => Promise<void>;
  readonly audit: readonly AuditEvent[];
  readonly log: readonly string[];
  /** A code for a fresh sign-in. */
  code(): Promise<{ readonly code: string; readonly grantId: string }>;
  /** A whole sign-in: code issued and redeemed. */
  signIn(): Promise<LiveGrant & { readonly refreshToken: string }>;
  redeem(code: string, more?: Partial<Parameters<typeof redeemCode>[1]>): Promise<LiveGrant>;
  /** Presents a refresh token and answers the one that follows. */
  rotate(token: string): Promise<string>;
}

export function testReplica(options: {
  readonly clock: Clock;
  readonly pool: TestPool;
  readonly store?: Store;
  /** Default: the pool's own. */
  readonly identityProvider?: IdentityProvider;
  readonly secrets?: readonly string[];
  readonly tokens?: CoreConfigInput["tokens"];
  /** What every random fraction is. */
  readonly fraction?: number;
  /** Default: every machine is configured. */
  readonly isMachine?: GrantDeps["isMachine"];
}): TestReplica {
  const { clock, pool, fraction } = options;
  const random = fraction === undefined ? systemRandom : { ...systemRandom, fraction: () => fraction };
  const store = options.store ?? memoryStore({ clock, random });
  const keys = deriveRootKeys(options.secrets ?? [secretA]);
  const { tokens } = parseCoreConfig(testSettings({ tokens: options.tokens }));
  const audit = memoryAudit();
  const log: string[] = [];
  const deps: GrantDeps = {
    store,
    grants: recordStore(grantKind, { store, keys, random }),
    keys,
    identityProvider: options.identityProvider ?? pool.provider,
    tokens,
    exposeCognitoToken: false,
    accessTtlOf: () => tokens.accessTtl,
    isMachine: options.isMachine ?? (() => true),
    clock,
    random,
    logger: createLogger({ level: "debug", write: (line) => log.push(line) }),
    audit,
  };
  const replica: TestReplica = {
    deps,
    ...grantChecks(deps),
    audit: audit.events,
    log,
    code: () =>
      issueCode(deps, {
        clientId: testClientId,
        redirectUri: testRedirect,
        codeChallenge,
        resource: testResource,
        scopes: ["read", "write", "admin"],
        session: pool.signIn(),
      }),
    async signIn() {
      const live = await replica.redeem((await replica.code()).code);
      if (live.refreshToken === undefined) throw new Error("a user's grant without a refresh token");
      return { ...live, refreshToken: live.refreshToken };
    },
    redeem: (code, more = {}) =>
      redeemCode(deps, {
        code,
        clientId: testClientId,
        redirectUri: testRedirect,
        codeVerifier,
        resource: undefined,
        ...more,
      }),
    async rotate(token) {
      const presented = parseHandleToken(token, keys);
      if (!presented) throw new Error("the token's tag is wrong");
      const live = await rotateRefreshToken(deps, presented, () => undefined);
      if (live.refreshToken === undefined) throw new Error("no successor");
      return live.refreshToken;
    },
  };
  return replica;
}

/** The inner reason of a refusal. */
export async function reasonOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "none";
  } catch (error) {
    if (error instanceof Error && "reason" in error) return String(error.reason);
    throw error;
  }
}
