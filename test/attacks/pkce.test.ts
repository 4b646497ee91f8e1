import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createWalker } from "../support/browser-walk.ts";
import { authorizeUrl, type PkcePair, pkce, redeem, register } from "../support/oauth-client.ts";
import { expectRedirectedError, onEachStore, type SignedIn } from "./arena.ts";

const challenge = pkce().challenge;

const refused: readonly (readonly [what: string, params: Record<string, string>, reason: string])[] = [
  ["none", { code_challenge: "", code_challenge_method: "" }, "pkce_missing"],
  ["method without challenge", { code_challenge: "", code_challenge_method: "S256" }, "pkce_missing"],
  ["challenge without method", { code_challenge_method: "" }, "pkce_method_unsupported"],
  ["plain", { code_challenge_method: "plain" }, "pkce_method_unsupported"],
  ["method in small letters", { code_challenge_method: "s256" }, "pkce_method_unsupported"],
  ["method none", { code_challenge_method: "none" }, "pkce_method_unsupported"],
  ["two methods in one", { code_challenge_method: "S256 plain" }, "pkce_method_unsupported"],
  ["challenge too short", { code_challenge: challenge.slice(1) }, "pkce_malformed"],
  ["challenge too long", { code_challenge: `${challenge}A` }, "pkce_malformed"],
  ["challenge with padding", { code_challenge: `${challenge}=` }, "pkce_malformed"],
  ["challenge in plain base64", { code_challenge: `+/${challenge.slice(2)}` }, "pkce_malformed"],
  ["challenge with white space", { code_challenge: ` ${challenge.slice(1)}` }, "pkce_malformed"],
];

onEachStore("attacks §1 PKCE", (arena) => {
  describe.each([
    ["a public client", { token_endpoint_auth_method: "none" }],
    ["a client with a secret (attacks §4 CF CVE-2025-4144)", { token_endpoint_auth_method: "client_secret_basic" }],
  ])("%s at /authorize", (_, metadata) => {
    test.each(refused)("%s: told at the client's redirect, no page to approve", async (_, params, reason) => {
      const { env, authorize } = arena();
      const client = await register(env.url, metadata);
      const outcome = await authorize(client, params);
      expectRedirectedError(outcome, { client, error: "invalid_request", issuer: env.url });
      expect(outcome.reasons).toEqual([reason]);
      expect(outcome.headers.getSetCookie()).toEqual([]);
    });

    test.each([
      ["code_challenge", challenge],
      ["code_challenge_method", "plain"],
    ])("%s twice: a page and no redirect", async (name, value) => {
      const { env, outcome } = arena();
      const client = await register(env.url, metadata);
      const url = `${authorizeUrl(env.url, client, pkce())}&${name}=${value}`;
      const answer = await outcome(() => fetch(url, { redirect: "manual", headers: { accept: "text/html" } }));
      expect(answer).toMatchObject({ status: 400, error: "invalid_request", location: undefined });
      expect(answer.reasons).toEqual(["repeated_parameter"]);
    });
  });

  describe("at /token, one code for every attempt", () => {
    const attempts: readonly (readonly [
      what: string,
      verifier: (pair: PkcePair) => string | undefined,
      error: string,
      reason: string,
    ])[] = [
      ["omitted (attacks §4 OB)", () => undefined, "invalid_request", "pkce_missing"],
      ["empty", () => "", "invalid_request", "pkce_missing"],
      ["too short", ({ verifier }) => verifier.slice(1), "invalid_request", "pkce_malformed"],
      ["too long", ({ verifier }) => verifier.padEnd(129, "a"), "invalid_request", "pkce_malformed"],
      ["wrong characters", ({ verifier }) => `+/${verifier.slice(2)}`, "invalid_request", "pkce_malformed"],
      ["with white space behind", ({ verifier }) => `${verifier} `, "invalid_request", "pkce_malformed"],
      ["the challenge itself, as plain would have it", ({ challenge }) => challenge, "invalid_grant", "pkce_mismatch"],
      ["another request's", () => pkce().verifier, "invalid_grant", "pkce_mismatch"],
      ["longer than the right one", ({ verifier }) => `${verifier}a`, "invalid_grant", "pkce_mismatch"],
    ];
    let signedIn: SignedIn | undefined;
    const current = async () => {
      signedIn ??= await arena().signIn();
      return signedIn;
    };

    test.each(attempts)("verifier %s: refused", async (_, verifier, error, reason) => {
      const { env, outcome } = arena();
      const { client, code, pair } = await current();
      const presented = verifier(pair);
      const answer = await outcome(() => redeem(env.url, client, code, pair, { code_verifier: presented ?? "" }));
      expect(answer).toMatchObject({ status: 400, error, reasons: [reason], ended: [] });
    });

    test("and none of them has burned the code", async () => {
      const { client, code, pair } = await current();
      signedIn = undefined;
      expect((await redeem(arena().env.url, client, code, pair)).status).toBe(200);
    });
  });

  test("towards Cognito: challenge at /oauth2/authorize, its own verifier at /oauth2/token", async () => {
    const { env, approve, atCognito, cognito } = arena();
    const client = await register(env.url);
    const pair = pkce();
    const walker = createWalker();
    const at = await approve(walker, await walker.get(authorizeUrl(env.url, client, pair)));
    const { searchParams } = new URL(at);
    expect(searchParams.get("code_challenge_method")).toBe("S256");
    const seen = cognito.tokenRequests.length;
    await walker.get(await atCognito(walker, at), () => true);
    const [request] = cognito.tokenRequests.slice(seen);
    const verifier = request?.form.get("code_verifier") ?? "";
    expect(createHash("sha256").update(verifier).digest("base64url")).toBe(searchParams.get("code_challenge"));
    // Neither the client's challenge nor its state is passed on.
    expect(searchParams.get("code_challenge")).not.toBe(pair.challenge);
    expect(searchParams.get("state")).not.toBe("test-state");
    expect(searchParams.get("redirect_uri")).toBe(`${env.url}/auth/callback`);
  });

  test("only S256 is advertised", async () => {
    const metadata = await fetch(`${arena().env.url}/.well-known/oauth-authorization-server`);
    expect(await metadata.json()).toMatchObject({
      code_challenge_methods_supported: ["S256"],
      response_types_supported: ["code"],
    });
  });
});
