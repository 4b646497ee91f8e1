import { describe, expect, test } from "vitest";
import type { CoreConfig } from "../config/section.ts";
import { deriveRootKeys } from "../crypto/index.ts";
import { OAuthError } from "../errors/index.ts";
import { scopeCatalog } from "../scopes/index.ts";
import { createInitialAccessCheck, parseRegistrationRequest } from "./index.ts";
import { matchesNamePattern } from "./name-pattern.ts";

type Settings = Partial<CoreConfig["registration"]>;

const scope = (includes: string[] = []) => ({ includes, stepUp: false });
const scopes = scopeCatalog({
  scopes: { "mcp/read": scope(), "mcp/write": scope(["mcp/read"]), "mcp/admin": scope(["mcp/write"]) },
  groups: {},
  machines: {},
  resources: [],
});

/** What is registered under these settings, or why it is refused. */
function register(settings: Settings, members: object) {
  const body = { redirect_uris: ["https://app.example/cb"], token_endpoint_auth_method: "none", ...members };
  try {
    return parseRegistrationRequest(body, {
      callbackUrl: "https://auth.example.com/auth/callback",
      customSchemes: ["cursor"],
      capabilities: {
        clientGrantTypes: ["authorization_code", "refresh_token"],
        tokenEndpointAuthMethods: ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
      },
      scopes,
      settings: { publicClientPatterns: ["*"], ...settings },
    });
  } catch (error) {
    if (error instanceof OAuthError) return { error: error.code, text: error.message };
    throw error;
  }
}

describe("allowed_scopes and default_scopes", () => {
  const upToWrite: Settings = { allowedScopes: ["mcp/write"], defaultScopes: ["mcp/read"] };
  test.each<[string, Settings, string | undefined, string | undefined]>([
    ["no bound, nothing registered", {}, undefined, undefined],
    ["no bound", {}, "mcp/admin openid", "mcp/admin openid"],
    ["left out: the default is registered", upToWrite, undefined, "mcp/read"],
    ["empty: the same", upToWrite, " ", "mcp/read"],
    ["within the bound", upToWrite, "mcp/write", "mcp/write"],
    ["what an allowed one includes", upToWrite, "mcp/read", "mcp/read"],
    [
      "beyond it: cut to what is left of it",
      upToWrite,
      "mcp/admin offline_access",
      "mcp/read mcp/write offline_access",
    ],
    ["everything that is listed: cut", upToWrite, "mcp/read mcp/write mcp/admin", "mcp/read mcp/write"],
    ["of sign-ins only", upToWrite, "openid email", "openid email"],
  ])("%s", (_, settings, asked, registered) => {
    expect(Object(register(settings, asked === undefined ? {} : { scope: asked })).scope).toBe(registered);
  });

  test("nothing left: refused, saying what can be had", () => {
    expect(register({ allowedScopes: [] }, { scope: "mcp/read openid" })).toEqual({
      error: "invalid_client_metadata",
      text: "scope: a client that registers itself may have no more than: nothing",
    });
  });
});

describe("public_client_patterns", () => {
  const settings: Settings = { publicClientPatterns: ["Claude*", "VS Code"] };
  test.each([
    ["Claude Code", "none", true],
    ["claude", "none", true],
    ["vs code", "none", true],
    ["VS Code Insiders", "none", false],
    ["Not Claude", "none", false],
    ["Not Claude", "client_secret_post", true],
    [undefined, "none", false],
  ])("%s with %s", (name, method, allowed) => {
    const members = { token_endpoint_auth_method: method, ...(name === undefined ? {} : { client_name: name }) };
    const refusal = { error: "invalid_client_metadata", text: expect.stringContaining("must not be public here") };
    expect(register(settings, members)).toMatchObject(allowed ? { token_endpoint_auth_method: method } : refusal);
  });

  test.each([
    ["*", "", true],
    ["*", "anything", true],
    ["", "", true],
    ["", "x", false],
    ["a*b", "ab", true],
    ["a*b", "a-b-b", true],
    ["a*b", "a", false],
    ["ab*ba", "aba", false],
    ["*a*a*", "a", false],
    ["*a*a*", "xaxa", true],
    ["a**b", "a b", true],
    [".*", "x", false],
    ["[a]", "a", false],
  ])("%j and %j", (pattern, name, matches) => {
    expect(matchesNamePattern(pattern, name)).toBe(matches);
  });

  test("no pattern takes long", () => {
    const started = performance.now();
    expect(matchesNamePattern("a*".repeat(50), `${"a".repeat(49)}b`.repeat(1000))).toBe(true);
    expect(matchesNamePattern(`${"a*".repeat(49)}c`, "a".repeat(100_000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe("redirect_hosts", () => {
  const settings: Settings = { redirectHosts: ["claude.ai", "*.example.com"] };
  test.each([
    ["https://claude.ai/api/mcp/auth_callback", true],
    ["https://claude.ai:8443/cb", true],
    ["https://app.example.com/cb", true],
    ["https://a.b.example.com/cb", true],
    ["https://example.com/cb", false],
    ["https://evilexample.com/cb", false],
    ["https://claude.ai.evil.example/cb", false],
    ["https://claude.ai./cb", false],
    ["https://sub.claude.ai/cb", false],
    ["http://localhost:3000/cb", true],
    ["http://127.0.0.1/cb", true],
    ["https://localhost/cb", true],
    ["cursor://anysphere.cursor-mcp/oauth/callback", true],
    ["com.example.app:/cb", true],
  ])("%s", (uri, allowed) => {
    const answer = register(settings, { redirect_uris: [uri] });
    expect(answer).toMatchObject(allowed ? { redirect_uris: [uri] } : { error: "invalid_redirect_uri" });
  });

  test("one that is not allowed is refused among those that are", () => {
    const redirect_uris = ["https://claude.ai/cb", "https://evil.example/cb"];
    expect(register(settings, { redirect_uris })).toMatchObject({ error: "invalid_redirect_uri" });
  });
});

describe("initial_access_tokens", () => {
  const keys = deriveRootKeys(["a root secret of the tests, long enough"]);
  const check = createInitialAccessCheck(["first-initial-token", "second-initial-token"], keys);
  test.each([["Bearer first-initial-token"], ["bearer second-initial-token"], ["BEARER   first-initial-token"]])(
    "%s: goes on",
    (authorization) => {
      expect(() => check(authorization)).not.toThrow();
    },
  );
  test.each([
    [undefined],
    [""],
    ["Bearer "],
    ["Bearer first-initial-toke"],
    ["Bearer first-initial-token x"],
    ["Basic first-initial-token"],
    ["first-initial-token"],
    ["Bearer undefined"],
  ])("%s: 401", (authorization) => {
    expect(() => check(authorization)).toThrow(
      expect.objectContaining({ code: "invalid_token", reason: "registration_token_invalid", status: 401 }),
    );
  });

  test("where none is configured anyone may register, whatever is sent along", () => {
    const open = createInitialAccessCheck([], keys);
    expect(() => open(undefined)).not.toThrow();
    expect(() => open("Bearer x")).not.toThrow();
  });
});
