import type { Server } from "node:http";
// The stand-in has no types of its own.
// @ts-expect-error
import dynalite from "dynalite";

/** A DynamoDB-compatible server in the test's own process, in memory. */
export interface DynamoServer {
  /** URL of a store on it, by the name of a table. */
  url(table: string): string;
  close(): Promise<void>;
}

export async function startDynamo(): Promise<DynamoServer> {
  // The SDK signs every request; the stand-in does not look at the signature.
  process.env.AWS_ACCESS_KEY_ID ??= "test";
  process.env.AWS_SECRET_ACCESS_KEY ??= "test";
  const server: Server = dynalite({ createTableMs: 0, deleteTableMs: 0 });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    url: (table) =>
      `dynamodb://${table}?region=eu-central-1&endpoint=${encodeURIComponent(`http://127.0.0.1:${port}`)}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
