import { createServer } from "node:http";
import { authorizeUrl, type PkcePair, pkce, register, type TestClient } from "../support/oauth-client.ts";

/** The web server of a client: its callback page, and whatever other pages a test wants of it. */
export interface ClientSite {
  /** Another site than the gateway's: 127.0.0.1 against localhost. */
  readonly origin: string;
  readonly callback: string;
  /** What its callback was told, oldest first. */
  readonly answers: readonly URLSearchParams[];
  /** Puts a page at a path. */
  show(path: string, body: string): string;
  close(): Promise<void>;
}

/** The callback tells whoever opened it, as clients do that sign in from a popup. */
const callbackPage = `<h1 id="arrived">Back at the client</h1><script>
const answer = Object.fromEntries(new URLSearchParams(location.search));
window.opener?.postMessage({ answer }, location.origin);
</script>`;

export async function startClientSite(): Promise<ClientSite> {
  const pages = new Map([["/callback", callbackPage]]);
  const answers: URLSearchParams[] = [];
  const server = createServer((req, res) => {
    const url = new URL(req.url ?? "/", "http://client");
    const body = pages.get(url.pathname);
    if (url.pathname === "/callback") answers.push(url.searchParams);
    res.writeHead(body === undefined ? 404 : 200, { "Content-Type": "text/html" });
    res.end(`<!doctype html><meta charset="utf-8"><title>Client</title>${body ?? ""}`);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no address");
  const origin = `http://127.0.0.1:${address.port}`;
  return {
    origin,
    callback: `${origin}/callback`,
    answers,
    show(path, body) {
      pages.set(path, body);
      return origin + path;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** One attempt of a client to get access: where the browser is sent, and what is needed to redeem the code. */
export interface Attempt {
  readonly client: TestClient;
  readonly pair: PkcePair;
  readonly state: string;
  readonly url: string;
}

/** Registers a client that is answered at `redirectUri`, and begins one attempt of it. */
export async function begin(issuer: string, redirectUri: string, name = "Test client"): Promise<Attempt> {
  const registered = await register(issuer, { redirect_uris: [redirectUri], client_name: name });
  return again(issuer, { ...registered, redirectUri });
}

let attempts = 0;

/** Another attempt of the same client. */
export function again(issuer: string, client: TestClient): Attempt {
  attempts += 1;
  const pair = pkce();
  const state = `state-${attempts}`;
  return { client, pair, state, url: authorizeUrl(issuer, client, pair, { state }) };
}
