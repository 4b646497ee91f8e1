import { startEnvironment, type TestEnvironment } from "../support/environment.ts";

/** The environment with one difference: `everything` requires `mcp/write`, which readers cannot have. */
export const startWithServerForWriters = (): Promise<TestEnvironment> =>
  startEnvironment({
    change: (settings) => ({
      ...settings,
      servers: settings.servers?.map((server) =>
        server.name === "everything" ? { ...server, requiredScopes: ["mcp/write"] } : server,
      ),
    }),
  });
