import type { PoolConfig } from "@sallyport/cognito-emulator";

const password = "Sallyport-demo-1";

/** The people of the demo. */
export const demoUsers = [
  { username: "alice@example.com", password, groups: ["mcp-admins", "mcp-developers"], name: "Alice Admin" },
  { username: "bob@example.com", password, groups: ["mcp-readers"], name: "Bob Reader" },
  { username: "carol@example.com", password, groups: [], name: "Carol Nobody" },
] as const;

/** Ids and secrets of the demo's app clients; the secrets are made anew for each state folder. */
export interface DemoClients {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly machineId: string;
  readonly machineSecret: string;
}

export const demoPoolId = "eu-central-1_SallyDemo";

const groups = ["mcp-admins", "mcp-developers", "mcp-readers"] as const;

/** A user pool as an administrator would set it up for Sallyport: code grant only, rotation with grace, one exact callback. */
export const demoPool = (gatewayUrl: string, clients: DemoClients): PoolConfig => ({
  id: demoPoolId,
  groups: groups.map((name) => ({ name })),
  resourceServers: [
    { identifier: "mcp", name: "MCP servers", scopes: ["read", "write", "admin"].map((name) => ({ name })) },
  ],
  clients: [
    {
      id: clients.clientId,
      name: "Sallyport",
      secret: clients.clientSecret,
      allowedOAuthFlows: ["code"],
      scopes: ["openid", "email", "profile"],
      callbackUrls: [`${gatewayUrl}/auth/callback`],
      refreshTokenRotation: { enabled: true, retryGracePeriodSeconds: 60 },
    },
    {
      id: clients.machineId,
      name: "Demo machine",
      secret: clients.machineSecret,
      allowedOAuthFlows: ["client_credentials"],
      scopes: ["mcp/read"],
    },
  ],
  users: demoUsers.map((user, index) => ({
    username: user.username,
    password: user.password,
    // Stable, so that what is stored about a person is still about them after a restart.
    sub: `5a11e000-0000-4000-8000-00000000000${index + 1}`,
    groups: [...user.groups],
    attributes: { email: user.username, email_verified: "true", name: user.name, "custom:department": "demo" },
  })),
});
