import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Random, type Store, systemRandom } from "sallyport";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { secretHash } from "../../packages/core/src/clients/secret-hash.ts";
import { freePort, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { type OtlpCollector, startCollector } from "../support/otlp-collector.ts";
import { driveEverything, planted, resourceServer, robot } from "./drive-everything.ts";
import { type Exchange, recordingFetch } from "./recorded-exchanges.ts";
import { collectSecrets, findLeaks, type Output, outputsOf, type Secrets } from "./secrets.ts";

const realFetch = globalThis.fetch;
/** What browsers and clients sent and got. */
const exchanges: Exchange[] = [];
/** What the gateway sent to Cognito and got. */
const upstreamExchanges: Exchange[] = [];
/** What reached the MCP server behind the gateway. */
const forwarded: Output[] = [];
/** What was written past the logger. */
const printed: Output[] = [];
const randomValues = new Set<string>();

const random: Random = {
  ...systemRandom,
  bytes(length) {
    const bytes = systemRandom.bytes(length);
    if (length >= 16) {
      randomValues.add(Buffer.from(bytes).toString("base64url"));
      randomValues.add(Buffer.from(bytes).toString("hex"));
    }
    return bytes;
  },
};

let storeFails: Error | undefined;
/** A store that can be told to fail. */
const failing = (store: Store): Store =>
  new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...args: unknown[]): unknown => {
        if (storeFails && name !== "close") throw storeFails;
        return Reflect.apply(member, target, args);
      };
    },
  });

/** An MCP server that writes down what it is sent. */
async function startListener(): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((req, res) => {
    let body = "";
    req.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    req.on("end", () => {
      secrets.set(String(req.headers["x-sallyport-identity"]), "credential of the gateway's own");
      forwarded.push({ place: "request to the MCP server", text: `${req.url}\n${req.rawHeaders.join("\n")}\n${body}` });
      res.setHeader("content-type", "application/json");
      res.end(JSON.stringify({ jsonrpc: "2.0", id: 1, result: {} }));
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

let env: TestEnvironment;
let collector: OtlpCollector;
let folder: string;
/** What operators see besides log and audit: metrics, the access log, traces. */
const telemetry: Output[] = [];
/** What the servers behind the gateway want to see. */
const secretHeader = { name: "X-Api-Key", value: "key-of-the-servers-0123456789abcdefgh" };
const collectorKey = "key-of-the-collector-0123456789abcdefgh";
let listener: Awaited<ReturnType<typeof startListener>>;
const secrets: Secrets = new Map();

beforeAll(async () => {
  vi.stubGlobal("fetch", recordingFetch(realFetch, exchanges));
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, "write").mockImplementation((text) => {
      printed.push({ place: "printed", text: String(text) });
      return true;
    });
  }
  for (const level of ["debug", "info", "log", "warn", "error"] as const) {
    vi.spyOn(console, level).mockImplementation((...args) => {
      printed.push({ place: `console.${level}`, text: args.map(String).join(" ") });
    });
  }
  listener = await startListener();
  collector = await startCollector();
  folder = await mkdtemp(join(tmpdir(), "secrets-in-logs-"));
  const accessLog = join(folder, "access.jsonl");
  const nobody = `http://127.0.0.1:${await freePort()}/mcp`;
  env = await startEnvironment({
    runtime: { random, fetch: recordingFetch(realFetch, upstreamExchanges) },
    wrapStore: failing,
    change: (settings) => ({
      ...settings,
      servers: [
        ...(settings.servers ?? []),
        { name: "listener", url: listener.url, requiredScopes: ["mcp/read"], secretHeader, identityAssertion: {} },
        { name: "gone", url: nobody, requiredScopes: ["mcp/read"], secretHeader, identityAssertion: {} },
      ],
      telemetry: {
        metrics: "public",
        accessLog,
        otlp: { endpoint: collector.url, sampleRatio: 1, headers: { "x-api-key": collectorKey } },
      },
      machines: { ...settings.machines, robot: { scopes: ["mcp/read"], jwks: { keys: [robot.jwk] } } },
      resourceServers: {
        [resourceServer.id]: { secretHashes: [secretHash(resourceServer.secret)], resources: ["/clock/mcp"] },
      },
    }),
  });
  await driveEverything(env, (failure) => {
    storeFails = failure;
  });
  telemetry.push({ place: "metrics", text: await (await realFetch(`${env.url}/metrics`)).text() });
  await env.close();
  vi.restoreAllMocks();
  telemetry.push({ place: "access log", text: await readFile(accessLog, "utf8") });
  telemetry.push(...collector.bodies.map((text) => ({ place: "collector", text })));

  const all = [...exchanges, ...upstreamExchanges];
  collectSecrets(all, env.url, secrets);
  for (const secret of [env.settings.secret ?? []].flat()) secrets.set(secret, "root secret");
  const { clientSecret } = env.settings.cognito;
  if (clientSecret) secrets.set(clientSecret, "client secret");
  secrets.set(env.machine.clientSecret, "client secret");
  secrets.set(resourceServer.secret, "client secret");
  secrets.set(planted, "planted");
  secrets.set(secretHeader.value, "credential of the gateway's own");
  secrets.set(collectorKey, "credentials in a header");
});
afterAll(async () => {
  vi.unstubAllGlobals();
  await listener?.close();
  await collector?.close();
  if (folder !== undefined) await rm(folder, { recursive: true });
});

const ofServer = () => exchanges.filter(({ url }) => url.origin === env.url);
const logged = (): readonly Output[] => [
  ...env.log.map((text) => ({ place: "log", text })),
  ...env.cognitoLog.map((text) => ({ place: "emulator's log", text })),
  ...env.audit.map((event) => ({ place: `audit ${event.action}`, text: JSON.stringify(event) })),
  ...printed,
  ...telemetry,
];

describe("no token, code, secret, cookie or verifier leaves its place", () => {
  test("the flow was really driven: every kind of secret occurred, and every step and failure is on record", () => {
    expect(new Set(secrets.values())).toEqual(
      new Set([
        "access token",
        "refresh token",
        "authorization code",
        "client assertion",
        "client secret",
        "PKCE verifier",
        "page cookie",
        "transaction cookie",
        "user cookie",
        "sealed form",
        "sealed list",
        "state of the client",
        "state for Cognito",
        "nonce for Cognito",
        "password",
        "root secret",
        "Cognito cookie",
        "Cognito code",
        "Cognito token",
        "Cognito form field",
        "credentials in a header",
        "credential of the gateway's own",
        "planted",
      ]),
    );
    const reasons = new Set<string | undefined>(env.audit.map(({ reason }) => reason));
    for (const reason of [
      "consent_denied",
      "consent_form_invalid",
      "consent_form_used",
      "consent_wrong_browser",
      "consent_cookie_missing",
      "consent_other_user",
      "logout_target_not_allowed",
      "transaction_cookie_missing",
      "transaction_unknown",
      "provider_denied",
      "provider_refused",
      "provider_unavailable",
      "provider_misconfigured",
      "client_auth_failed",
      "client_assertion_invalid",
      "client_assertion_replayed",
      "upstream_server_unreachable",
    ]) {
      expect(reasons, reason).toContain(reason);
    }
    const actions = new Set<string>(env.audit.map(({ action }) => action));
    for (const action of ["signin.completed", "token.issued", "token.refreshed", "grant.ended", "request.allowed"]) {
      expect(actions, action).toContain(action);
    }
    expect(env.log.length).toBeGreaterThan(20);
    expect(env.cognitoLog.join("\n")).toContain("sign-in refused");
    expect(forwarded.length).toBeGreaterThan(0);
    const statuses = new Set(ofServer().map(({ status }) => status));
    for (const status of [200, 201, 302, 400, 401, 403, 404, 405, 500, 502, 503]) expect(statuses).toContain(status);
  });

  test("not into logs, audit events, metrics, traces, the access log or output", () => {
    expect(telemetry.find(({ place }) => place === "access log")?.text.split("\n").length).toBeGreaterThan(100);
    expect(collector.spans().length).toBeGreaterThan(50);
    expect(collector.headers.some((headers) => headers["x-api-key"] === collectorKey)).toBe(true);
    expect(findLeaks(secrets, logged())).toEqual([]);
  });

  test("not into answers, headers and bodies, where it does not belong", () => {
    expect(findLeaks(secrets, ofServer().flatMap(outputsOf))).toEqual([]);
  });

  test("not to the MCP servers", () => {
    const theirs = new Set(["planted", "credential of the gateway's own"]);
    const caller = new Map([...secrets].filter(([, kind]) => !theirs.has(kind)));
    expect(forwarded.every(({ text }) => text.includes(secretHeader.value))).toBe(true);
    expect(findLeaks(caller, forwarded)).toEqual([]);
  });

  test("of the random values, logs and errors hold only those that are names: grants and clients", () => {
    const names = new Set<string>();
    for (const { url, status, body } of ofServer()) {
      if (url.pathname === "/register" && status === 201) {
        names.add(/"client_id":"([^"]+)"/.exec(body)?.[1] ?? "");
      }
    }
    for (const [secret, kind] of secrets) {
      if (kind === "authorization code" || kind === "refresh token") names.add(secret.split(".")[0] ?? "");
      if (kind !== "access token") continue;
      const claims = Buffer.from(secret.split(".")[1] ?? "", "base64url").toString();
      names.add(/"sid":"([^"]+)"/.exec(claims)?.[1] ?? "");
    }
    const failures = ofServer().filter(({ status }) => status >= 400);
    const text = [...logged(), ...failures.flatMap(outputsOf)].map((output) => output.text).join("\n");
    const drawn = [...randomValues].filter((value) => !names.has(value));
    expect(drawn.length).toBeGreaterThan(100);
    expect(drawn.filter((value) => text.includes(value))).toHaveLength(0);
  });

  test("and a leak would be found, of a whole secret or of its beginning", () => {
    const kinds = new Map([...secrets].map(([secret, kind]) => [kind, secret]));
    for (const [kind, secret] of kinds) {
      const whole = { place: "log", text: `2026-01-01 info  something happened value="${secret}"` };
      expect(findLeaks(secrets, [whole]), kind).toContain(`${kind} in log`);
    }
    const token = kinds.get("Cognito token") ?? "";
    expect(findLeaks(secrets, [{ place: "log", text: token.slice(0, 24) }])).toContain("Cognito token in log");
    const code = kinds.get("authorization code") ?? "";
    const secretPart = code.split(".")[3] ?? "";
    expect(findLeaks(secrets, [{ place: "log", text: secretPart.slice(0, 24) }])).toContain(
      "authorization code in log",
    );
  });
});
