import { showConfig } from "sallyport";
import { describe, expect, it } from "vitest";
import { loadGatewayConfig } from "../../src/config/load-gateway-config.ts";
import { CommandFailure } from "../../src/process/failure.ts";

async function judge(baseUrl: string, servers: string, env: Record<string, string> = {}) {
  const text = `base_url = "${baseUrl}"
[cognito]
user_pool_id = "eu-central-1_AbCdEfGhI"
client_id = "4example"
client_secret = "none"
domain = "example"
[scopes]
"mcp/read" = {}
[groups]
readers = ["mcp/read"]
${servers}`;
  try {
    const { warnings } = await loadGatewayConfig({ env, text, file: "sallyport.toml" });
    return warnings.map(({ setting, message }) => `${setting}: ${message}`);
  } catch (error) {
    if (error instanceof CommandFailure) return error.lines;
    throw error;
  }
}

const server = (name: string, settings: string) =>
  `[[servers]]\nname = "${name}"\nurl = "http://127.0.0.1:3001/mcp"\n${settings}\n`;
const https = "https://mcp.example.com";
const overrides = {
  cognito: { userPoolId: "eu-central-1_AbCdEfGhI", clientId: "4example", clientSecret: null, domain: "example" },
};

describe("host names of servers", () => {
  it("pass where each is a server's own", async () => {
    const two =
      server("notes", `hosts = ["notes.mcp.example.com", "n.example.org"]`) +
      server("clock", `hosts = ["clock.mcp.example.com"]`);
    expect(await judge(https, two)).toEqual([]);
    expect(await judge("https://mcp.example.com:8443", server("notes", `hosts = ["notes.example.com:8443"]`))).toEqual(
      [],
    );
    expect(await judge("http://localhost:8000", server("notes", `hosts = ["notes.localhost:8000"]`))).toEqual([]);
  });

  it.each([
    ["the gateway's own", https, `hosts = ["mcp.example.com"]`, /servers\[0\]\.hosts\[0\].*is the host of base_url/],
    [
      "one twice",
      https,
      `hosts = ["n.example.com", "n.example.com"]`,
      /hosts\[1\].*stands at servers\[0\]\.hosts\[0\] already/,
    ],
    [
      "a port that is not the gateway's",
      https,
      `hosts = ["n.example.com:8443"]`,
      /another port than base_url; write n\.example\.com$/,
    ],
    ["a default port", https, `hosts = ["n.example.com:443"]`, /write n\.example\.com$/],
    [
      "no port where there is one",
      "https://mcp.example.com:8443",
      `hosts = ["n.example.com"]`,
      /write n\.example\.com:8443$/,
    ],
    [
      "names that would travel in the clear",
      "http://localhost:8000",
      `hosts = ["n.example.com:8000"]`,
      /travel in the clear/,
    ],
  ])("%s", async (_what, baseUrl, settings, message) => {
    const lines = await judge(baseUrl, server("notes", settings));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(message);
  });

  it("one for two servers, and one of a resource", async () => {
    const two =
      server("notes", `hosts = ["n.example.com"]`) + server("clock", `hosts = ["n.example.com", "r.example.com"]`);
    const lines = await judge(
      https,
      `${two}[[resources]]\npath = "/own"\nurls = ["https://r.example.com/own", "https://mcp.example.com/x"]\n`,
    );
    expect(lines).toEqual([
      expect.stringMatching(/resources\[0\]\.urls\[1\].*is on the host of base_url/),
      expect.stringMatching(/servers\[1\]\.hosts\[0\].*stands at servers\[0\]\.hosts\[0\] already/),
      expect.stringMatching(/servers\[1\]\.hosts\[1\].*stands at resources\[0\]\.urls\[0\] already/),
    ]);
  });
});

describe("what a server is shown", () => {
  const secret = (more = "") => `[servers.secret_header]\nname = "X-Api-Key"\nvalue = "env:NOTES_KEY"\n${more}`;

  it("takes its secret from the environment", async () => {
    expect(await judge(https, server("notes", secret()), { NOTES_KEY: "s3cret-of-notes" })).toEqual([]);
    expect(await judge(https, server("notes", secret()))).toEqual([
      expect.stringMatching(
        /servers\[0\]\.secret_header\.value.*the environment variable NOTES_KEY is not set; set it/,
      ),
    ]);
  });

  it("is masked where settings are shown", async () => {
    const text = `base_url = "${https}"\n${server("notes", secret())}`;
    const loaded = await loadGatewayConfig({ env: { NOTES_KEY: "s3cret-of-notes" }, text, file: "s.toml", overrides });
    const shown = showConfig(loaded);
    expect(shown).toContainEqual(expect.objectContaining({ setting: "servers[0].secret_header.value", value: "••••" }));
    expect(JSON.stringify(shown)).not.toContain("s3cret");
  });

  it("never repeats one that cannot be a header's value", async () => {
    const [line = ""] = await judge(https, server("notes", secret()), { NOTES_KEY: "s3cret\nof-notes" });
    expect(line).toMatch(/secret_header\.value.*visible ASCII/);
    expect(line).not.toContain("s3cret");
  });

  it("has one header for each", async () => {
    const both = secret(`[servers.identity_assertion]\nheader = "x-api-key"\n`);
    expect(await judge(https, server("notes", both), { NOTES_KEY: "s3cret-of-notes" })).toEqual([
      expect.stringMatching(
        /identity_assertion\.header.*same header as servers\[0\]\.secret_header\.name; take another/,
      ),
    ]);
  });
});
