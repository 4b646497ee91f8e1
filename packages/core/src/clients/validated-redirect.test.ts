import { describe, expect, expectTypeOf, test } from "vitest";
import {
  appendToRedirect,
  isLoopbackRedirect,
  matchRedirectUri,
  parseRedirectUri,
  redirectHost,
  type ValidatedRedirect,
} from "./index.ts";

/** A redirect that has been matched, as every other part of the server gets it. */
function matched(uri: string): ValidatedRedirect {
  const redirect = matchRedirectUri([uri], uri);
  if (redirect === undefined) throw new Error(`${uri} does not match itself`);
  return redirect;
}

describe("matching a presented redirect URI", () => {
  test.each([
    ["exact", "https://a.example/cb", "https://a.example/cb", true],
    ["trailing slash", "https://a.example/cb", "https://a.example/cb/", false],
    ["root with and without slash", "http://127.0.0.1", "http://127.0.0.1/", false],
    ["other host", "https://a.example/cb", "https://b.example/cb", false],
    ["other letter case", "https://a.example/cb", "https://a.example/CB", false],
    ["more query", "https://a.example/cb", "https://a.example/cb?x=1", false],
    ["added fragment", "https://a.example/cb", "https://a.example/cb#", false],
    ["https takes no other port", "https://a.example/cb", "https://a.example:8443/cb", false],
    ["https takes no default port", "https://a.example/cb", "https://a.example:443/cb", false],
    ["encoded alike is not alike", "https://a.example/cb", "https://a.example/%63b", false],
    ["https localhost takes no other port", "https://localhost/cb", "https://localhost:4000/cb", false],
    ["RFC 8252 §7.3 other port", "http://127.0.0.1:3000/cb", "http://127.0.0.1:51999/cb", true],
    ["attacks §4 FM loopback with another port", "http://localhost:3000/cb", "http://localhost:4000/cb", true],
    ["registered without port", "http://localhost/callback", "http://localhost:51999/callback", true],
    ["presented without port", "http://localhost:3000/cb", "http://localhost/cb", true],
    ["IPv6 loopback", "http://[::1]/cb", "http://[::1]:5000/cb", true],
    ["localhost is not 127.0.0.1", "http://localhost:3000/cb", "http://127.0.0.1:3000/cb", false],
    ["127.0.0.1 is not 127.0.0.2", "http://127.0.0.1/cb", "http://127.0.0.2/cb", false],
    ["127.0.0.1 is not [::1]", "http://127.0.0.1:3000/cb", "http://[::1]:3000/cb", false],
    ["loopback, other path", "http://localhost:3000/cb", "http://localhost:4000/cb2", false],
    ["loopback, other query", "http://localhost:3000/cb?a=1", "http://localhost:4000/cb?a=2", false],
    ["loopback, other scheme", "http://localhost:3000/cb", "https://localhost:3000/cb", false],
    ["loopback with userinfo", "http://localhost:3000/cb", "http://localhost:x@evil.example/cb", false],
    ["loopback as a prefix", "http://localhost/cb", "http://localhost.evil.example/cb", false],
    ["http beyond loopback takes no other port", "http://10.0.0.1:3000/cb", "http://10.0.0.1:4000/cb", false],
    ["port of six digits", "http://localhost/cb", "http://localhost:100000/cb", false],
    ["port too large", "http://localhost/cb", "http://localhost:65536/cb", false],
    ["port 0", "http://localhost/cb", "http://localhost:0/cb", false],
    ["port with a leading zero", "http://localhost/cb", "http://localhost:08080/cb", false],
    ["port that is none", "http://localhost/cb", "http://localhost:/cb", false],
    ["custom scheme, exact", "cursor://x/cb", "cursor://x/cb", true],
    ["custom scheme, other host", "cursor://x/cb", "cursor://y/cb", false],
    ["attacks §4 FM pattern is no pattern", "https://*.example.com/*", "https://evil.test/.example.com/cb", false],
    ["a dot is no wildcard", "https://a.example/cb", "https://axexample/cb", false],
    ["a configured javascript: redirect", "javascript:alert(1)", "javascript:alert(1)", false],
    ["a configured redirect with a line break", "https://a.example/\r\nX: y", "https://a.example/\r\nX: y", false],
  ])("%s: %s ← %s", (_row, registered, presented, matches) => {
    expect(matchRedirectUri(["https://other.example/", registered], presented)).toBe(matches ? presented : undefined);
  });

  test("nothing registered matches nothing", () => {
    expect(matchRedirectUri([], "https://a.example/cb")).toBeUndefined();
  });

  test("any single change of a registered redirect, but for a loopback port, no longer matches", () => {
    const policy = { callbackUrl: "https://auth.example.com/auth/callback", customSchemes: ["cursor"] };
    const uris = ["https://a.example/cb?x=1", "http://localhost:3000/a/cb", "http://[::1]/cb", "cursor://a.b/cb"];
    const inserted = [..."/?#@:.%\\*0aA \0&="];
    let tried = 0;
    for (const uri of uris) {
      parseRedirectUri(uri, policy);
      const portless = uri.replace(/^(http:\/\/[^/:[]+|http:\/\/\[::1\]):\d+/, "$1");
      for (let at = 0; at <= uri.length; at++) {
        const cut = uri.slice(0, at) + uri.slice(at + 1);
        for (const changed of [cut, ...inserted.map((text) => uri.slice(0, at) + text + uri.slice(at))]) {
          if (changed === uri) continue;
          const portOnly = /^http:/.test(uri) && /^(http:\/\/(?:localhost|\[::1\])):[1-9]\d*(?=\/)/.test(changed);
          const expected = portOnly && changed.replace(/^(http:\/\/(?:localhost|\[::1\])):\d+/, "$1") === portless;
          expect([changed, matchRedirectUri([uri], changed) !== undefined]).toEqual([changed, expected]);
          tried++;
        }
      }
    }
    expect(tried).toBeGreaterThan(1000);
  });

  test("every port of a loopback redirect matches", () => {
    for (let port = 1; port <= 65_535; port += 257) {
      expect(matchRedirectUri(["http://127.0.0.1/cb"], `http://127.0.0.1:${port}/cb`)).toBeDefined();
    }
  });

  test("a text is no validated redirect", () => {
    expectTypeOf<string>().not.toExtend<ValidatedRedirect>();
  });
});

describe("what the consent page says of a redirect", () => {
  test.each([
    ["https://chatgpt.com/connector/oauth/1", "chatgpt.com", false],
    ["https://app.example.com:8443/cb", "app.example.com:8443", false],
    ["http://localhost:51234/callback", "localhost:51234", true],
    ["http://127.9.9.9/cb", "127.9.9.9", true],
    ["http://[::1]:80/cb", "[::1]", true],
    ["https://localhost:8443/cb", "localhost:8443", true],
    ["https://localhost.evil.example/cb", "localhost.evil.example", false],
    ["cursor://anysphere.cursor-mcp/oauth/callback", "cursor:", false],
    ["com.example.app:/cb", "com.example.app:", false],
    ["cursor://localhost/cb", "cursor:", false],
  ])("%s", (uri, host, loopback) => {
    expect([redirectHost(matched(uri)), isLoopbackRedirect(matched(uri))]).toEqual([host, loopback]);
  });
});

describe("appending an answer to a redirect", () => {
  test.each([
    ["https://a.example/cb", "https://a.example/cb?code=c"],
    ["https://a.example", "https://a.example?code=c"],
    ["https://a.example/cb?x=a%2Fb", "https://a.example/cb?x=a%2Fb&code=c"],
    ["https://a.example/cb?x=%2f+~", "https://a.example/cb?x=%2f+~&code=c"],
    ["https://a.example/cb?", "https://a.example/cb?code=c"],
    ["https://a.example/cb?x=1&", "https://a.example/cb?x=1&code=c"],
    // A query that itself ends with a question mark made the parameter's name "?code".
    ["https://a.example/cb??", "https://a.example/cb??&code=c"],
    ["https://a.example/cb?x=?", "https://a.example/cb?x=?&code=c"],
    ["cursor://anysphere.cursor-mcp/oauth/callback", "cursor://anysphere.cursor-mcp/oauth/callback?code=c"],
    ["com.example.app:/cb", "com.example.app:/cb?code=c"],
  ])("%s keeps every byte", (uri, location) => {
    expect(appendToRedirect(matched(uri), { code: "c" })).toBe(location);
  });

  test("values come back as they were, whatever is in them", () => {
    const state = 'a b+c&d=e#f%"<>\u00fc\r\n';
    const location = appendToRedirect(matched("https://a.example/cb"), { state, iss: "https://i.example" });
    expect(location).not.toMatch(/[\s+#"<>]/);
    expect(new URL(location).searchParams.get("state")).toBe(state);
    expect(new URL(location).searchParams.get("iss")).toBe("https://i.example");
  });
});
