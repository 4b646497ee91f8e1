import { byteSize, duration, entryFields, scopeReference } from "sallyport";
import { z } from "zod";
import { policyTest } from "../policy/expectation.ts";
import { allowRule, denyRule } from "../policy/rule.ts";
import { quota } from "../quotas/quota.ts";
import { hostName } from "./host-name.ts";
import { listenAddress } from "./listen-address.ts";
import { connections, tls } from "./listener.ts";
import { reservedNames } from "./reserved-names.ts";
import { telemetry } from "./telemetry.ts";
import { identityAssertion, secretHeader } from "./upstream-credential.ts";
import { upstreamUrl } from "./upstream-url.ts";

const server = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/, "a server name has 1 to 32 small letters, digits and hyphens")
    .refine((name) => !reservedNames.has(name), "this name is taken by a path of the gateway itself; choose another")
    .describe("Name of the server and first part of its path: /{name}/mcp."),
  url: upstreamUrl().describe("URL of the MCP endpoint behind the gateway; private and loopback addresses are fine."),
  hosts: z
    .array(hostName())
    .max(20)
    .default([])
    .describe(
      "Host names that it has to itself: it is at /mcp there, too. Each is a resource of its own, with its own tokens.",
    ),
  secretHeader: secretHeader.optional(),
  identityAssertion: identityAssertion.optional(),
  requiredScopes: z
    .array(scopeReference())
    .default([])
    .describe("Scopes without which no request to it passes; a scope that includes one of them counts."),
  timeout: duration({ min: "100ms", max: "1h" })
    .prefault("60s")
    .describe(
      "How long it may take until its response begins. A response that has begun may take as long as it likes.",
    ),
  accessTtl: duration({ min: "1m", max: "1h" })
    .optional()
    .describe("How long access tokens for it live; tokens.access_ttl when left out."),
  maxConcurrent: z
    .int()
    .min(1)
    .max(100_000)
    .default(256)
    .describe("The most requests that it has to deal with at a time. Streams that wait for news are not among them."),
  maxStreams: z
    .int()
    .min(1)
    .max(100_000)
    .default(10_000)
    .describe("The most streams that wait for news from it at a time: GET, and subscriptions/listen."),
  breaker: z
    .strictObject({
      failures: z
        .int()
        .min(0)
        .max(1000)
        .default(5)
        .describe("So many failures in a row and it is left alone: no connection, no answer in time. 0: never."),
      open: duration({ min: "100ms", max: "1h" })
        .prefault("10s")
        .describe("How long it is left alone, until one request tries whether it is back."),
    })
    .prefault({})
    .describe("When a server that does not answer is left alone for a while."),
  title: z.string().min(1).max(200).optional().describe("Shown on the consent page and in the metadata."),
});

/** The settings of the gateway. Each key has its default and its doc text here and nowhere else. */
export const gatewaySection = z.strictObject({
  servers: z
    .array(server)
    .default([])
    .superRefine((servers, context) => {
      const seen = new Set<string>();
      for (const [index, { name }] of servers.entries()) {
        if (seen.has(name)) {
          const message = `another server is named ${name} already`;
          context.addIssue({ code: "custom", path: [index, "name"], message });
        }
        seen.add(name);
      }
    })
    .describe("The MCP servers behind the gateway."),
  scopes: entryFields({
    allow: z
      .array(allowRule)
      .optional()
      .describe(
        "What it gives at servers. With a rule at any scope nothing else passes; without, required_scopes decides alone.",
      ),
  }),
  deny: z.array(denyRule).default([]).describe("What nobody may do, or some may not. It wins over what scopes give."),
  policyTests: z
    .array(policyTest)
    .default([])
    .describe("What the policy is meant to say. `sallyport policy test` compares."),
  listen: listenAddress().prefault("127.0.0.1:8000").describe("Where the gateway listens."),
  tls: tls.optional(),
  allowPlainHttp: z
    .boolean()
    .default(false)
    .describe(
      "Listens without TLS for other machines though no proxy is named in trusted_proxies: whoever sees the network sees the tokens.",
    ),
  workers: z
    .union([z.literal("auto"), z.int().min(1).max(128)])
    .default(1)
    .describe("Processes that `serve` runs behind one address; auto: one for each core."),
  connections: connections.prefault({}),
  maxRequestBody: byteSize().prefault("4MiB").describe("The largest request to an MCP server that is read."),
  eventStreamKeepAlive: duration({ min: "0s", max: "10m" })
    .prefault("15s")
    .describe(
      "An event stream that is silent for so long gets a comment, so that nothing on the way takes it for dead; 0s: never.",
    ),
  maxOpenRequests: z
    .int()
    .min(1)
    .max(100_000)
    .default(256)
    .describe("The most requests, open streams among them, that one user or machine may have open at a time."),
  quotas: z
    .array(quota)
    .max(100)
    .default([])
    .describe(
      "How often somebody may ask for something in a time, over all replicas. Each that concerns a request counts.",
    ),
  telemetry: telemetry.prefault({}),
});

/** Settings as the code sees them: durations in milliseconds, sizes in bytes. */
export type GatewayConfig = z.output<typeof gatewaySection>;
/** Settings as a caller writes them. */
export type GatewayConfigInput = z.input<typeof gatewaySection>;
/** One MCP server behind the gateway. */
export type ServerConfig = GatewayConfig["servers"][number];
