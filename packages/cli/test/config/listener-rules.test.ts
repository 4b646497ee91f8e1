import { describe, expect, it } from "vitest";
import { loadGatewayConfig } from "../../src/config/load-gateway-config.ts";
import { CommandFailure } from "../../src/process/failure.ts";

const rest = `[cognito]
user_pool_id = "eu-central-1_AbCdEfGhI"
client_id = "4example"
client_secret = "none"
domain = "example"
[[servers]]
name = "notes"
url = "http://127.0.0.1:3001/mcp"
required_scopes = ["mcp/read"]
[scopes."mcp/read"]
`;
const tls = '[tls]\ncertificate = "fullchain.pem"\nkey = "key.pem"\n';

/** What is said of settings whose first lines are these. */
async function judge(top: string, tables = "") {
  const baseUrl = top.includes("base_url") ? "" : 'base_url = "https://mcp.example.com"\n';
  try {
    const { config, warnings } = await loadGatewayConfig({
      env: {},
      text: `${baseUrl}${top}\n${tables}${rest}`,
      file: "sallyport.toml",
    });
    return { config, said: warnings.map(({ setting, message }) => `warning: ${setting}: ${message}`) };
  } catch (error) {
    if (error instanceof CommandFailure) return { config: undefined, said: error.lines };
    throw error;
  }
}

describe("plain http", () => {
  it.each(["127.0.0.1:8000", "[::1]:8000", "localhost:8000", "127.1.2.3:80"])(
    "is fine on loopback: %s",
    async (listen) => {
      expect((await judge(`listen = "${listen}"`)).said).toEqual([]);
    },
  );

  it.each(["0.0.0.0:8000", "[::]:8000", "10.0.0.7:80", "mcp.example.com:80", "[::ffff:10.0.0.7]:80"])(
    "on %s is refused, with the three ways out",
    async (listen) => {
      const host = listen.replace(/:\d+$/, "").replace(/[[\]]/g, "");
      expect((await judge(`listen = "${listen}"`)).said).toEqual([
        `listen (sallyport.toml:2): ${host} is open to other machines, and nothing there ends TLS: give tls.certificate and tls.key, or name the proxy that does so in trusted_proxies, or set allow_plain_http to true`,
      ]);
    },
  );

  it.each([
    ["a proxy that is named", 'trusted_proxies = ["10.0.0.0/8"]', ""],
    ["a certificate", "", tls],
  ])("elsewhere is fine with %s", async (_, line, table) => {
    expect((await judge(`listen = "0.0.0.0:8000"\n${line}`, table)).said).toEqual([]);
  });

  it("elsewhere is taken with a warning where it is asked for", async () => {
    expect((await judge('listen = "0.0.0.0:8000"\nallow_plain_http = true')).said).toEqual([
      "warning: allow_plain_http: is set, and 0.0.0.0 is not loopback: whoever sees the network sees every token; prefer tls.certificate and tls.key",
    ]);
  });
});

it("a certificate wants a base_url of https", async () => {
  expect((await judge('base_url = "http://localhost:8000"', tls)).said).toEqual([
    "base_url (sallyport.toml:1): must be https, as the listener speaks TLS with tls",
  ]);
});

it("a certificate without its key is not enough", async () => {
  expect((await judge("", '[tls]\ncertificate = "fullchain.pem"\n')).said).toEqual([
    "sallyport.toml: tls.key (default): is missing: set tls.key, or the variable SALLYPORT_TLS_KEY",
  ]);
});

describe("connections", () => {
  it("headers may not take longer than the request that they begin", async () => {
    const { said } = await judge("", '[connections]\nheader_timeout = "3m"\n');
    expect(said).toEqual([
      "connections.header_timeout (sallyport.toml:4): must not be longer than connections.request_timeout, which counts the headers too",
    ]);
  });

  it.each([
    ['header_size = "1KiB"', /^connections\.header_size .*must be at least 4KiB/],
    ['header_size = "2MiB"', /^connections\.header_size .*must be at most 1MiB/],
    ["max = 0", /^connections\.max /],
    ['keep_alive = "0s"', /^connections\.keep_alive .*must be at least 1s/],
    ['write_timeout = "1ms"', /^connections\.write_timeout .*must be at least 100ms/],
  ])("%s is refused", async (line, message) => {
    expect((await judge("", `[connections]\n${line}\n`)).said).toEqual([expect.stringMatching(message)]);
  });

  it("have defaults that suit load balancers: kept for longer than the 60 s of an ALB and of nginx", async () => {
    const { config } = await judge("");
    expect(config?.connections).toEqual({
      max: 20_000,
      maxPerAddress: 1000,
      headerSize: 16_384,
      headerTimeout: 15_000,
      requestTimeout: 120_000,
      writeTimeout: 60_000,
      keepAlive: 90_000,
    });
  });
});

describe("workers", () => {
  it.each(['workers = "auto"', "workers = 2"])("%s: not over the memory of one process", async (line) => {
    expect((await judge(`store = "memory:"\n${line}`)).said).toEqual([
      "store (sallyport.toml:2): memory: is one process's own, and workers asks for several; take sqlite:./path, redis:// or dynamodb://",
    ]);
  });

  it.each(["workers = 0", "workers = 1.5", "workers = 129", 'workers = "many"'])("%s is refused", async (line) => {
    expect((await judge(line)).said).toEqual([expect.stringMatching(/^workers \(sallyport\.toml:2\): /)]);
  });

  it("one is the default, and goes with every store", async () => {
    const { config, said } = await judge('store = "memory:"');
    expect([config?.workers, said]).toEqual([1, []]);
  });
});
