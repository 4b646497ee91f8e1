import {
  type AuditSink,
  batchedAudit,
  deriveRootKeys,
  type Logger,
  noAudit,
  systemClock,
  systemRandom,
} from "sallyport";
import { version } from "../process/version.ts";
import { openFileTarget, streamTarget } from "./audit-target.ts";

/**
 * Where the audit events of a command go: a chain of lines under the active root secret.
 * @param to a file; `-` for a stream of this process, which stays open; nowhere when left out
 * @param options.secret root secrets, the active one first
 * @param options.stream what `-` means; default stdout
 * @throws CommandFailure if the file cannot be opened
 */
export async function openAudit(
  to: string | undefined,
  options: {
    readonly secret: readonly string[];
    readonly logger: Logger;
    readonly stream?: NodeJS.WriteStream & { readonly fd: number };
  },
): Promise<AuditSink> {
  if (to === undefined) return noAudit;
  const { secret, logger, stream = process.stdout } = options;
  const opened = to === "-" ? { target: streamTarget(stream), cut: false } : await openFileTarget(to);
  return batchedAudit({
    ...opened,
    key: deriveRootKeys(secret).active,
    version: version(),
    clock: systemClock,
    random: systemRandom,
    logger,
  });
}
