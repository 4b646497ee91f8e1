import type { AuditEvent, AuditSink } from "../audit/index.ts";
import type { ClientDirectory } from "../clients/index.ts";
import type { CoreConfig } from "../config/section.ts";
import type { GrantDeps } from "../grants/index.ts";
import type { Limiter } from "../limits/index.ts";
import type { Look } from "../pages/index.ts";
import type { ConsentMark, RecordStore, Transaction } from "../records/index.ts";
import type { ScopeCatalog } from "../scopes/index.ts";
import type { ResourceCatalog } from "../verify/index.ts";
import type { ConsentMemory } from "./consent-memory.ts";

/** What the authorization endpoint, the consent page and the callback are given. */
export interface AuthorizeDeps extends GrantDeps {
  readonly issuer: string;
  /** Public URL of the endpoints, without trailing slash. */
  readonly baseUrl: string;
  readonly config: CoreConfig;
  readonly clients: ClientDirectory;
  readonly scopes: ScopeCatalog;
  readonly resources: ResourceCatalog;
  readonly transactions: RecordStore<Transaction>;
  readonly consentMarks: RecordStore<ConsentMark>;
  readonly consentMemory: ConsentMemory;
  readonly look: Look;
  readonly limits: { readonly authorize: Limiter; readonly consent: Limiter };
  readonly audit: AuditSink;
}

/** Our callback at the identity provider: one fixed URL, because Cognito matches callbacks exactly. */
export const callbackUrl = (deps: Pick<AuthorizeDeps, "baseUrl">): string => `${deps.baseUrl}/auth/callback`;

/** Writes an audit event with the time of now. */
export const report = (deps: Pick<AuthorizeDeps, "audit" | "clock">, event: Omit<AuditEvent, "time">): void =>
  deps.audit.write({ time: new Date(deps.clock.now()).toISOString(), ...event });
