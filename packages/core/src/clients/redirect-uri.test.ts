import { describe, expect, test } from "vitest";
import { OAuthError } from "../errors/index.ts";
import { parseRedirectUri } from "./index.ts";

const policy = {
  callbackUrl: "https://auth.example.com/auth/callback",
  customSchemes: ["cursor", "vscode", "vscode-insiders"],
};
const local = { ...policy, callbackUrl: "http://localhost:8000/auth/callback" };

/** What the registration endpoint says to one redirect URI. */
function faultOf(uri: string, rules = policy): string {
  try {
    parseRedirectUri(uri, rules);
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    expect([error.code, error.reason, error.status]).toEqual(["invalid_redirect_uri", "redirect_uri_invalid", 400]);
    return error.message;
  }
  return "allowed";
}

describe("redirect URIs that clients use are registered unchanged", () => {
  test.each([
    ["Claude", "https://claude.ai/api/mcp/auth_callback"],
    ["ChatGPT", "https://chatgpt.com/connector/oauth/abc-123"],
    ["VS Code", "https://insiders.vscode.dev/redirect"],
    ["VS Code", "https://vscode.dev/redirect"],
    ["VS Code", "http://127.0.0.1/"],
    ["VS Code", "http://127.0.0.1:33418/"],
    ["Cursor", "cursor://anysphere.cursor-mcp/oauth/callback"],
    ["Cursor", "https://www.cursor.com/agents/mcp/oauth/callback"],
    ["Cursor", "http://localhost:8787/callback"],
    ["Claude Code", "http://localhost/callback"],
    ["Gemini CLI", "http://localhost:7777/oauth/callback"],
    ["opencode", "http://127.0.0.1:19876/mcp/oauth/callback"],
    ["RFC 8252 §7.1", "com.example.app:/oauth2redirect/example-provider"],
    ["RFC 8252 §7.3", "http://[::1]:61023/oauth2redirect"],
    ["loopback, whole 127/8", "http://127.8.9.10:4000/cb"],
    ["https on an explicit port", "https://app.example.com:8443/cb"],
    ["with a query", "https://app.example.com/cb?tenant=a%2Fb&x=%2e"],
    ["internationalised host", "https://xn--mnchen-3ya.example/cb"],
  ])("%s: %s", (_client, uri) => {
    expect(parseRedirectUri(uri, policy)).toBe(uri);
  });
});

describe("redirect URIs that are refused, each for its own rule", () => {
  test.each([
    ["attacks §1 userinfo", "https://user:secret@app.example.com/cb", "user name"],
    ["attacks §4 FM 4.16.8 localhost:x@evil", "http://localhost:x@evil.example/cb", "user name"],
    ["userinfo in a custom scheme", "cursor://a@b/cb", "user name"],
    ["attacks §1 backslash", "https://app.example.com\\@evil.example/cb", "backslash"],
    ["attacks §1 fragment", "https://app.example.com/cb#x", "fragment"],
    ["attacks §1 empty fragment", "https://app.example.com/cb#", "fragment"],
    ["attacks §1 %2e", "https://app.example.com/a/%2e%2e/cb", "encoded dot"],
    ["attacks §1 %2E", "https://app.example.com/a/%2E/cb", "encoded dot"],
    ["attacks §5 dot segments", "https://app.example.com/a/../cb", "dot segment"],
    ["dot segment at the end", "https://app.example.com/a/.", "dot segment"],
    ["dot segment of a custom scheme", "com.example.app:/a/../cb", "dot segment"],
    ["encoded backslash", "https://app.example.com/%5Ccb", "encoded dot or backslash"],
    ["encoded line break", "https://app.example.com/cb?x=%0d%0aSet-Cookie", "encoded control"],
    ["broken percent-encoding", "https://app.example.com/%zz", "percent-encoding"],
    ["percent-encoded host", "https://app%2eexample.com/cb", "host is percent-encoded"],
    ["attacks §4 CF #97 mixed-case scheme", "JavaScript:alert(1)", "lower case"],
    ["mixed-case https", "HTTPS://app.example.com/cb", "lower case"],
    ["attacks §4 CF #97 leading white space", " https://app.example.com/cb", "white space"],
    ["attacks §4 CF #97 tab inside the scheme", "java\tscript:alert(1)", "control character"],
    ["attacks §4 CF #97 line break", "https://app.example.com/cb\n", "control character"],
    ["NUL", "https://app.example.com/\0cb", "control character"],
    ["not ASCII", "https://bücher.example/cb", "ASCII"],
    ["full-width dot", "https://app。example.com/cb", "ASCII"],
    ["attacks §1 javascript", "javascript:alert(1)", "javascript is never allowed"],
    ["attacks §1 data", "data:text/html,x", "data is never allowed"],
    ["attacks §1 blob", "blob:https://app.example.com/1", "blob is never allowed"],
    ["attacks §1 about", "about:blank", "about is never allowed"],
    ["file", "file:///etc/passwd", "file is never allowed"],
    ["vbscript", "vbscript:x", "vbscript is never allowed"],
    ["attacks §3 ftp", "ftp://app.example.com/cb", "ftp is never allowed"],
    ["ws", "ws://app.example.com/cb", "ws is never allowed"],
    ["wss", "wss://app.example.com/cb", "wss is never allowed"],
    ["attacks §1 wildcard across /", "https://*.example.com/*", "wildcard"],
    ["wildcard in the path", "https://app.example.com/*", "wildcard"],
    ["http beyond loopback", "http://app.example.com/cb", "use https"],
    ["attacks §1 localhost subdomain", "http://app.localhost:3000/cb", "use https"],
    ["localhost as a prefix", "http://localhost.evil.example/cb", "use https"],
    ["127 as a prefix", "http://127.0.0.1.evil.example/cb", "use https"],
    ["unspecified address", "http://0.0.0.0:3000/cb", "use https"],
    ["short IPv4", "http://127.1:3000/cb", "canonical"],
    ["decimal IPv4", "http://2130706433/cb", "canonical"],
    ["hexadecimal IPv4", "http://0x7f.0.0.1/cb", "canonical"],
    ["octal IPv4", "http://0177.0.0.1/cb", "canonical"],
    ["host in capitals", "https://App.Example.com/cb", "canonical"],
    ["host with a trailing dot", "https://app.example.com./cb", "dot"],
    ["long IPv6 loopback", "http://[0:0:0:0:0:0:0:1]/cb", "canonical"],
    ["attacks §4 BA #9226 mapped IPv4", "https://[::ffff:169.254.169.254]/cb", "inside an IPv6"],
    ["mapped IPv4, hexadecimal", "http://[::ffff:7f00:1]/cb", "inside an IPv6"],
    ["mapped IPv4, long", "http://[0:0:0:0:0:ffff:7f00:1]/cb", "inside an IPv6"],
    ["attacks §1 NAT64", "https://[64:ff9b::a9fe:a9fe]/cb", "inside an IPv6"],
    ["IPv4-compatible", "https://[::7f00:1]/cb", "inside an IPv6"],
    ["no host", "https:///cb", "canonical"],
    ["one slash", "https:/app.example.com/cb", "write https://"],
    ["port 0", "http://localhost:0/cb", "port"],
    ["port with a leading zero", "https://app.example.com:0443/cb", "port"],
    ["port too large", "https://app.example.com:70000/cb", "valid URL"],
    ["scheme neither listed nor reverse-DNS", "myapp://cb", "listed"],
    ["opaque custom scheme", "com.example.app:cb", "and a path"],
    ["relative", "/cb", "no scheme"],
    ["empty", "", "no scheme"],
    ["too long", `https://app.example.com/${"a".repeat(2048)}`, "longer than"],
    ["our parameter in the query", "https://app.example.com/cb?code=x", "already has code"],
    ["our parameter, encoded", "https://app.example.com/cb?%73tate=x", "already has state"],
    ["markup", 'https://app.example.com/"><script>', "percent-encoded"],
    ["attacks §3 our own callback", "https://auth.example.com/auth/callback", "own callback"],
    ["our own callback with a query", "https://auth.example.com/auth/callback?x=1", "own callback"],
    ["our own callback with a slash", "https://auth.example.com/auth/callback/", "own callback"],
    ["our own callback, port spelled out", "https://auth.example.com:443/auth/callback", "own callback"],
  ])("%s: %j", (_row, uri, fault) => {
    expect(faultOf(uri)).toContain(fault);
  });

  test("a dangerous scheme stays refused when it is configured", () => {
    expect(faultOf("javascript:/x", { ...policy, customSchemes: ["javascript"] })).toContain("never allowed");
  });

  test("a listed scheme is allowed for nobody who did not list it", () => {
    expect(faultOf("cursor://anysphere.cursor-mcp/oauth/callback", { ...policy, customSchemes: [] })).toContain(
      "listed",
    );
  });
});

describe("our own callback on loopback is the same under every name of the machine", () => {
  test.each([
    ["http://localhost:8000/auth/callback"],
    ["http://127.0.0.1:8000/auth/callback"],
    ["http://[::1]:8000/auth/callback"],
    ["http://127.0.0.1/auth/callback"],
  ])("%s", (uri) => {
    expect(faultOf(uri, local)).toContain("own callback");
  });

  test("another port with the same path belongs to another program", () => {
    expect(faultOf("http://localhost:1455/auth/callback", local)).toBe("allowed");
  });
});
