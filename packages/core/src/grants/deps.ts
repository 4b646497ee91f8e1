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
  /** Whether Cognito's access token is kept in the grant. */
  readonly exposeCognitoToken: boolean;
  /** How long an access token for a resource (its canonical URL) lives, ms. */
  readonly accessTtlOf: (resource: string) => number;
  /** Whether a machine is still configured to come as it came: with Cognito's word, or with keys of its own. */
  readonly isMachine: (clientId: string, kind: "cognito_client" | "registered_key") => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly audit: AuditSink;
}
