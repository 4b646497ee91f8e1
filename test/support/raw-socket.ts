import { connect } from "node:net";
import { connect as connectTls } from "node:tls";

/** What came back on a connection until the other side closed it, or until `enough`. */
export interface RawTalk {
  readonly text: string;
  /** Statuses of all answers, in order. */
  readonly statuses: readonly number[];
  /** Whether the other side closed the connection. */
  readonly closed: boolean;
}

/**
 * Sends bytes as they are and gathers what comes back.
 * @param pieces sent one after the other, each after so many milliseconds where a number stands between them
 * @param options.enough ends the wait before the other side closes
 * @param options.tls over TLS, whatever the certificate
 */
export async function rawTalk(
  port: number,
  pieces: readonly (string | number)[],
  options: { readonly enough?: (text: string) => boolean; readonly tls?: boolean } = {},
): Promise<RawTalk> {
  const target = { port, host: "127.0.0.1" };
  const socket = options.tls ? connectTls({ ...target, rejectUnauthorized: false }) : connect(target);
  let text = "";
  let closed = false;
  const over = new Promise<void>((resolve) => {
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
      if (options.enough?.(text)) resolve();
    });
    socket.on("error", () => {});
    socket.once("end", () => {
      closed = true;
      resolve();
    });
    socket.once("close", () => {
      closed = true;
      resolve();
    });
  });
  for (const piece of pieces) {
    if (typeof piece === "number") {
      await Promise.race([over, new Promise((resolve) => setTimeout(resolve, piece))]);
    } else if (!closed) socket.write(piece, "latin1");
  }
  await over;
  socket.destroy();
  const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status));
  return { text, statuses, closed };
}
