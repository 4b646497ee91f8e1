import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import { buildConnector, Client } from "undici";
import type { Connection, ConnectionOptions, UpstreamHandler, UpstreamRequest } from "./connection.ts";

/** undici itself closes it before the server does. */
const margins = { keepAliveTimeout: 4000, keepAliveTimeoutThreshold: 2000, keepAliveMaxTimeout: 60_000 };

/** One for all servers: reading hundreds of certificates takes its time. */
const contexts = new WeakMap<readonly string[], SecureContext>();

/** Certificates that servers are trusted by: Node's own list with NODE_EXTRA_CA_CERTS, and the system's. */
function trusted(): SecureContext {
  const own = getCACertificates("default");
  const known = contexts.get(own);
  if (known !== undefined) return known;
  const context = createSecureContext({ ca: [...own, ...getCACertificates("system")] });
  contexts.set(own, context);
  return context;
}

/** A connection over TLS: undici's client, one for each connection. */
export class TlsConnection implements Connection {
  kept = false;
  keptUntil = 0;
  readonly #client: Client;
  readonly #path: string;
  #connected = false;
  #used = false;

  constructor({ url, timeout, onLost }: ConnectionOptions) {
    this.#path = `${url.pathname}${url.search}`;
    this.#client = new Client(url.origin, {
      ...margins,
      connect: buildConnector({ timeout, allowH2: false, secureContext: trusted() }),
      allowH2: false,
      // Both are looked after by OpenExchanges, under one timer.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.#client.on("connect", () => {
      this.#connected = true;
      this.kept = false;
    });
    this.#client.on("disconnect", () => {
      this.#connected = false;
      onLost(this);
    });
  }

  get keepFor(): number {
    return this.#connected ? Number.POSITIVE_INFINITY : 0;
  }

  send({ method, headers, body }: UpstreamRequest, handler: UpstreamHandler): void {
    this.kept = this.#used;
    this.#used = true;
    this.#client.dispatch({ path: this.#path, method, headers, body: body ?? null, blocking: false }, handler);
  }

  destroy(): void {
    this.#client.destroy(null, () => {});
  }
}
