import {
  Client,
  type ClientOptions,
  type FetchLike,
  StreamableHTTPClientTransport,
} from "@modelcontextprotocol/client";
import { onTestFinished } from "vitest";
import { type DemoClock, type DemoServerName, startDemoServers } from "../src/demo/index.ts";

/** The protocol eras a server is tried in. */
export const eras = ["2025-11-25", "2026-07-28"] as const;
export type Era = (typeof eras)[number];

/** The demo servers, until the test ends. */
export async function startDemo(
  clock?: DemoClock,
): Promise<{ url(name: DemoServerName): string; close(): Promise<void> }> {
  const demo = await startDemoServers(clock === undefined ? {} : { clock });
  onTestFinished(() => demo.close());
  return {
    close: demo.close,
    url(name) {
      const found = demo.servers.find((server) => server.name === name);
      if (found === undefined) throw new Error(`${name} is not served`);
      return found.url;
    },
  };
}

/** The SDK's client, speaking one era, until the test ends. */
export async function connect(
  url: string,
  era: Era,
  { fetch, ...options }: ClientOptions & { readonly fetch?: FetchLike } = {},
): Promise<Client> {
  const mode = era === "2025-11-25" ? "legacy" : { pin: era };
  const client = new Client({ name: "test", version: "1" }, { ...options, versionNegotiation: { mode } });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), fetch === undefined ? {} : { fetch }));
  onTestFinished(() => client.close());
  return client;
}
