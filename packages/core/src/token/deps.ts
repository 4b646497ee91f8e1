import type { AuditSink } from "../audit/index.ts";
import type { Capabilities } from "../capabilities/capabilities.ts";
import type { AssertionKeys, AssertionVerifier, ClientDirectory } from "../clients/index.ts";
import type { CoreConfig } from "../config/section.ts";
import type { GrantDeps, GrantJudge } from "../grants/index.ts";
import type { Keyring } from "../keys/index.ts";
import type { Limiter, SharedLimit } from "../limits/index.ts";
import type { ScopeCatalog } from "../scopes/index.ts";
import type { ResourceCatalog } from "../verify/index.ts";

/** What the token endpoint is given. */
export interface TokenDeps extends GrantDeps {
  readonly issuer: string;
  readonly config: CoreConfig;
  readonly capabilities: Capabilities;
  readonly clients: ClientDirectory;
  readonly assertions: AssertionVerifier;
  /** By client id: the keys of the machines that have their own. */
  readonly machineKeys: ReadonlyMap<string, AssertionKeys>;
  readonly keyring: Keyring;
  readonly judge: GrantJudge;
  readonly scopes: ScopeCatalog;
  readonly resources: ResourceCatalog;
  readonly audit: AuditSink;
  readonly limits: {
    /** By address, for whoever is not identified. */
    readonly token: Limiter;
    readonly introspect: Limiter;
    /** By client id: attempts with wrong credentials. */
    readonly failedClientAuth: Limiter;
    /** By id, for whoever has authenticated. */
    readonly client: SharedLimit;
    readonly resourceServer: SharedLimit;
    /** By client and user, or by machine. */
    readonly principal: SharedLimit;
  };
}
