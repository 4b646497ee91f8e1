import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import type { Network } from "sallyport";
import { systemNetwork } from "../../packages/core/src/net/index.ts";

/** Answers one request. */
export type Serve = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Hosts of metadata documents: names, addresses and documents as a test wants them, served over TLS from this machine. The
 * gateway judges the addresses that the names have; only the last step, the socket, is led here.
 */
export interface DocumentHost {
  /** For `SallyportRuntime.network`. */
  readonly network: Network;
  /** Every name that was resolved, in order. */
  readonly resolved: readonly string[];
  /** Every connection that was made: where to, and with which name. */
  readonly connections: readonly { readonly address: string; readonly port: number; readonly servername: string }[];
  /** Every request that came, in order. */
  readonly requests: readonly { readonly url: string; readonly headers: IncomingMessage["headers"] }[];
  /** Requests for one URL so far. */
  requestsFor(url: string): number;
  /** Serves a URL from now on; its host has a public address unless another is given. */
  serve(url: string, serve: Serve): void;
  /** Serves JSON, 200. */
  publish(url: string, document: unknown, headers?: Readonly<Record<string, string>>): void;
  /** Gives a host these addresses; a function is asked at every resolution. */
  lead(host: string, addresses: readonly string[] | (() => readonly string[])): void;
  /** Every host whose name matches leads here and serves this. */
  serveAll(hosts: RegExp, serve: Serve): void;
  close(): Promise<void>;
}

/** example.com's, for names that are given none. */
const somePublicAddress = "93.184.215.14";

const tls = (name: string): string => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), "utf8");

/** Listens on a free port of this machine. */
export async function startDocumentHost(): Promise<DocumentHost> {
  // Trusted by this process alone, so that the machine's own connection code is what runs.
  setDefaultCACertificates([...getCACertificates("default"), tls("authority.crt.pem")]);
  const addresses = new Map<string, readonly string[] | (() => readonly string[])>();
  const documents = new Map<string, Serve>();
  const groups: { readonly hosts: RegExp; readonly serve: Serve }[] = [];
  const resolved: string[] = [];
  const connections: { address: string; port: number; servername: string }[] = [];
  const requests: { url: string; headers: IncomingMessage["headers"] }[] = [];

  const server = createServer({ key: tls("server.key.pem"), cert: tls("server.crt.pem") }, (request, response) => {
    const host = request.headers.host ?? "";
    const url = `https://${host}${request.url}`;
    requests.push({ url, headers: request.headers });
    const serve = documents.get(url) ?? groups.find(({ hosts }) => hosts.test(host))?.serve;
    if (serve) serve(request, response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || !address) throw new Error("the document host does not listen");

  const serve = (url: string, answer: Serve): void => {
    documents.set(url, answer);
    const { hostname } = new URL(url);
    if (!addresses.has(hostname)) addresses.set(hostname, [somePublicAddress]);
  };
  return {
    network: {
      async resolve(host) {
        resolved.push(host);
        const group = groups.some(({ hosts }) => hosts.test(host)) ? [somePublicAddress] : undefined;
        const found = addresses.get(host) ?? group;
        if (!found) throw Object.assign(new Error("no such host"), { code: "ENOTFOUND" });
        const list = typeof found === "function" ? found() : found;
        return list.map((text) => ({ address: text, family: text.includes(":") ? 6 : 4 }));
      },
      connect({ address: to, port, servername, signal }) {
        connections.push({ address: to, port, servername });
        return systemNetwork.connect({ address: "127.0.0.1", port: address.port, servername, signal });
      },
    },
    resolved,
    connections,
    requests,
    requestsFor: (url) => requests.filter((request) => request.url === url).length,
    serve,
    publish: (url, document, headers = {}) =>
      serve(url, (_, response) => {
        response.writeHead(200, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(document));
      }),
    lead: (host, to) => addresses.set(host, to),
    serveAll: (hosts, answer) => groups.push({ hosts, serve: answer }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A document as published, by the name of its file in `test/fixtures/client-documents`. */
export function publishedDocument(name: string): {
  readonly client_id: string;
  readonly redirect_uris: readonly string[];
} {
  const text = readFileSync(new URL(`../fixtures/client-documents/${name}.json`, import.meta.url), "utf8");
  return JSON.parse(text);
}
