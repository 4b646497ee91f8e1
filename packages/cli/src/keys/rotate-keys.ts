import { keyringInterval, type Rotation, type RotationMode } from "sallyport";
import type { GatewaySettings } from "../config/load-gateway-config.ts";
import { CommandFailure } from "../process/failure.ts";
import { writeLine } from "../process/output.ts";
import { noKeysYet, withKeys } from "./open-keys.ts";
import { minuteOf } from "./times.ts";

/** Options of `sallyport keys rotate`. */
export interface RotateOptions {
  readonly config?: string;
  readonly audit?: string;
  /** Another key signs at once, and the old ones are dropped. */
  readonly now?: boolean;
  /** With `now`: the old ones verify until their tokens are over. */
  readonly keep?: boolean;
}

/**
 * `sallyport keys rotate`: changes the signing key, in order or at once, while servers run or not.
 * @returns the exit status
 * @throws CommandFailure for settings or a store that cannot be used, and where there are no keys
 */
export async function rotateKeys(options: RotateOptions): Promise<number> {
  if (options.keep && !options.now) throw new CommandFailure("--keep goes with --now: without it every key is kept");
  const mode: RotationMode = options.now ? (options.keep ? "at_once_keeping_old" : "at_once") : "orderly";
  return withKeys(options, async ({ config, management, identity }) => {
    const rotation = await management.rotate(mode);
    if (!rotation) throw noKeysYet();
    for (const line of told[mode](rotation, config)) writeLine(line);
    const beside = await identity.rotate(mode);
    if (beside)
      writeLine(`Identity assertions: ${beside.kid} signs from ${minuteOf(beside.signsFrom)}, after ${beside.before}.`);
    return 0;
  });
}

const told: Readonly<Record<RotationMode, (rotation: Rotation, config: GatewaySettings) => readonly string[]>> = {
  orderly: ({ kid, signsFrom, before }) => [
    `${kid} is published and signs from ${minuteOf(signsFrom)}; ${before} is retired then.`,
    "The servers do that by themselves. Nobody has to sign in again.",
  ],
  at_once: ({ kid, dropped }, config) => [
    `${kid} signs from now on; dropped: ${dropped.join(", ")}.`,
    `Running servers know it within ${seconds(config)} s of use, and from then on refuse every access token that was signed before.`,
    "Sign-ins stay: refresh tokens are not signed by these keys, and clients fetch new access tokens by themselves.",
  ],
  at_once_keeping_old: ({ kid, before }, config) => [
    `${kid} signs from now on; ${before} is retired and verifies until its tokens are over.`,
    `Running servers know it within ${seconds(config)} s of use. Nobody has to sign in again.`,
  ],
};

const seconds = (config: GatewaySettings): number => keyringInterval(config) / 1000;
