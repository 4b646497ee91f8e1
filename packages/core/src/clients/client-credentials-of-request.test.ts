import { describe, expect, test } from "vitest";
import { OAuthError } from "../errors/index.ts";
import { readQuery } from "../http/index.ts";
import { clientCredentialsOf } from "./index.ts";

const base64 = (text: string) => Buffer.from(text, "utf8").toString("base64");
const basic = (pair: string) => `Basic ${base64(pair)}`;

const jwtBearer = encodeURIComponent("urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
const assertion = (text: string) => `client_assertion_type=${jwtBearer}&client_assertion=${text}`;
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
const jwt = `${part({ alg: "ES256" })}.${part({ iss: "abc", sub: "abc", aud: "x", exp: 1, jti: "1" })}.c2ln`;

function read(authorization: string | undefined, form: string) {
  const headers = new Headers(authorization === undefined ? {} : { Authorization: authorization });
  try {
    return clientCredentialsOf(headers, readQuery(new URL(`http://x/?${form}`)));
  } catch (error) {
    if (error instanceof OAuthError) return { code: error.code, reason: error.reason, status: error.status };
    throw error;
  }
}

const malformed = { code: "invalid_client", reason: "client_auth_malformed", status: 401 };
const ambiguous = { code: "invalid_request", reason: "client_auth_ambiguous", status: 400 };

describe("credentials that are read", () => {
  test.each([
    ["public", undefined, "client_id=abc", { method: "none", clientId: "abc" }],
    ["empty secret", undefined, "client_id=abc&client_secret=", { method: "none", clientId: "abc" }],
    [
      "post",
      undefined,
      "client_id=abc&client_secret=s%26x",
      { method: "client_secret_post", clientId: "abc", clientSecret: "s&x" },
    ],
    ["an assertion, client_id left out", undefined, assertion(jwt), { method: "private_key_jwt", clientId: "abc" }],
    ["an assertion and client_id", undefined, `${assertion(jwt)}&client_id=abc`, { clientId: "abc" }],
    ["basic", basic("abc:s"), "", { method: "client_secret_basic", clientId: "abc", clientSecret: "s" }],
    ["basic, scheme in capitals", basic("abc:s").replace("Basic", "BASIC"), "", { clientSecret: "s" }],
    ["basic, empty secret", basic("abc:"), "", { method: "none", clientId: "abc" }],
    ["basic, same client_id in the form", basic("abc:s"), "client_id=abc", { method: "client_secret_basic" }],
    [
      "basic, form-encoded (RFC 6749 §2.3.1)",
      basic("https%3A%2F%2Fa.example%2Fc:a%3Ab%25+c"),
      "",
      { clientId: "https://a.example/c", clientSecret: "a:b% c" },
    ],
    ["basic, colon in the secret", basic("abc:a:b"), "", { clientId: "abc", clientSecret: "a:b" }],
    ["basic, UTF-8", basic("abc:ü"), "", { clientSecret: "ü" }],
  ])("%s", (_row, authorization, form, expected) => {
    expect(read(authorization, form)).toMatchObject(expected);
  });
});

describe("credentials that are refused", () => {
  test.each([
    ["nothing at all", undefined, "", malformed],
    ["a secret without a client", undefined, "client_secret=s", malformed],
    ["attacks §1 malformed Basic: no base64", "Basic ***", "client_id=abc", malformed],
    ["attacks §1 malformed Basic: nothing behind it", "Basic ", "client_id=abc", malformed],
    ["attacks §1 malformed Basic: no colon", basic("abc"), "", malformed],
    ["no client", basic(":s"), "", malformed],
    ["not UTF-8", `Basic ${Buffer.from([0x61, 0xff, 0x3a, 0x62]).toString("base64")}`, "", malformed],
    ["broken percent-encoding", basic("abc:%zz"), "", malformed],
    ["control character", basic("abc:%0a"), "", malformed],
    ["two headers", `${basic("abc:s")}, ${basic("abc:s")}`, "", malformed],
    ["too long", basic(`abc:${"x".repeat(10_000)}`), "", malformed],
    ["another scheme", "Bearer abc", "client_id=abc", malformed],
    ["attacks §1 both Basic and form", basic("abc:s"), "client_id=abc&client_secret=s", ambiguous],
    ["Basic and another client in the form", basic("abc:s"), "client_id=other", ambiguous],
    ["Basic and an assertion", basic("abc:s"), "client_assertion=x", ambiguous],
    ["secret and assertion", undefined, "client_id=abc&client_secret=s&client_assertion=x", ambiguous],
    ["an assertion without its type", undefined, "client_id=abc&client_assertion=x", malformed],
    ["an assertion of another type", undefined, "client_assertion_type=saml2&client_assertion=x", malformed],
    ["the type alone", undefined, `client_id=abc&client_assertion_type=${jwtBearer}`, malformed],
    ["an assertion that is no JWT", undefined, assertion("x.y"), { ...malformed, reason: "client_assertion_invalid" }],
    ["another client_id than the assertion's", undefined, `${assertion(jwt)}&client_id=other`, malformed],
    ["Basic and its type", basic("abc:s"), `client_assertion_type=${jwtBearer}`, ambiguous],
  ])("%s", (_row, authorization, form, expected) => {
    expect(read(authorization, form)).toEqual(expected);
  });
});
