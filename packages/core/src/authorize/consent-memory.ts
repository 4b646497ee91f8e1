import { isLoopbackRedirect } from "../clients/index.ts";
import type { CoreConfig } from "../config/section.ts";
import { type RootKeys, randomId } from "../crypto/index.ts";
import type { Epochs } from "../grants/index.ts";
import {
  type AuthorizationRequest,
  type RememberedApproval,
  type RememberedConsents,
  recordStore,
  rememberedConsentsId,
  rememberedConsentsKind,
  UnreadableRecord,
} from "../records/index.ts";
import type { Clock, Logger, Random } from "../runtime/index.ts";
import { type Store, StoreUnavailable } from "../store/store.ts";
import type { CheckedRequest } from "./authorization-request.ts";
import type { BrowserUser } from "./browser-user.ts";

/** The approvals that users need not give again: one bounded record for each user. */
export interface ConsentMemory {
  /** How long an approval is remembered, ms; undefined for a request whose approval never is. */
  lifeFor(checked: Pick<CheckedRequest, "request" | "redirect">): number | undefined;
  /**
   * Whether this user has approved this client, redirect and resource with at least these scopes, lately, and no kill
   * switch has been set since then or since they signed in with this browser. "No" also where it cannot be told: then the user is asked.
   */
  covers(user: BrowserUser, request: AuthorizationRequest): Promise<boolean>;
  /** Keeps an approval in place of an earlier one for the same client, redirect and resource. Best effort. */
  remember(user: string, checked: CheckedRequest): Promise<boolean>;
  /** What counts at the moment, newest first. */
  list(user: BrowserUser): Promise<readonly RememberedApproval[]>;
  /** Forgets one approval, or all. What is forgotten already stays so. @returns how many were forgotten */
  forget(user: string, which: { readonly id: string } | "all"): Promise<number>;
}

export function createConsentMemory(deps: {
  readonly store: Store;
  readonly keys: RootKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly epochs: Pick<Epochs, "latest">;
  readonly settings: CoreConfig["consent"];
}): ConsentMemory {
  const { clock, keys, settings } = deps;
  const records = recordStore(rememberedConsentsKind, deps);

  /** A user's record stays under the root key that it was begun with until it is resealed; the active one comes first. */
  const idsOf = (user: string): string[] => keys.all.map((key) => rememberedConsentsId(key, user));

  const inTime = ({ approvedAt }: RememberedApproval): boolean => approvedAt + settings.remember > clock.now();

  const counts = async ({ sub, signedInAt }: BrowserUser, approval: RememberedApproval): Promise<boolean> => {
    const { instant } = await deps.epochs.latest({ user: sub, client: approval.clientId });
    return instant <= Math.min(approval.approvedAt, signedInAt);
  };

  const read = async (user: string): Promise<RememberedApproval[]> => {
    const found = await Promise.all(idsOf(user).map((id) => records.get(id)));
    return found.flatMap((record) => record?.value.approvals ?? []).filter(inTime);
  };

  const write = (
    user: string,
    id: string,
    version: string | undefined,
    approvals: RememberedApproval[],
  ): Promise<boolean> => {
    const value: RememberedConsents = { user, approvals };
    const newest = Math.max(...approvals.map(({ approvedAt }) => approvedAt));
    const ttl = Math.max(1, newest + settings.remember - clock.now());
    return version === undefined
      ? records.put(id, value, { ttl, ifAbsent: true })
      : records.swap(id, version, value, { ttl });
  };

  /** An outage, or a record that nobody can read, is a reason to ask the user and none to turn them away. */
  const orElse = async <T>(fallback: T, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StoreUnavailable) && !(error instanceof UnreadableRecord)) throw error;
      deps.logger.warn("remembered approvals could not be used; users are asked", { error: error.message });
      return fallback;
    }
  };

  return {
    lifeFor({ request, redirect }) {
      const { remember } = settings;
      // Anybody can listen on a loopback port or claim a custom scheme: there the user has to look each time.
      const web = redirect.startsWith("https:") && !isLoopbackRedirect(redirect);
      return remember > 0 && web && request.prompt !== "consent" ? remember : undefined;
    },

    covers: (user, request) =>
      orElse(false, async () => {
        const found = (await read(user.sub)).find(
          (approval) =>
            sameTarget(approval, request) && request.scopes.every((scope) => approval.scopes.includes(scope)),
        );
        return found !== undefined && (await counts(user, found));
      }),

    remember: (user, { client, request }) =>
      orElse(false, async () => {
        const { clientId, redirectUri, resource, scopes } = request;
        const approval: RememberedApproval = {
          id: randomId(deps.random, 12),
          clientId,
          clientName: client.name,
          redirectUri,
          resource,
          scopes: [...scopes],
          approvedAt: clock.now(),
        };
        for (;;) {
          const ids = idsOf(user);
          const stored = await Promise.all(ids.map((id) => records.get(id)));
          const at = Math.max(
            0,
            stored.findIndex((record) => record !== undefined),
          );
          const others = (stored[at]?.value.approvals ?? []).filter(
            (other) => inTime(other) && !sameTarget(other, request),
          );
          const approvals = [...others, approval].slice(-settings.mostRemembered);
          if (await write(user, ids[at] ?? "", stored[at]?.version, approvals)) return true;
        }
      }),

    async list(user) {
      const approvals = await read(user.sub);
      const counting = await Promise.all(approvals.map((approval) => counts(user, approval)));
      return approvals.filter((_, index) => counting[index]).sort((a, b) => b.approvedAt - a.approvedAt);
    },

    async forget(user, which) {
      let forgotten = 0;
      // The active one last: a record that is being resealed comes there before it goes from its old place.
      for (const id of idsOf(user).toReversed()) {
        for (;;) {
          const record = await records.get(id);
          const approvals = record?.value.approvals ?? [];
          const kept = which === "all" ? [] : approvals.filter((approval) => approval.id !== which.id);
          if (!record || kept.length === approvals.length) break;
          if (!(await write(user, id, record.version, kept))) continue;
          forgotten += approvals.length - kept.length;
          break;
        }
      }
      return forgotten;
    },
  };
}

const sameTarget = (
  approval: RememberedApproval,
  { clientId, redirectUri, resource }: Pick<AuthorizationRequest, "clientId" | "redirectUri" | "resource">,
): boolean => approval.clientId === clientId && approval.redirectUri === redirectUri && approval.resource === resource;
