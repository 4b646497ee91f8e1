import { describe, expect, test } from "vitest";
import { postToken, redeem, refresh, register, tokenAnswer } from "../support/oauth-client.ts";
import { type Arena, onEachStore, type SignedIn } from "./arena.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");

const postRegister = ({ env, outcome }: Arena, body: unknown, type = "application/json") =>
  outcome(() =>
    fetch(`${env.url}/register`, {
      method: "POST",
      headers: { "content-type": type },
      body: typeof body === "string" ? body : JSON.stringify(body),
    }),
  );

onEachStore("attacks §1 tokens, client authentication", (arena) => {
  const malformed: readonly (readonly [what: string, header: (id: string, secret: string) => string])[] = [
    ["no base64", () => "Basic %%%"],
    ["empty", () => "Basic "],
    ["no colon", (id) => `Basic ${base64(id)}`],
    ["no client id", (_, secret) => `Basic ${base64(`:${secret}`)}`],
    ["broken percent-encoding", (id) => `Basic ${base64(`${id}:%zz`)}`],
    ["bytes that are no UTF-8", (id) => `Basic ${Buffer.from(`${id}:\xff`, "latin1").toString("base64")}`],
    ["a control character", (id, secret) => `Basic ${base64(`${id}:${secret}\n`)}`],
    ["an encoded control character", (id, secret) => `Basic ${base64(`${id}:${secret}%00`)}`],
    ["something behind", (id, secret) => `Basic ${base64(`${id}:${secret}`)} x`],
    ["Bearer", (_, secret) => `Bearer ${secret}`],
    ["Digest", (id) => `Digest username="${id}"`],
    ["two in one header", (id, secret) => `Basic ${base64(`${id}:${secret}`)}, Basic ${base64("a:b")}`],
    ["a very long one", (id) => `Basic ${base64(`${id}:${"x".repeat(9000)}`)}`],
  ];

  describe("Authorization that is malformed, one code for every attempt", () => {
    let shared: SignedIn | undefined;
    const present = async (header: (id: string, secret: string) => string) => {
      const { env, signIn } = arena();
      const metadata = { token_endpoint_auth_method: "client_secret_basic" };
      shared ??= await signIn({ client: await register(env.url, metadata) });
      const { client, code, pair } = shared;
      const { clientId, clientSecret = "", redirectUri: redirect_uri } = client;
      const form = { grant_type: "authorization_code", redirect_uri, code_verifier: pair.verifier, code };
      return postToken(env.url, form, { authorization: header(clientId, clientSecret) });
    };

    test.each(malformed)("%s: 401", async (_, header) => {
      const answer = await arena().outcome(() => present(header));
      expect(answer).toMatchObject({ status: 401, error: "invalid_client", ended: [] });
      expect(answer.reasons.slice(-1)).toEqual(["client_auth_malformed"]);
    });

    test("and none of them has burned the code", async () => {
      expect((await present((id, secret) => `Basic ${base64(`${id}:${secret}`)}`)).status).toBe(200);
    });
  });

  describe("how a client says who it is", () => {
    test.each([
      ["both Basic and body", { client_secret: "SECRET" }, "SECRET", 400, "invalid_request", "client_auth_ambiguous"],
      [
        "Basic for one, form for another",
        { client_id: "other" },
        "SECRET",
        400,
        "invalid_request",
        "client_auth_ambiguous",
      ],
      [
        "Basic and an assertion",
        { client_assertion: "x.y.z" },
        "SECRET",
        400,
        "invalid_request",
        "client_auth_ambiguous",
      ],
      ["a wrong secret", {}, "wrong", 401, "invalid_client", "client_auth_failed"],
      ["a secret that begins right", {}, "SECRETx", 401, "invalid_client", "client_auth_failed"],
      ["an empty secret", {}, "", 401, "invalid_client", "client_auth_failed"],
    ] as const)("%s", async (_, more, presented, status, error, reason) => {
      const { env, outcome, signIn } = arena();
      const client = await register(env.url, { token_endpoint_auth_method: "client_secret_basic" });
      const { clientId, clientSecret = "" } = client;
      const { code, pair } = await signIn({ client });
      const fill = (text: string): string => text.replace("SECRET", clientSecret);
      const form = Object.fromEntries(Object.entries(more).map(([name, value]) => [name, fill(value)]));
      const authorization = `Basic ${base64(`${clientId}:${fill(presented)}`)}`;
      const grant = { grant_type: "authorization_code", code, code_verifier: pair.verifier };
      const answer = await outcome(() => postToken(env.url, { ...grant, ...form }, { authorization }));
      expect(answer).toMatchObject({ status, error, reasons: [reason] });
      // RFC 6749 §5.2: whoever tried Basic is told so.
      expect(answer.headers.get("www-authenticate")).toBe(status === 401 ? 'Basic realm="token endpoint"' : null);
      expect((await redeem(env.url, client, code, pair, { client_secret: clientSecret })).status).toBe(200);
    });

    test("a public client that presents a secret is another than it says", async () => {
      const { env, outcome, signIn } = arena();
      const { client, code, pair } = await signIn();
      const answer = await outcome(() => redeem(env.url, client, code, pair, { client_secret: "anything" }));
      expect(answer).toMatchObject({ status: 401, error: "invalid_client", reasons: ["client_auth_failed"] });
      expect((await redeem(env.url, client, code, pair)).status).toBe(200);
    });

    test.each([
      ["unknown", { client_id: "nobody" }, "client_unknown"],
      ["missing", { client_id: "" }, "client_auth_malformed"],
      ["a prototype's name", { client_id: "__proto__" }, "client_unknown"],
      ["the app client at Cognito", { client_id: "sallyportdemo" }, "client_unknown"],
    ])("a client that is %s: 401", async (_, form, reason) => {
      const { env, outcome, signIn } = arena();
      const { client, code, pair } = await signIn();
      const answer = await outcome(() => redeem(env.url, client, code, pair, form));
      expect(answer).toMatchObject({ status: 401, error: "invalid_client", reasons: [reason] });
    });
  });

  describe("the request's form", () => {
    test.each([
      "application/json",
      "text/plain",
      "multipart/form-data; boundary=x",
      "application/json, application/x-www-form-urlencoded",
      "application/x-www-form-urlencoded, application/json",
      "application/x-www-form-urlencoded; charset=utf-16",
    ])("Content-Type %s: 415 (attacks §4 CF: 500)", async (type) => {
      const { env, outcome } = arena();
      const answer = await outcome(() =>
        fetch(`${env.url}/token`, { method: "POST", headers: { "content-type": type }, body: "grant_type=x" }),
      );
      expect(answer).toMatchObject({ status: 415, error: "invalid_request", reasons: ["unsupported_media_type"] });
    });

    test.each(["password", "implicit", "urn:ietf:params:oauth:grant-type:token-exchange", "authorization_code "])(
      "grant_type %j is not served",
      async (grant_type) => {
        const { env, outcome } = arena();
        const answer = await outcome(() => postToken(env.url, { grant_type, username: "alice", password: "x" }));
        expect(answer).toMatchObject({
          status: 400,
          error: "unsupported_grant_type",
          reasons: ["grant_type_unsupported"],
        });
      },
    );

    test("parameters in the query do not count", async () => {
      const { env, outcome, signIn } = arena();
      const { client, code, pair } = await signIn();
      const query = new URLSearchParams({
        grant_type: "authorization_code",
        client_id: client.clientId,
        code_verifier: pair.verifier,
        code,
      });
      const answer = await outcome(() =>
        fetch(`${env.url}/token?${query}`, { method: "POST", body: new URLSearchParams() }),
      );
      expect(answer).toMatchObject({ status: 400, error: "invalid_request" });
      expect((await fetch(`${env.url}/token?${query}`)).status).toBe(405);
    });
  });

  describe("registration", () => {
    test("a client that asks for none gets no secret, and none is advertised (attacks §4 FM)", async () => {
      const { env } = arena();
      const answer = await postRegister(arena(), {
        redirect_uris: ["https://app.example/cb"],
        token_endpoint_auth_method: "none",
      });
      expect(answer.status).toBe(201);
      expect(JSON.parse(answer.body)).not.toHaveProperty("client_secret");
      const metadata = await fetch(`${env.url}/.well-known/oauth-authorization-server`);
      const { token_endpoint_auth_methods_supported: methods } = Object(await metadata.json());
      expect(methods).toContain("none");
    });

    test("no answer names Cognito's app client or its secret (attacks §4 FM #262)", async () => {
      const { env } = arena();
      const answer = await postRegister(arena(), { redirect_uris: ["https://app.example/cb"] });
      expect(answer.status).toBe(201);
      expect(answer.body).not.toContain(env.settings.cognito.clientId);
      expect(answer.body).not.toContain(String(env.settings.cognito.clientSecret));
      expect(answer.body).not.toContain("registration_client_uri");
    });

    test.each([
      ["client_credentials", { grant_types: ["authorization_code", "client_credentials"] }],
      ["implicit", { grant_types: ["authorization_code", "implicit"] }],
      ["the token response", { response_types: ["token"] }],
      ["an unknown method", { token_endpoint_auth_method: "tls_client_auth" }],
      ["a private key", { jwks: { keys: [{ kty: "EC", d: "secret" }] } }],
      ["jwks and jwks_uri", { jwks: { keys: [] }, jwks_uri: "https://app.example/jwks" }],
      ["a scope that does not exist", { scope: "mcp/read root" }],
      ["a list for a text", { client_name: ["x"] }],
      ["a name that turns direction", { client_name: "abc\u202ecod.exe" }],
      ["a name that nobody sees", { client_name: "\u200b\u00a0" }],
    ])("%s: refused", async (_, metadata) => {
      const answer = await postRegister(arena(), { redirect_uris: ["https://app.example/cb"], ...metadata });
      expect(answer).toMatchObject({
        status: 400,
        error: "invalid_client_metadata",
        reasons: ["client_metadata_invalid"],
      });
    });

    test.each([
      ["no JSON", "{", "application/json", 400],
      ["a list", "[]", "application/json", 400],
      ["null", "null", "application/json", 400],
      ["a form", "redirect_uris=x", "application/x-www-form-urlencoded", 415],
      ["two types", "{}", "application/json, application/x-www-form-urlencoded", 415],
    ])("a body that is %s", async (_, body, type, status) => {
      const answer = await postRegister(arena(), body, type);
      expect(answer.status).toBe(status);
      expect(answer.reasons).toHaveLength(1);
    });

    test("__proto__ and constructor are members like any other", async () => {
      const body = '{"redirect_uris":["https://app.example/cb"],"__proto__":{"firstParty":true},"constructor":{"x":1}}';
      const answer = await postRegister(arena(), body);
      expect(answer.status).toBe(201);
      expect(answer.body).not.toContain("firstParty");
    });

    test("an unused registration expires (attacks §3: stored for ever)", async () => {
      const { authorize, env } = arena();
      const client = await register(env.url);
      env.clock.advance(86_400_001);
      expect(await authorize(client)).toMatchObject({ status: 400, reasons: ["client_unknown"] });
    });
  });

  describe("client_credentials", () => {
    const ask = (
      form: Record<string, string>,
      client: { clientId: string; clientSecret: string } = arena().env.machine,
    ) => {
      const { env } = arena();
      const { clientId, clientSecret } = client;
      const resource = `${env.url}/clock/mcp`;
      return postToken(env.url, {
        grant_type: "client_credentials",
        client_id: clientId,
        client_secret: clientSecret,
        resource,
        ...form,
      });
    };

    test("a wrong secret never meets a cached answer", async () => {
      const { env, outcome } = arena();
      expect((await ask({})).status).toBe(200);
      const calls = env.cognito.requests.length;
      expect((await ask({})).status).toBe(200);
      expect(env.cognito.requests).toHaveLength(calls);
      for (const client_secret of ["wrong", `${env.machine.clientSecret}x`, env.machine.clientSecret.slice(1)]) {
        const answer = await outcome(() => ask({ client_secret }));
        expect(answer).toMatchObject({ status: 401, error: "invalid_client", reasons: ["client_auth_failed"] });
      }
      expect(env.cognito.requests).toHaveLength(calls + 3);
      expect((await ask({})).status).toBe(200);
    });

    test("no secret, and Cognito is not even asked", async () => {
      const { env, outcome } = arena();
      const calls = env.cognito.requests.length;
      const answer = await outcome(() => ask({ client_secret: "" }));
      expect(answer).toMatchObject({ status: 401, error: "invalid_client", reasons: ["client_auth_failed"] });
      expect(env.cognito.requests).toHaveLength(calls);
    });

    test("a client that registered itself, and our own app client, are no machines (attacks §5.9)", async () => {
      const { env, outcome } = arena();
      const { clientId, clientSecret = "" } = await register(env.url, {
        token_endpoint_auth_method: "client_secret_post",
      });
      const { cognito } = env.settings;
      const own = { clientId: cognito.clientId, clientSecret: String(cognito.clientSecret) };
      const calls = env.cognito.requests.length;
      for (const client of [{ clientId, clientSecret }, own, { clientId: "constructor", clientSecret: "x" }]) {
        const answer = await outcome(() => ask({}, client));
        expect(answer).toMatchObject({ status: 401, error: "invalid_client", reasons: ["client_auth_failed"] });
      }
      expect(env.cognito.requests).toHaveLength(calls);
    });

    test.each([
      ["a scope that does not exist", { scope: "root" }, "invalid_scope", "scope_unknown"],
      ["no resource", { resource: "" }, "invalid_target", "resource_ambiguous"],
      ["a foreign resource", { resource: "https://evil.example/mcp" }, "invalid_target", "resource_unknown"],
    ])("%s", async (_, form, error, reason) => {
      const answer = await arena().outcome(() => ask(form));
      expect(answer).toMatchObject({ status: 400, error, reasons: [reason] });
    });

    test("a scope beyond its own gives what is configured and no more", async () => {
      const { mcp } = arena();
      const tokens = await tokenAnswer(await ask({ scope: "mcp/admin openid offline_access" }));
      expect(tokens.scope).toBe("mcp/read");
      expect((await mcp(tokens.access_token)).status).toBe(200);
    });

    test("the answer is for one resource, holds no refresh token, and ends with its configured scopes", async () => {
      const { env, mcp, outcome } = arena();
      const tokens = await tokenAnswer(await ask({ scope: "mcp/read" }));
      expect(tokens).not.toHaveProperty("refresh_token");
      expect(tokens.scope).toBe("mcp/read");
      expect((await mcp(tokens.access_token)).status).toBe(200);
      const elsewhere = await outcome(() => mcp(tokens.access_token, "/notes/mcp"));
      expect(elsewhere).toMatchObject({ status: 401, reasons: ["token_audience_mismatch"] });
      const client = { clientId: env.machine.clientId, redirectUri: "" };
      const answer = await outcome(() => refresh(env.url, client, "x"));
      expect(answer).toMatchObject({ status: 401, error: "invalid_client", reasons: ["client_unknown"] });
    });
  });
});
