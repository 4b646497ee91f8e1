import { describe, expect, test } from "vitest";
import { clientIdUrlFault, isClientIdUrl } from "./client-id-url.ts";

describe("which ids mean a document", () => {
  test.each([
    ["https://client.example/c", true],
    ["http://client.example/c", true],
    ["HTTPS://client.example/c", true],
    ["https:client", true],
    ["httpsclient", false],
    ["claude", false],
    ["urn:client", false],
    ["x".repeat(43), false],
    ["", false],
  ])("%s: %s", (id, means) => {
    expect(isClientIdUrl(id)).toBe(means);
  });
});

describe("URLs that are published", () => {
  test.each([
    "https://claude.ai/oauth/mcp-oauth-client-metadata",
    "https://claude.ai/oauth/claude-code-client-metadata",
    "https://chatgpt.com/oauth/client.json",
    "https://chatgpt.com/oauth/a1b2c3/client.json",
    "https://chatgpt.com/oauth/codex/client.json",
    "https://vscode.dev/oauth/client-metadata.json",
    "https://opencode.ai/oauth/opencode/client.json",
    "https://xn--bcher-kva.example/client",
    "https://client.example/a/",
    "https://client.example/a//b",
    "https://client.example/caf%C3%A9",
    "https://client.example/.well-known/client",
    "https://client.example/...",
  ])("%s", (url) => {
    expect(clientIdUrlFault(url)).toBeUndefined();
  });
});

describe("draft-ietf-oauth-client-id-metadata-document §3, on the text itself", () => {
  test.each<[string, string, string]>([
    ["http", "http://client.example/c", "https://"],
    ["scheme in capitals", "HTTPS://client.example/c", "https://"],
    ["one slash", "https:/client.example/c", "https://"],
    ["backslashes for slashes", "https:\\\\client.example\\c", "https://"],
    ["no path", "https://client.example", "no path"],
    ["no path but /", "https://client.example/", "no path"],
    ["no path but slashes", "https://client.example//", "no path"],
    ["query alone", "https://client.example?c", "query"],
    ["query", "https://client.example/c?x=1", "query"],
    ["empty query", "https://client.example/c?", "query"],
    ["fragment", "https://client.example/c#x", "fragment"],
    ["empty fragment", "https://client.example/c#", "fragment"],
    ["user name", "https://user@client.example/c", "user name"],
    ["user name and password", "https://user:pass@client.example/c", "user name"],
    ["another host as user name", "https://claude.ai@evil.example/c", "user name"],
    ["a path before @", "https://claude.ai\\@evil.example/c", "backslash"],
    ["port", "https://client.example:8443/c", "port"],
    ["the default port", "https://client.example:443/c", "port"],
    ["dot segment", "https://client.example/./c", "dot segment"],
    ["dot dot segment", "https://client.example/a/../c", "dot segment"],
    ["dot dot at the end", "https://client.example/a/..", "dot segment"],
    ["encoded dot", "https://client.example/%2e/c", "encoded dot"],
    ["encoded dot dot", "https://client.example/a/%2e%2E/c", "encoded dot"],
    ["half encoded dot dot", "https://client.example/a/.%2e/c", "encoded dot"],
    ["encoded slash", "https://client.example/a%2fb", "slash"],
    ["encoded backslash", "https://client.example/a%5Cb", "backslash"],
    ["backslash in the path", "https://client.example/a\\b", "backslash"],
    ["encoded NUL", "https://client.example/a%00", "control character"],
    ["encoded line break", "https://client.example/a%0d%0ab", "control character"],
    ["encoded DEL", "https://client.example/a%7f", "control character"],
    ["line break", "https://client.example/a\nb", "white space"],
    ["tab in the host", "https://client.ex\tample/c", "white space"],
    ["space", "https://client.example/a b", "white space"],
    ["space before", " https://client.example/c", "https://"],
    ["not ASCII", "https://bücher.example/c", "not ASCII"],
    ["broken encoding", "https://client.example/a%2", "percent-encoding"],
    ["markup", "https://client.example/<c>", "percent-encoded"],
    ["host in capitals", "https://Client.example/c", "lower case"],
    ["encoded host", "https://client%2eexample/c", "full domain name"],
    ["trailing dot of the host", "https://client.example./c", "full domain name"],
    ["empty label", "https://client..example/c", "full domain name"],
    ["single label", "https://localhost/c", "full domain name"],
    ["no host", "https:///c", "full domain name"],
    ["wildcard", "https://*.client.example/c", "full domain name"],
    ["IPv4 address", "https://8.8.8.8/c", "address"],
    ["short IPv4 address", "https://127.1/c", "address"],
    ["decimal IPv4 address", "https://2130706433/c", "address"],
    ["hexadecimal IPv4 address", "https://0x7f.0.0.0x1/c", "canonical"],
    ["IPv6 address", "https://[2606:4700::1111]/c", "address"],
    ["too long", `https://client.example/${"c".repeat(1024)}`, "longer than"],
  ])("%s: %s", (_what, url, fault) => {
    expect(clientIdUrlFault(url)).toContain(fault);
  });
});
