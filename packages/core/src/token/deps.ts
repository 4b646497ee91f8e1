import type { AuditSink } from "../audit/index.ts";
import type { Capabilities } from "../capabilities/capabilities.ts";
import type { ClientDirectory } from "../clients/index.ts";
import type { CoreConfig } from "../config/section.ts";
import type { GrantDeps, GrantJudge } from "../grants/index.ts";
import type { Keyring } from "../keys/index.ts";
import type { Limiter } from "../limits/index.ts";
import type { ScopeCatalog } from "../scopes/index.ts";
import type { ResourceCatalog } from "../verify/index.ts";

/** What the token endpoint is given. */
export interface TokenDeps extends GrantDeps {
  readonly issuer: string;
  readonly config: CoreConfig;
  readonly capabilities: Capabilities;
  readonly clients: ClientDirectory;
  readonly keyring: Keyring;
  readonly judge: GrantJudge;
  readonly scopes: ScopeCatalog;
  readonly resources: ResourceCatalog;
  readonly audit: AuditSink;
  readonly limits: { readonly token: Limiter; readonly failedClientAuth: Limiter };
}
