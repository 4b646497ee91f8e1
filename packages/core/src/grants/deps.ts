import type { AuditSink } from "../audit/index.ts";
import type { CoreConfig } from "../config/section.ts";
import type { RootKeys } from "../crypto/index.ts";
import type { IdentityProvider } from "../identity/identity-provider.ts";
import type { Grant, RecordStore } from "../records/index.ts";
import type { Clock, Logger, Random } from "../runtime/index.ts";
import type { Store } from "../store/store.ts";

/** What every step of a grant's life is given. */
export interface GrantDeps {
  readonly store: Store;
  readonly grants: RecordStore<Grant>;
  readonly keys: RootKeys;
  readonly identityProvider: IdentityProvider;
  readonly tokens: CoreConfig["tokens"];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly audit: AuditSink;
}
