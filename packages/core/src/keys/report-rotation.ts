import type { AuditSink } from "../audit/index.ts";
import type { KeyringRecord } from "../records/index.ts";
import type { Clock, Logger } from "../runtime/index.ts";
import { keysByState } from "./rotation.ts";

/** Tells of a change that was written: the audit sink of what was published or signs now, the log of everything. */
export function reportRotation(
  deps: { readonly audit: AuditSink; readonly logger: Logger; readonly clock: Clock },
  before: KeyringRecord,
  after: KeyringRecord,
): void {
  const time = new Date(deps.clock.now()).toISOString();
  const known = new Set(before.keys.map(({ kid }) => kid));
  const { active, next } = keysByState(after);
  if (next && !known.has(next.kid)) {
    deps.audit.write({ time, action: "keys.published", key: next.kid });
    deps.logger.info("the next signing key is published", { kid: next.kid });
  }
  if (active.kid !== keysByState(before).active.kid) {
    deps.audit.write({ time, action: "keys.rotated", key: active.kid });
    deps.logger.info("another key signs access tokens from now on", { kid: active.kid });
  }
  const left = new Set(after.keys.map(({ kid }) => kid));
  for (const kid of known) if (!left.has(kid)) deps.logger.info("a signing key was dropped", { kid });
}
