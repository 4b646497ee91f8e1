import { createServer } from "node:http";
import { onTestFinished } from "vitest";

/** Stands before Cognito's domain and keeps every answer back: what was asked has happened, and nobody hears of it. */
export interface SilentCognito {
  readonly url: string;
  /** The status of the first answer that was kept back. */
  readonly answered: Promise<number>;
}

/** @param cognitoUrl origin of the Cognito behind it; this one ends with the running test */
export async function silentCognito(cognitoUrl: string): Promise<SilentCognito> {
  const { promise: answered, resolve: tell } = Promise.withResolvers<number>();
  const server = createServer(async (request) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { authorization = "", "content-type": contentType = "" } = request.headers;
    const response = await fetch(`${cognitoUrl}${request.url}`, {
      method: "POST",
      headers: { authorization, "content-type": contentType },
      body: Buffer.concat(chunks),
    });
    tell(response.status);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("it does not listen");
  return { url: `http://localhost:${address.port}`, answered };
}
