import type { GatewayConfigInput } from "@sallyport/gateway";
import type { CoreConfigInput } from "sallyport";
import { type DemoClients, demoPoolId } from "./demo-pool.ts";

/** Settings of the demo, as they would stand in a `sallyport.toml`. */
export const demoSettings = (demo: {
  readonly gatewayUrl: string;
  readonly port: number;
  readonly cognitoUrl: string;
  readonly clients: DemoClients;
  readonly secret: string;
  readonly store: string;
  readonly servers: readonly { readonly name: string; readonly url: string }[];
}): CoreConfigInput & GatewayConfigInput => ({
  baseUrl: demo.gatewayUrl,
  listen: `127.0.0.1:${demo.port}`,
  store: demo.store,
  secret: [demo.secret],
  cognito: {
    userPoolId: demoPoolId,
    clientId: demo.clients.clientId,
    clientSecret: demo.clients.clientSecret,
    domain: demo.cognitoUrl,
    endpoint: demo.cognitoUrl,
  },
  scopes: {
    "mcp/read": {
      description: "Look at what the servers offer and read from them",
      allow: [
        { servers: ["clock"], tools: ["now"] },
        { servers: ["notes"], tools: ["list_notes"] },
      ],
    },
    "mcp/write": {
      description: "Change things: add notes, run tools that write",
      includes: ["mcp/read"],
      allow: [
        { servers: ["clock", "everything"], tools: ["*"], methods: ["all"] },
        { servers: ["notes"], tools: ["list_notes", "add_note"], methods: ["all"] },
      ],
    },
    "mcp/admin": {
      description: "Everything, deleting included",
      includes: ["mcp/write"],
      allow: [{ servers: ["*"], tools: ["*"], methods: ["all"] }],
    },
  },
  groups: { "mcp-admins": ["mcp/admin"], "mcp-developers": ["mcp/write"], "mcp-readers": ["mcp/read"] },
  machines: { [demo.clients.machineId]: { scopes: ["mcp/read"] } },
  servers: demo.servers.map(({ name, url }) => ({ name, url, requiredScopes: ["mcp/read"] })),
  policyTests: [
    { groups: ["mcp-admins"], allow: ["notes/delete_note", "everything/*"] },
    {
      groups: ["mcp-developers"],
      allow: ["clock/sleep", "notes/add_note", "everything/*"],
      deny: ["notes/delete_note"],
    },
    { groups: ["mcp-readers"], allow: ["clock/now", "notes/list_notes"], deny: ["clock/*", "notes/*", "everything/*"] },
    { groups: [], deny: ["clock/now", "notes/list_notes"] },
  ],
  // One machine's own: nobody else reaches it.
  telemetry: { metrics: "public" },
  // Browsers on a developer's machine come from whatever port their tool has.
  allowedOrigins: ["http://localhost:*", "http://127.0.0.1:*"],
  // Ten times the defaults: one developer's tools share one address.
  limits: {
    register: 1200,
    authorize: 3000,
    consent: 3000,
    token: 6000,
    introspect: 60_000,
    failedClientAuth: 600,
    client: 60_000,
    principal: 3000,
  },
});
