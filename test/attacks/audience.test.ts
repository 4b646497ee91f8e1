import { describe, expect, test } from "vitest";
import { postToken, register, tokenAnswer } from "../support/oauth-client.ts";
import { expectRefused, neighbour } from "./access-tokens.ts";
import { expectRedirectedError, onEachStore } from "./arena.ts";

onEachStore(
  "attacks §1 audience",
  (arena) => {
    const refused = (token: string, reason: string, path?: string) => expectRefused(arena(), token, reason, path);

    describe("our own tokens elsewhere", () => {
      test.each([
        ["another resource", "/notes/mcp"],
        ["a resource whose path begins alike", "/clock-x/mcp"],
      ])("at %s", async (_, path) => {
        const { mcp, session } = arena();
        const { tokens } = await session();
        // Cold, and once it is remembered as good for its own resource.
        await refused(tokens.access_token, "token_audience_mismatch", path);
        expect((await mcp(tokens.access_token)).status).toBe(200);
        await refused(tokens.access_token, "token_audience_mismatch", path);
      });

      test.each([
        "/clock/mcp-x",
        "/clock/mc",
        "/clock",
        "/clock/mcp/x",
        "/clock/mcp//",
        "/CLOCK/mcp",
        "/clock/%6dcp",
        "/notes/../clock/mcp",
        "/clock/mcp#x",
        "//clock/mcp",
        "/clock\\mcp",
      ])("resource %s is none of ours", async (path) => {
        const { authorize, env } = arena();
        const client = await register(env.url);
        const outcome = await authorize(client, { resource: `${env.url}${path}` });
        expectRedirectedError(outcome, { client, error: "invalid_target", issuer: env.url });
        expect(outcome.reasons).toEqual(["resource_unknown"]);
      });

      test.each([
        ["another scheme", (url: string) => url.replace("http:", "https:")],
        ["another host", (url: string) => url.replace("localhost", "localhost.evil.example")],
        ["another port", (url: string) => url.replace(/:\d+$/, ":1")],
        ["userinfo", (url: string) => url.replace("//", "//user@")],
      ])("resource with %s is none of ours", async (_, bend) => {
        const { authorize, env } = arena();
        const client = await register(env.url);
        const outcome = await authorize(client, { resource: `${bend(env.url)}/clock/mcp` });
        expectRedirectedError(outcome, { client, error: "invalid_target", issuer: env.url });
      });

      test("two resources in one request: neither", async () => {
        const { env, outcome } = arena();
        const client = await register(env.url);
        const query = new URLSearchParams({ client_id: client.clientId, redirect_uri: client.redirectUri });
        for (const name of ["clock", "notes"]) query.append("resource", `${env.url}/${name}/mcp`);
        const answer = await outcome(() => fetch(`${env.url}/authorize?${query}`, { redirect: "manual" }));
        expect(answer).toMatchObject({ status: 400, error: "invalid_target", location: undefined });
        expect(answer.reasons).toEqual(["repeated_parameter"]);
      });
    });

    describe("how a token is presented", () => {
      test("no token, no challenge error; a bad cookie is no token (attacks §2 R7)", async () => {
        const { mcp, outcome } = arena();
        for (const headers of [{}, { cookie: "sallyport-session=x; session=x" }]) {
          const answer = await outcome(() => mcp(undefined, "/clock/mcp", headers));
          expect(answer).toMatchObject({ status: 401, reasons: ["token_missing"] });
          expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer scope="[^"]+", resource_metadata="[^"]+"$/);
        }
      });

      test.each([
        ["Basic", (token: string) => `Basic ${token}`],
        ["no scheme", (token: string) => token],
        ["two tokens", (token: string) => `Bearer ${token} ${token}`],
        ["a comma and more", (token: string) => `Bearer ${token}, Bearer ${token}`],
        ["empty", () => "Bearer "],
        ["quotes", (token: string) => `Bearer "${token}"`],
      ])("%s", async (_, authorization) => {
        const { mcp, outcome, session } = arena();
        const { tokens } = await session();
        const headers = { authorization: authorization(tokens.access_token) };
        const answer = await outcome(() => mcp(undefined, "/clock/mcp", headers));
        expect(answer).toMatchObject({ status: 401, error: "invalid_token", reasons: ["token_malformed"] });
      });

      test("in the query or as a form it does not count (RFC 6750 §2.2, §2.3)", async () => {
        const { mcp, outcome, session } = arena();
        const { tokens } = await session();
        const answer = await outcome(() => mcp(undefined, `/clock/mcp?access_token=${tokens.access_token}`));
        expect(answer).toMatchObject({ status: 401, reasons: ["token_missing"] });
      });
    });

    test("a machine's token from our /token is for one resource only", async () => {
      const { env } = arena();
      const { clientId: client_id, clientSecret: client_secret } = env.machine;
      const resource = `${env.url}/clock/mcp`;
      const form = { grant_type: "client_credentials", client_id, client_secret, resource };
      const { access_token } = await tokenAnswer(await postToken(env.url, form));
      expect((await arena().mcp(access_token)).status).toBe(200);
      await refused(access_token, "token_audience_mismatch", "/clock-x/mcp");
    });
  },
  { change: (settings) => ({ ...settings, ...neighbour(settings) }) },
);
