/** Server names that would hide a path of the gateway itself. */
export const reservedNames: ReadonlySet<string> = new Set([
  "authorize",
  "consent",
  "auth",
  "token",
  "register",
  "revoke",
  "introspect",
  "device",
  "logout",
  "verify",
  "healthz",
  "readyz",
  "metrics",
  "console",
  "api",
  "mcp",
]);
