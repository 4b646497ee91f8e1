import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { DocumentFault, parseClientDocument } from "./parse-document.ts";

const url = "https://client.example/oauth/client.json";
const policy = { callbackUrl: "https://auth.example.com/auth/callback", customSchemes: ["cursor"] };
const least = { client_id: url, client_name: "Client", redirect_uris: ["https://client.example/callback"] };
const publicKey = { kty: "EC", crv: "P-256", x: "x", y: "y" };

const parse = (members: object) => parseClientDocument(JSON.stringify({ ...least, ...members }), url, policy);

function faultOf(body: string): string {
  try {
    parseClientDocument(body, url, policy);
    return "none";
  } catch (error) {
    if (error instanceof DocumentFault) return error.message;
    throw error;
  }
}

test("the least there must be; what is left out is what it can use", () => {
  expect(parse({})).toEqual({
    name: "Client",
    redirectUris: ["https://client.example/callback"],
    grantTypes: ["authorization_code", "refresh_token"],
    methods: ["none"],
    keys: { jwks: undefined, jwksUri: undefined },
  });
});

describe("documents as they are published", () => {
  const folder = new URL("../../../../../test/fixtures/client-documents/", import.meta.url);
  test.each(readdirSync(folder))("%s", (file) => {
    const body = readFileSync(new URL(file, folder), "utf8");
    const { client_id, client_name, redirect_uris } = JSON.parse(body);
    const document = parseClientDocument(body, client_id, policy);
    expect(document).toMatchObject({ name: client_name, redirectUris: redirect_uris });
    expect(document.grantTypes).toEqual(["authorization_code", "refresh_token"]);
    expect(document.methods).toContain("none");
  });
});

describe("grant types are negotiated", () => {
  test.each([
    [["authorization_code"], ["authorization_code"]],
    [
      ["refresh_token", "authorization_code"],
      ["authorization_code", "refresh_token"],
    ],
    [["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"], ["authorization_code"]],
    [["authorization_code", "client_credentials"], ["authorization_code"]],
  ])("%j", (listed, granted) => {
    expect(parse({ grant_types: listed }).grantTypes).toEqual(granted);
  });
});

describe("methods", () => {
  test.each<[string, object, readonly string[]]>([
    ["none", { token_endpoint_auth_method: "none" }, ["none"]],
    [
      "private_key_jwt by keys in it",
      { token_endpoint_auth_method: "private_key_jwt", jwks: { keys: [publicKey] } },
      ["private_key_jwt"],
    ],
    [
      "private_key_jwt by keys elsewhere",
      { token_endpoint_auth_method: "private_key_jwt", jwks_uri: "https://client.example/jwks" },
      ["private_key_jwt"],
    ],
    [
      "both, as ChatGPT lists them",
      {
        token_endpoint_auth_method: "private_key_jwt",
        token_endpoint_auth_methods_supported: ["none", "private_key_jwt"],
        jwks_uri: "https://client.example/jwks",
      },
      ["none", "private_key_jwt"],
    ],
    [
      "both, but no keys",
      {
        token_endpoint_auth_method: "private_key_jwt",
        token_endpoint_auth_methods_supported: ["none", "private_key_jwt"],
      },
      ["none"],
    ],
    ["only a list", { token_endpoint_auth_methods_supported: ["client_secret_basic", "none"] }, ["none"]],
    ["keys, and no word of a method", { jwks_uri: "https://client.example/jwks" }, ["none"]],
  ])("%s", (_what, members, methods) => {
    expect(parse(members).methods).toEqual(methods);
  });
});

describe("refused, naming the member", () => {
  test.each<[string, object, string]>([
    ["attacks §1 client_id of another", { client_id: "https://evil.example/c" }, "client_id: must be the very URL"],
    ["client_id with a slash more", { client_id: `${url}/` }, "client_id"],
    ["client_id missing", { client_id: undefined }, "client_id"],
    ["client_name missing", { client_name: undefined }, "client_name: must be a text"],
    ["client_name that deceives", { client_name: "Claude\u202e" }, "client_name"],
    ["client_name that cannot be seen", { client_name: "\u200b" }, "client_name"],
    ["redirect_uris missing", { redirect_uris: undefined }, "redirect_uris: must be a list"],
    ["redirect_uris empty", { redirect_uris: [] }, "redirect_uris: give at least one"],
    [
      "redirect_uris too many",
      { redirect_uris: Array.from({ length: 33 }, (_, i) => `https://a.example/${i}`) },
      "at most 32",
    ],
    ["attacks §1 userinfo", { redirect_uris: ["https://a@client.example/"] }, "redirect_uris: not allowed"],
    ["attacks §4 wildcard", { redirect_uris: ["https://*.client.example/"] }, "redirect_uris: not allowed"],
    ["attacks §1 javascript:", { redirect_uris: ["javascript:alert(1)"] }, "redirect_uris: not allowed"],
    ["one bad among good ones", { redirect_uris: ["https://client.example/", "http://evil.example/"] }, "use https"],
    ["our own callback", { redirect_uris: [policy.callbackUrl] }, "this server's own callback"],
    [
      "a secret's method",
      { token_endpoint_auth_method: "client_secret_basic" },
      "token_endpoint_auth_method: must be one of",
    ],
    ["a secret's method", { token_endpoint_auth_method: "client_secret_post" }, "token_endpoint_auth_method"],
    ["a shared key's method", { token_endpoint_auth_method: "client_secret_jwt" }, "token_endpoint_auth_method"],
    [
      "methods of which none is known",
      { token_endpoint_auth_methods_supported: ["tls_client_auth"] },
      "token_endpoint_auth_methods_supported",
    ],
    ["attacks §1 client_secret", { client_secret: "s" }, "client_secret: a document"],
    ["client_secret null", { client_secret: null }, "client_secret"],
    ["client_secret_expires_at", { client_secret_expires_at: 0 }, "client_secret_expires_at"],
    ["attacks §1 private JWK", { jwks: { keys: [{ ...publicKey, d: "x" }] } }, "jwks: must hold public keys"],
    [
      "private RSA key without d",
      { jwks: { keys: [{ kty: "RSA", n: "x", e: "AQAB", p: "x" }] } },
      "jwks: must hold public keys",
    ],
    ["symmetric JWK", { jwks: { keys: [{ kty: "oct", k: "x" }] } }, "jwks: must hold public keys"],
    [
      "jwks and jwks_uri",
      { jwks: { keys: [publicKey] }, jwks_uri: "https://client.example/jwks" },
      "exclude each other",
    ],
    ["private_key_jwt without keys", { token_endpoint_auth_method: "private_key_jwt" }, "jwks_uri: is missing"],
    ["jwks_uri over http", { jwks_uri: "http://client.example/jwks" }, "jwks_uri: must be an https URL"],
    ["no authorization_code", { grant_types: ["client_credentials"] }, "grant_types: must hold authorization_code"],
    ["grant types as text", { grant_types: "authorization_code" }, "grant_types: must be a list"],
    ["no code", { response_types: ["token"] }, "response_types: must hold code"],
  ])("%s", (_what, members, fault) => {
    expect(faultOf(JSON.stringify({ ...least, ...members }))).toContain(fault);
  });

  test.each(["", "<!doctype html>", "{", "[]", "null", '"text"', `[${JSON.stringify(least)}]`])(
    "attacks §1 not a JSON object: %s",
    (body) => {
      expect(faultOf(body)).toMatch(/^it is not (?:JSON|a JSON object)$/);
    },
  );
});

test("no member gives a client more than it may have", () => {
  const more = { first_party: true, skip_consent: true, scope: "mcp/admin", allowed_scopes: ["mcp/admin"] };
  expect(parse(more)).toEqual(parse({}));
});

test("what is wrong is told without what it says", () => {
  const text = faultOf(
    JSON.stringify({ ...least, client_id: "https://evil.example/told", token_endpoint_auth_method: "told" }),
  );
  expect(text).not.toContain("told");
});
