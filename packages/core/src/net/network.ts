import { lookup } from "node:dns/promises";
import type { Duplex } from "node:stream";
import { connect } from "node:tls";

/** Where a name leads. */
export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** The network as the guarded fetch needs it, passed in. It decides nothing: which addresses may be asked is not its matter. */
export interface Network {
  /** Every address of a host. Rejects where there is none. */
  resolve(host: string): Promise<readonly ResolvedAddress[]>;
  /**
   * A TLS connection to an address, its certificate checked against the name. Rejects where it cannot be had, and when the
   * signal is aborted, which afterwards also ends the connection.
   */
  connect(to: {
    readonly address: string;
    readonly port: number;
    readonly servername: string;
    readonly signal: AbortSignal;
  }): Promise<Duplex>;
}

/** The machine's own resolver and sockets. No proxy is used, whatever the environment says: it would resolve again. */
export const systemNetwork: Network = {
  async resolve(host) {
    const found = await lookup(host, { all: true, order: "verbatim" });
    return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
  },
  connect: ({ address, port, servername, signal }) =>
    new Promise((resolve, reject) => {
      // Said outright, so that NODE_TLS_REJECT_UNAUTHORIZED cannot turn it off.
      const options = { rejectUnauthorized: true, ALPNProtocols: ["http/1.1"], signal };
      const socket = connect({ host: address, port, servername, ...options });
      // Listened to for as long as the socket lives: an error that nobody expects would end the process.
      socket.on("error", reject);
      socket.once("close", () => reject(new Error("the connection was closed")));
      socket.once("secureConnect", () => resolve(socket));
    }),
};
