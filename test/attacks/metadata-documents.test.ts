import type { ServerResponse } from "node:http";
import { silentLogger } from "sallyport";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { clientKeys, goodClaims } from "../support/client-keys.ts";
import { type Serve, startDocumentHost } from "../support/document-host.ts";
import { startEnvironment } from "../support/environment.ts";
import { libraryBeside } from "../support/library.ts";
import { authorizeUrl, pkce, postToken, refresh, type TestClient, tokenAnswer } from "../support/oauth-client.ts";
import { type Arena, found, onEachStore } from "./arena.ts";

const host = await startDocumentHost();
afterAll(() => host.close());

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
const redirectUri = "https://client.example/callback";
const configured = "https://client.example/configured";

let named = 0;
/** A client of its own for each test: both stores look at the same host. */
const freshClient = (at = "client.example"): TestClient => {
  named += 1;
  return { clientId: `https://${at}/oauth/${named}.json`, redirectUri };
};
const documentOf = ({ clientId }: TestClient, members: object = {}) => ({
  client_id: clientId,
  client_name: "Client",
  redirect_uris: [redirectUri],
  ...members,
});
/** A client whose document is served, and may be used for a minute. */
const published = (members: object = {}): TestClient => {
  const client = freshClient();
  host.publish(client.clientId, documentOf(client, members), { "cache-control": "max-age=60" });
  return client;
};
const answering =
  (status: number, headers: Record<string, string> = {}, body = ""): Serve =>
  (_, response) =>
    response.writeHead(status, headers).end(body);
const cutOff: Serve = (request) => request.socket.destroy();
const json = { "content-type": "application/json" };

/** Refused at /authorize by a page, never by a redirect. */
async function expectRefusal(arena: Arena, client: TestClient, reason: string): Promise<string> {
  const outcome = await arena.authorize(client);
  const unavailable = reason === "client_document_unavailable";
  expect(outcome).toMatchObject({
    status: unavailable ? 503 : 400,
    error: unavailable ? "temporarily_unavailable" : "invalid_client",
    location: undefined,
    reasons: [reason],
  });
  expect(outcome.headers.get("content-type")).toContain("text/html");
  return outcome.body;
}

onEachStore(
  "attacks §1 client-id metadata documents",
  (arena) => {
    // The fetches of a minute are few; each test has its own.
    beforeEach(() => arena().env.clock.advance(minute));

    describe("attacks §1: a host that is not on the public internet is not asked", () => {
      test.each([
        ["10/8", "10.0.0.1"],
        ["127.0.0.2", "127.0.0.2"],
        ["100.64/10", "100.64.0.1"],
        ["169.254.169.254", "169.254.169.254"],
        ["::ffff:", "::ffff:10.0.0.1"],
        ["::ffff: (attacks §4 BA #9226)", "::ffff:169.254.169.254"],
        ["64:ff9b::", "64:ff9b::a9fe:a9fe"],
        ["6to4", "2002:7f00:1::1"],
        ["Teredo", "2001:0:808:808::3f57:fffe"],
        ["this host", "0.0.0.0"],
        ["loopback", "::1"],
        ["unique local", "fd12:3456::1"],
        ["link local", "fe80::1"],
        ["multicast", "ff02::1"],
      ])("%s: %s", async (_what, address) => {
        const client = freshClient(`inside${named}.client.example`);
        host.publish(client.clientId, documentOf(client));
        host.lead(new URL(client.clientId).hostname, [address]);
        const before = host.connections.length;
        const page = await expectRefusal(arena(), client, "client_document_refused");
        expect(page).not.toContain(address);
        expect(host.connections.length).toBe(before);
      });

      test("nip.io: a public name that leads inside", async () => {
        const client = freshClient("10.0.0.1.nip.example");
        host.lead("10.0.0.1.nip.example", ["10.0.0.1"]);
        await expectRefusal(arena(), client, "client_document_refused");
      });

      test("one private address among public ones", async () => {
        const client = freshClient(`mixed${named}.client.example`);
        host.publish(client.clientId, documentOf(client));
        host.lead(new URL(client.clientId).hostname, ["8.8.8.8", "192.168.1.1"]);
        await expectRefusal(arena(), client, "client_document_refused");
        expect(host.requestsFor(client.clientId)).toBe(0);
      });

      test("rebinding: the name is resolved once, and the connection goes to that very address", async () => {
        const client = freshClient(`rebind${named}.client.example`);
        const { hostname } = new URL(client.clientId);
        host.publish(client.clientId, documentOf(client));
        let asked = 0;
        host.lead(hostname, () => [asked++ === 0 ? "8.8.8.8" : "127.0.0.1"]);
        expect((await arena().authorize(client)).status).toBe(200);
        expect(asked).toBe(1);
        expect(host.connections.at(-1)).toEqual({ address: "8.8.8.8", port: 443, servername: hostname });
        arena().env.clock.advance(hour);
        await expectRefusal(arena(), client, "client_document_refused");
        expect(host.requestsFor(client.clientId)).toBe(1);
      });

      test("a certificate of another name", async () => {
        const client = freshClient("other.example");
        host.publish(client.clientId, documentOf(client));
        await expectRefusal(arena(), client, "client_document_unavailable");
        expect(host.requestsFor(client.clientId)).toBe(0);
      });

      test("the keys of a document are fetched under the same guard", async () => {
        const client = published({
          token_endpoint_auth_method: "private_key_jwt",
          jwks_uri: "https://keys.client.example/jwks",
        });
        host.lead("keys.client.example", ["169.254.169.254"]);
        const { env } = arena();
        const assertion = clientKeys("ES256").assertion(goodClaims(client.clientId, env.url, env.clock.now()));
        const before = host.connections.length;
        const outcome = await arena().outcome(() =>
          postToken(env.url, { grant_type: "refresh_token", refresh_token: "x", ...assertion }),
        );
        expect(outcome).toMatchObject({ status: 503, reasons: ["client_keys_unavailable"] });
        // The document itself, and nothing else.
        expect(host.connections.slice(before).map(({ servername }) => servername)).toEqual(["client.example"]);
      });
    });

    describe("attacks §5.8: an id is judged as it is written, and nothing is resolved for a bad one", () => {
      test.each([
        ["userinfo", "https://claude.ai@client.example/c"],
        ["backslash", "https://claude.ai\\@client.example/c"],
        ["fragment", "https://client.example/c#x"],
        ["%2e", "https://client.example/a/%2e%2e/c"],
        ["dot segment", "https://client.example/a/../c"],
        ["mixed-case scheme", "HTTPS://client.example/c"],
        ["http", "http://client.example/c"],
        ["port", "https://client.example:22/c"],
        ["query", "https://client.example/c?x=1"],
        ["no path", "https://client.example/"],
        ["IPv4 address", "https://127.0.0.1/c"],
        ["decimal IPv4 address", "https://2130706433/c"],
        ["IPv6 address", "https://[::ffff:7f00:1]/c"],
        ["single label", "https://localhost/c"],
      ])("%s", async (_what, clientId) => {
        const before = host.resolved.length;
        await expectRefusal(arena(), { clientId, redirectUri }, "client_document_refused");
        expect(host.resolved.length).toBe(before);
      });
    });

    describe("attacks §1: answers that are no document", () => {
      const told = "TOLD-BY-THE-OTHER-SIDE";
      const longDocument = (client: TestClient, length: number): string => {
        const text = JSON.stringify(documentOf(client, { padding: "" }));
        return text.replace('"padding":""', `"padding":"${"x".repeat(length - text.length)}"`);
      };
      const rows: readonly (readonly [
        what: string,
        serve: (client: TestClient) => Serve,
        reason: string,
        names: string,
      ])[] = [
        ["redirect", () => answering(302, { location: "https://client.example/elsewhere" }), "invalid", "redirects"],
        ["permanent redirect", () => answering(308, { location: "https://169.254.169.254/" }), "invalid", "redirects"],
        ["5 KB and 1 byte", (client) => answering(200, json, longDocument(client, 5121)), "invalid", "5120 bytes"],
        [
          "endless, without a length",
          () => (_, response) => {
            response.writeHead(200, json);
            const more = (): boolean => !response.destroyed && response.write("x".repeat(1024), () => void more());
            more();
          },
          "invalid",
          "5120 bytes",
        ],
        ["coded", () => answering(200, { ...json, "content-encoding": "gzip" }, told), "invalid", "content coding"],
        ["non-JSON", () => answering(200, json, told), "invalid", "not JSON"],
        ["HTML", () => answering(200, { "content-type": "text/html" }, `<p>${told}</p>`), "invalid", "Content-Type"],
        [
          "client_id mismatch",
          (client) => served(client, { client_id: `https://${told}.example/` }),
          "invalid",
          "client_id",
        ],
        ["client_secret inside", (client) => served(client, { client_secret: told }), "invalid", "client_secret"],
        [
          "private JWK inside",
          (client) => served(client, { jwks: { keys: [{ kty: "EC", crv: "P-256", x: "x", y: "y", d: told }] } }),
          "invalid",
          "jwks",
        ],
        [
          "a redirect inside that nobody may have",
          (client) => served(client, { redirect_uris: ["javascript:x"] }),
          "invalid",
          "redirect_uris",
        ],
        ["404", () => answering(404, json, told), "gone", "404"],
        ["410", () => answering(410, json, told), "gone", "410"],
        ["500", () => answering(500, json, told), "unavailable", "500"],
        [
          "bot wall",
          () => answering(403, { "content-type": "text/html", "cf-mitigated": "challenge" }, told),
          "unavailable",
          "403",
        ],
        ["cut off", () => cutOff, "unavailable", "cannot be fetched"],
      ];
      const served = (client: TestClient, members: object): Serve =>
        answering(200, json, JSON.stringify(documentOf(client, members)));

      test.each(rows)("%s", async (_what, serve, reason, names) => {
        const client = freshClient();
        host.serve(client.clientId, serve(client));
        const page = await expectRefusal(arena(), client, `client_document_${reason}`);
        expect(page).toContain(names);
        expect(page).not.toContain(told);
        expect(host.requestsFor("https://client.example/elsewhere")).toBe(0);
      });

      test("5 KB to the byte is not too long", async () => {
        const client = freshClient();
        host.serve(client.clientId, answering(200, json, longDocument(client, 5120)));
        expect((await arena().authorize(client)).status).toBe(200);
      });

      test.each<[string, (response: ServerResponse) => void]>([
        ["head", () => undefined],
        ["body", (response) => response.writeHead(200, { ...json, "content-length": "100" }).write("{")],
      ])("slow %s: three seconds for all of it", async (_what, begin) => {
        const client = freshClient();
        const arrived = Promise.withResolvers<void>();
        host.serve(client.clientId, (_, response) => {
          begin(response);
          arrived.resolve();
        });
        const refused = expectRefusal(arena(), client, "client_document_unavailable");
        await arrived.promise;
        arena().env.clock.advance(3000);
        expect(await refused).toContain("within 3 s");
      });
    });

    describe("what a document says of its client", () => {
      test("attacks §1 HTML in client_name is text", async () => {
        const client = published({ client_name: "<img src=x onerror=alert(1)>" });
        const { body } = await arena().authorize(client);
        expect(body).toContain("&lt;img src=x onerror=alert(1)&gt;");
        expect(body).not.toContain("<img src=x");
      });

      test("attacks §1 a redirect that is not in it is not followed", async () => {
        const outcome = await arena().authorize({ ...published(), redirectUri: "https://evil.example/callback" });
        expect(outcome).toMatchObject({ status: 400, location: undefined, reasons: ["redirect_uri_not_registered"] });
      });

      test("attacks §4 BA #8632 it cannot skip consent", async () => {
        const outcome = await arena().authorize(published({ first_party: true, skip_consent: true }));
        expect(outcome).toMatchObject({ status: 200, location: undefined });
      });
    });

    describe("a spray of unique ids", () => {
      test("attacks §3: 50 anonymous authorize calls with distinct URLs are limited, and write nothing", async () => {
        host.serveAll(/^spray\d+\.evil\.example$/, (request, response) => {
          const client = { clientId: `https://${request.headers.host}${request.url}`, redirectUri };
          response.writeHead(200, json).end(JSON.stringify(documentOf(client)));
        });
        const sprayed = (_: unknown, index: number): TestClient => freshClient(`spray${index}.evil.example`);
        const { calls } = arena().store;
        const [fetched, written] = [host.requests.length, calls.length];
        const outcomes = [];
        for (const client of Array.from({ length: 50 }, sprayed)) outcomes.push(await arena().authorize(client));
        expect(host.requests.length - fetched).toBe(30);
        const refused = outcomes.filter(({ status }) => status === 429);
        expect(refused).toHaveLength(20);
        for (const outcome of refused) {
          expect(outcome).toMatchObject({ error: "temporarily_unavailable", reasons: ["rate_limited"] });
          expect(Number(outcome.headers.get("retry-after"))).toBeGreaterThan(0);
        }
        expect(calls.slice(written).filter(({ operation }) => operation !== "get")).toEqual([]);
      });

      test("at the token endpoint they are limited as well", async () => {
        const statuses = new Set<number>();
        const fetched = host.resolved.length;
        for (let i = 0; i < 15; i++) {
          const client_id = freshClient("token.evil.example").clientId;
          const form = { grant_type: "refresh_token", refresh_token: "x", client_id };
          statuses.add((await postToken(arena().env.url, form)).status);
        }
        expect(host.resolved.length - fetched).toBe(10);
        expect(statuses).toContain(429);
      });

      test("it does not stop those who signed in before, nor new sign-ins with their clients", async () => {
        const client = published();
        const { tokens } = await arena().session({ client });
        arena().env.clock.advance(minute);
        for (let i = 0; i < 35; i++) await arena().authorize(freshClient(`spray${i}.evil.example`));
        expect((await arena().authorize(freshClient("new.client.example"))).status).toBe(429);
        expect((await refresh(arena().env.url, client, tokens.refresh_token)).status).toBe(200);
        expect((await arena().authorize(client)).status).toBe(200);
      });

      test("those who ask for one document at once share one fetch", async () => {
        const client = freshClient();
        const waiting: (() => void)[] = [];
        host.serve(client.clientId, (_, response) => {
          waiting.push(() => response.writeHead(200, json).end(JSON.stringify(documentOf(client))));
        });
        const all = Array.from({ length: 5 }, () => arena().authorize(client));
        const { calls } = arena().store;
        const lookUps = () => calls.filter(({ key }) => key.startsWith("client-document:")).length;
        const before = lookUps();
        await expect.poll(() => waiting.length > 0 && lookUps() - before >= 5).toBe(true);
        for (const answer of waiting) answer();
        expect((await Promise.all(all)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
        expect(host.requestsFor(client.clientId)).toBe(1);
      });
    });

    describe("attacks §1: a cached document", () => {
      const refreshed = async (client: TestClient, token: string) =>
        arena().outcome(() => refresh(arena().env.url, client, token));

      test.each<[string, (client: TestClient) => Serve, string]>([
        [
          "turning invalid",
          (client) => answering(200, json, JSON.stringify(documentOf(client, { client_secret: "s" }))),
          "invalid",
        ],
        ["404 later", () => answering(404), "gone"],
        ["410 later", () => answering(410), "gone"],
      ])(
        "%s: the grants of its client are refused at once, and an outage does not bring it back",
        async (_what, serve, reason) => {
          const client = published();
          const { tokens } = await arena().session({ client });
          arena().env.clock.advance(minute);
          host.serve(client.clientId, serve(client));
          expect(await refreshed(client, tokens.refresh_token)).toMatchObject({
            status: 401,
            error: "invalid_client",
            reasons: [`client_document_${reason}`],
          });
          await expectRefusal(arena(), client, `client_document_${reason}`);

          host.serve(client.clientId, cutOff);
          const beside = await libraryBeside(arena().env, arena().store, {
            network: host.network,
            logger: silentLogger,
          });
          for (const ask of [fetch, beside.fetch]) {
            arena().env.clock.advance(2 * minute);
            const form = {
              grant_type: "refresh_token",
              client_id: client.clientId,
              refresh_token: tokens.refresh_token,
            };
            const answer = await ask(
              new Request(`${arena().env.url}/token`, { method: "POST", body: new URLSearchParams(form) }),
            );
            expect([answer.status, (await tokenAnswer(answer)).error]).toEqual([503, "temporarily_unavailable"]);
          }
          await beside.close();

          // Nothing was ended for it: the document is back, and so is its client.
          host.publish(client.clientId, documentOf(client));
          arena().env.clock.advance(minute);
          expect((await refreshed(client, tokens.refresh_token)).status).toBe(200);
        },
      );

      test("whose host is down serves grants for seven days, on every replica, and not longer", async () => {
        const client = published();
        const { tokens } = await arena().session({ client });
        host.serve(client.clientId, cutOff);
        const { clock } = arena().env;
        clock.advance(hour);
        const first = await refreshed(client, tokens.refresh_token);
        expect(first.status).toBe(200);
        await expectRefusal(arena(), client, "client_document_unavailable");

        clock.advance(6 * day);
        const beside = await libraryBeside(arena().env, arena().store, { network: host.network, logger: silentLogger });
        const form = {
          grant_type: "refresh_token",
          client_id: client.clientId,
          refresh_token: JSON.parse(first.body).refresh_token,
        };
        const second = await beside.fetch(
          new Request(`${arena().env.url}/token`, { method: "POST", body: new URLSearchParams(form) }),
        );
        await beside.close();
        const answer = await tokenAnswer(second);
        expect([second.status, answer.error]).toEqual([200, undefined]);

        clock.advance(day);
        expect(await refreshed(client, answer.refresh_token)).toMatchObject({
          status: 503,
          error: "temporarily_unavailable",
          reasons: ["client_document_unavailable"],
          ended: [],
        });
        host.publish(client.clientId, documentOf(client));
        clock.advance(minute);
        expect((await refreshed(client, answer.refresh_token)).status).toBe(200);
      });

      test("is asked for again by its ETag", async () => {
        const client = freshClient();
        host.serve(client.clientId, (request, response) => {
          const known = request.headers["if-none-match"] === '"v1"';
          response.writeHead(known ? 304 : 200, { ...json, etag: '"v1"', "cache-control": "max-age=60" });
          response.end(known ? undefined : JSON.stringify(documentOf(client)));
        });
        expect((await arena().authorize(client)).status).toBe(200);
        expect((await arena().authorize(client)).status).toBe(200);
        expect(host.requestsFor(client.clientId)).toBe(1);
        arena().env.clock.advance(minute);
        expect((await arena().authorize(client)).status).toBe(200);
        expect(host.requests.at(-1)?.headers["if-none-match"]).toBe('"v1"');
      });
    });

    describe("attacks §1: clients shared across installations", () => {
      test("attacks §4 CF 0.10.3: another sign-in with the same client leaves the first one alone, and so does its revocation", async () => {
        const client = published();
        const [one, two] = [await arena().session({ client }), await arena().session({ client })];
        const form = { client_id: client.clientId, token: two.tokens.refresh_token };
        const revoked = await fetch(`${arena().env.url}/revoke`, { method: "POST", body: new URLSearchParams(form) });
        expect(revoked.status).toBe(200);
        arena().afterCheckInterval();
        expect((await arena().mcp(two.tokens.access_token)).status).toBe(401);
        expect((await arena().mcp(one.tokens.access_token)).status).toBe(200);
        expect((await refresh(arena().env.url, client, one.tokens.refresh_token)).status).toBe(200);
      });
    });

    describe("attacks §5.10: what an id is known by", () => {
      test("a registration cannot take a URL for its id", async () => {
        const client = published();
        const answer = await fetch(`${arena().env.url}/register`, {
          method: "POST",
          headers: json,
          body: JSON.stringify({
            client_id: client.clientId,
            redirect_uris: ["https://evil.example/callback"],
            token_endpoint_auth_method: "none",
          }),
        });
        expect(answer.status).toBe(201);
        expect((await answer.json()) as object).toMatchObject({ client_id: expect.stringMatching(/^[\w-]{43}$/) });
        const taken = await arena().authorize({ ...client, redirectUri: "https://evil.example/callback" });
        expect(taken).toMatchObject({ status: 400, reasons: ["redirect_uri_not_registered"] });
        expect((await arena().authorize(client)).status).toBe(200);
      });

      test("a client that an administrator configured under a URL is that client, and nothing is fetched", async () => {
        const before = host.resolved.length;
        const url = authorizeUrl(arena().env.url, { clientId: configured, redirectUri }, pkce());
        const page = await fetch(url, { redirect: "manual" });
        expect(page.status).toBe(200);
        expect(await page.text()).toContain("Set up by hand");
        expect(host.resolved.length).toBe(before);
      });
    });
  },
  {
    network: host.network,
    change: (settings) => ({
      ...settings,
      clients: { [configured]: { name: "Set up by hand", redirectUris: [redirectUri] } },
    }),
  },
);

describe("where metadata documents are off", () => {
  test("a URL is the id of nobody, nothing is fetched, and metadata do not name it", async () => {
    const env = await startEnvironment({
      runtime: { network: host.network },
      change: (settings) => ({ ...settings, metadataDocuments: { enabled: false } }),
    });
    try {
      const metadata: unknown = await (await fetch(`${env.url}/.well-known/oauth-authorization-server`)).json();
      expect(metadata).not.toHaveProperty("client_id_metadata_document_supported");
      const before = host.resolved.length;
      const answer = await fetch(authorizeUrl(env.url, published(), pkce()), { redirect: "manual" });
      expect(answer.status).toBe(400);
      expect(found(env.audit.at(-1), "no event").reason).toBe("client_unknown");
      expect(host.resolved.length).toBe(before);
    } finally {
      await env.close();
    }
  });
});
