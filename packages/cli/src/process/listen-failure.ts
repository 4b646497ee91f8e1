import { createServer } from "node:net";
import { CommandFailure, systemReason } from "./failure.ts";

/** `port 8000 on 127.0.0.1 cannot be used: it is taken; …`. */
export const listenFailure = (error: unknown, host: string, port: number, mend: string): CommandFailure =>
  new CommandFailure(`port ${port} on ${host} cannot be used: ${systemReason(error)}; ${mend}`);

/**
 * Finds out whether a port can be had, before anything is written or started for it.
 * @throws CommandFailure if not
 */
export async function checkPort(host: string, port: number, mend: string): Promise<void> {
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once("error", reject);
      probe.listen(port, host, resolve);
    });
  } catch (error) {
    throw listenFailure(error, host, port, mend);
  }
  await new Promise<void>((resolve) => probe.close(() => resolve()));
}
