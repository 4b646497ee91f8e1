import { byteSize, duration, entryFields, scopeReference } from "sallyport";
import { z } from "zod";
import { policyTest } from "../policy/expectation.ts";
import { allowRule, denyRule } from "../policy/rule.ts";
import { listenAddress } from "./listen-address.ts";
import { reservedNames } from "./reserved-names.ts";
import { upstreamUrl } from "./upstream-url.ts";

const server = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/, "a server name has 1 to 32 small letters, digits and hyphens")
    .refine((name) => !reservedNames.has(name), "this name is taken by a path of the gateway itself; choose another")
    .describe("Name of the server and first part of its path: /{name}/mcp."),
  url: upstreamUrl().describe("URL of the MCP endpoint behind the gateway; private and loopback addresses are fine."),
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
  maxRequestBody: byteSize().prefault("4MiB").describe("The largest request to an MCP server that is read."),
  maxOpenRequests: z
    .int()
    .min(1)
    .max(100_000)
    .default(256)
    .describe("The most requests, open streams among them, that one user or machine may have open at a time."),
});

/** Settings as the code sees them: durations in milliseconds, sizes in bytes. */
export type GatewayConfig = z.output<typeof gatewaySection>;
/** Settings as a caller writes them. */
export type GatewayConfigInput = z.input<typeof gatewaySection>;
/** One MCP server behind the gateway. */
export type ServerConfig = GatewayConfig["servers"][number];
