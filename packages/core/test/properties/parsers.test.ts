import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clientCredentialsOf, parseRedirectUri, parseRegistrationRequest } from "../../src/clients/index.ts";
import { deriveRootKeys } from "../../src/crypto/index.ts";
import { OAuthError } from "../../src/errors/index.ts";
import { parseHandleToken } from "../../src/grants/index.ts";
import { browserCookies, readForm, readJson, readQuery } from "../../src/http/index.ts";
import { parseAccessToken } from "../../src/keys/index.ts";
import { textsFor } from "../../src/pages/index.ts";
import { systemClock, systemRandom } from "../../src/runtime/index.ts";
import { resourceCatalog } from "../../src/verify/index.ts";

const runs = { numRuns: 2_000 };

/** Refuses what anything but an OAuthError is thrown for. */
async function onlyOAuthErrors(work: () => unknown): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    expect(error.status).toBeGreaterThanOrEqual(400);
    expect(error.status).toBeLessThan(500);
  }
}

const formNames = [
  "client_id",
  "client_secret",
  "grant_type",
  "code",
  "resource",
  "client_assertion",
  "client_assertion_type",
];
const piece = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.constantFrom("%", "%2", "%00", "+", "%zz", "%c3%28", "a=b"),
);
const formText = fc
  .array(fc.tuple(fc.oneof(fc.constantFrom(...formNames), piece), piece), { maxLength: 8 })
  .map((pairs) => pairs.map(([name, value]) => `${name}=${value}`).join("&"));
const latin1 = fc.stringMatching(/^[\x20-\x7e\xa0-\xff]{0,60}$/);
const base64 = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString("base64"));
const authorization = fc.oneof(
  latin1,
  base64.map((text) => `Basic ${text}`),
  fc.tuple(latin1, latin1).map(([id, secret]) => `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`),
);

const form = (body: string | Uint8Array) =>
  new Request("https://mcp.example.com/token", {
    method: "POST",
    body: typeof body === "string" ? body : Buffer.from(body),
    headers: { "content-type": "application/x-www-form-urlencoded" },
  });

describe("whatever is sent, a parser answers or throws an OAuthError", () => {
  test("forms, as text and as bytes", () =>
    fc.assert(
      fc.asyncProperty(fc.oneof(formText, fc.uint8Array({ maxLength: 200 })), async (body) => {
        await onlyOAuthErrors(() => readForm(form(body), 65_536));
      }),
      runs,
    ));

  test("queries", () =>
    fc.assert(
      fc.asyncProperty(fc.oneof(formText, fc.string({ unit: "binary" })), async (text) => {
        await onlyOAuthErrors(() => readQuery(new URL(`https://mcp.example.com/authorize?${text}`)));
      }),
      runs,
    ));

  test("client credentials, in the Authorization header and in the form", () =>
    fc.assert(
      fc.asyncProperty(fc.option(authorization), formText, async (header, body) => {
        await onlyOAuthErrors(async () => {
          const headers = new Headers(header === null ? {} : { authorization: header });
          const credentials = clientCredentialsOf(headers, await readForm(form(body), 65_536));
          expect(credentials.clientId).toEqual(expect.any(String));
        });
      }),
      runs,
    ));

  test("redirect URIs", () =>
    fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: "binary" }), fc.webUrl()), async (text) => {
        const policy = { callbackUrl: "https://mcp.example.com/auth/callback", customSchemes: ["cursor"] };
        await onlyOAuthErrors(() => expect(parseRedirectUri(text, policy)).toBe(text));
      }),
      runs,
    ));

  test("registrations: JSON of every shape", () => {
    const member = fc.constantFrom(
      "redirect_uris",
      "client_name",
      "grant_types",
      "jwks",
      "jwks_uri",
      "scope",
      "response_types",
      "token_endpoint_auth_method",
    );
    const body = fc.oneof(
      fc.jsonValue(),
      fc.dictionary(fc.oneof(member, fc.string()), fc.jsonValue()),
      fc.record({
        redirect_uris: fc.array(fc.webUrl(), { minLength: 1 }),
        client_name: fc.jsonValue(),
        jwks: fc.jsonValue(),
      }),
    );
    return fc.assert(
      fc.asyncProperty(
        fc.oneof(
          body.map((value) => JSON.stringify(value)),
          fc.string(),
        ),
        async (text) => {
          await onlyOAuthErrors(async () => {
            const request = new Request("https://mcp.example.com/register", {
              method: "POST",
              body: text,
              headers: { "content-type": "application/json" },
            });
            parseRegistrationRequest(await readJson(request, 65_536), registrationPolicy);
          });
        },
      ),
      runs,
    );
  });

  test("resource parameters, codes, refresh tokens, access tokens, cookies and Accept-Language are answered, never thrown at", () => {
    const keys = deriveRootKeys(["a root secret that is long enough for a test"]);
    const catalog = resourceCatalog(
      "https://mcp.example.com",
      [{ path: "/mcp", requiredScopes: [] }],
      () => [],
      undefined,
    );
    const dotted = fc.array(fc.base64String(), { maxLength: 6 }).map((parts) => parts.join("."));
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), dotted, fc.webUrl()), (text) => {
        expect(catalog.resolve(text)).toBeUndefined();
        expect(parseHandleToken(text, keys)).toBeUndefined();
        expect(parseAccessToken(text)).toEqual(expect.any(String));
      }),
      runs,
    );
    fc.assert(
      fc.property(latin1, (text) => {
        const request = new Request("https://mcp.example.com/", {
          headers: { cookie: text, "accept-language": text },
        });
        const deps = { baseUrl: "https://mcp.example.com", clock: systemClock, random: systemRandom };
        expect(browserCookies(request, "tx", deps)).toEqual([]);
        expect(textsFor(request).lang).toEqual(expect.any(String));
      }),
      runs,
    );
  });
});

const registrationPolicy: Parameters<typeof parseRegistrationRequest>[1] = {
  callbackUrl: "https://mcp.example.com/auth/callback",
  customSchemes: ["cursor"],
  capabilities: {
    clientGrantTypes: ["authorization_code", "refresh_token"],
    tokenEndpointAuthMethods: ["none", "client_secret_basic", "client_secret_post"],
  },
  scopes: {
    resolve: (name) => (name === "mcp/read" ? name : undefined),
    isIdentityScope: (name) => name === "openid",
    expand: (scopes) => [...scopes],
  },
  settings: { publicClientPatterns: ["*"] },
};
