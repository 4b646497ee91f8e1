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

/** The groups of the demo. */
export const demoGroups: readonly string[] = ["mcp-admins", "mcp-developers", "mcp-readers"];

/** A person of the demo. */
export interface DemoUser {
  readonly username: string;
  readonly password: string;
  readonly groups: readonly string[];
  readonly name: string;
}

/** The people of the demo; the first is in the further groups too. */
export const demoUsersWith = (furtherGroups: readonly string[]): readonly DemoUser[] =>
  demoUsers.map((user, index) => (index === 0 ? { ...user, groups: [...user.groups, ...furtherGroups] } : user));

/**
 * A user pool as an administrator would set it up for Sallyport: code grant only, rotation with grace, one exact callback, one
 * sign-out URL.
 * @param furtherGroups groups besides the demo's own, with the first user in them
 */
export const demoPool = (
  gatewayUrl: string,
  clients: DemoClients,
  furtherGroups: readonly string[] = [],
): PoolConfig => ({
  id: demoPoolId,
  groups: [...demoGroups, ...furtherGroups].map((name) => ({ name })),
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
      logoutUrls: [`${gatewayUrl}/logout`],
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
  users: demoUsersWith(furtherGroups).map((user, index) => ({
    username: user.username,
    password: user.password,
    // Stable, so that what is stored about a person is still about them after a restart.
    sub: `5a11e000-0000-4000-8000-00000000000${index + 1}`,
    groups: [...user.groups],
    attributes: { email: user.username, email_verified: "true", name: user.name, "custom:department": "demo" },
  })),
});
