import { isDeepStrictEqual } from "node:util";
import type { AuditSink } from "../audit/index.ts";
import { createAssertionKeys, createMetadataDocuments } from "../clients/index.ts";
import type { RootKeys } from "../crypto/index.ts";
import { type GrantDeps, grantChecks } from "../grants/index.ts";
import type { IdentityProvider } from "../identity/index.ts";
import { keyringInterval, openKeyring } from "../keys/index.ts";
import { createLimiter, sharedCounts, sharedLimit } from "../limits/index.ts";
import { createGuardedFetch, type Network, observedGuardedFetch } from "../net/index.ts";
import { consentMarkKind, grantKind, recordStore, transactionKind } from "../records/index.ts";
import type { CallObserver, Clock, ClockWatch, Logger, Random } from "../runtime/index.ts";
import type { Store } from "../store/index.ts";
import { machineAuthentication } from "../token/index.ts";
import { createVerifier } from "../verify/index.ts";
import type { SettingsView } from "./settings-view.ts";

/** What everything else is made of. */
export interface GivenParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly audit: AuditSink;
  readonly keys: RootKeys;
  readonly identityProvider: IdentityProvider;
  readonly network: Network;
  readonly store: Store;
  readonly observer: CallObserver | undefined;
  /** What is known of the machine's clock, which `clock` puts right. */
  readonly watches: readonly ClockWatch[];
}

/** Everything that remembers something, and therefore outlives a change of settings. */
export type LastingParts = Awaited<ReturnType<typeof openLastingParts>>;

/**
 * Opens what lasts. Reads the store, where the signing keys are.
 * @param now the settings of now: each part asks again whenever it needs one, so that a change reaches all at once
 */
export async function openLastingParts(given: GivenParts, now: () => SettingsView) {
  const { clock, random, logger, audit, keys, identityProvider, store } = given;
  const { config } = now();
  const passedIn = { store, keys, clock, random, logger, audit };
  const rotation = {
    audit,
    get policy() {
      return now().rotation;
    },
  };
  const keyringDeps = { ...passedIn, checkInterval: keyringInterval(config), rotation };
  const keyring = await openKeyring(keyringDeps);
  const grants = recordStore(grantKind, { store, keys, random });
  const grantDeps: GrantDeps = {
    ...passedIn,
    grants,
    identityProvider,
    get tokens() {
      return now().config.tokens;
    },
    get exposeCognitoToken() {
      return now().config.exposeCognitoToken;
    },
    accessTtlOf: (url) => now().accessTtlOf(url),
    isMachine: (id, kind) => now().isMachine(id, kind),
  };
  const { epochs, judge, settled } = grantChecks(grantDeps, () => now().config.consent.remember);
  const plainFetch = createGuardedFetch({ network: given.network, clock });
  const { observer } = given;
  const guardedFetch = observer === undefined ? plainFetch : observedGuardedFetch(plainFetch, { observer, clock });
  const assertionKeys = createAssertionKeys({ fetch: guardedFetch, clock });
  const perMinute = () => keptWhileSame((limit: number) => createLimiter({ clock, perMinute: limit }));
  const counts = sharedCounts({ store, keys, clock });
  const shared = (label: string) => (limit: number) => sharedLimit(counts, label, limit);

  return {
    ...passedIn,
    identityProvider,
    watches: given.watches,
    keyring,
    /** There, and published, as soon as anything asked for it. */
    identityKeyring: openedOnDemand(() => openKeyring({ ...keyringDeps, use: "identity_assertion" })),
    grants,
    grantDeps,
    epochs,
    judge,
    settled,
    assertionKeys,
    /** Documents are read under rules of the settings: with other rules none that is known counts. */
    documents: keptWhileSame(
      ({ config: { metadataDocuments: settings }, redirectPolicy: policy }: SettingsView) =>
        createMetadataDocuments({ ...passedIn, settings, policy, fetch: guardedFetch, assertionKeys }),
      ({ config, redirectPolicy }) => [config.metadataDocuments, redirectPolicy],
    ),
    transactions: recordStore(transactionKind, { store, keys, random }),
    consentMarks: recordStore(consentMarkKind, { store, keys, random }),
    machineAuthentication: machineAuthentication(),
    counts,
    /** Each by its limit: what has been counted stays counted while that stays the same, of the shared ones anyway. */
    limits: {
      register: perMinute(),
      authorize: perMinute(),
      consent: perMinute(),
      token: perMinute(),
      introspect: perMinute(),
      failedClientAuth: perMinute(),
      client: shared("client"),
      principal: shared("principal"),
      resourceServer: shared("resource-server"),
    },
    verifier: createVerifier({ issuer: now().issuer, settings: now, keyring, judge, identityProvider, clock }),
  };
}

/** A part that not every deployment needs. */
export interface OnDemand<Part> {
  /** Opens it, or answers the one that is open. Rejects where it cannot be opened; the next call tries again. */
  open(): Promise<Part>;
  /** The part, if anything has ever opened it. Never rejects: undefined as well where it could not be opened. */
  opened(): Promise<Part | undefined>;
}

function openedOnDemand<Part>(make: () => Promise<Part>): OnDemand<Part> {
  let part: Promise<Part> | undefined;
  return {
    open() {
      part ??= make().catch((error: unknown) => {
        part = undefined;
        throw error;
      });
      return part;
    },
    opened: async () => part?.catch(() => undefined),
  };
}

/**
 * Makes a part once, and anew only where it is made of something else.
 * @param madeOf what the part depends on; default: the whole input
 */
function keptWhileSame<Input, Part>(
  make: (input: Input) => Part,
  madeOf: (input: Input) => unknown = (input) => input,
): (input: Input) => Part {
  let kept: { readonly of: unknown; readonly part: Part } | undefined;
  return (input) => {
    const of = madeOf(input);
    if (!kept || !isDeepStrictEqual(kept.of, of)) kept = { of, part: make(input) };
    return kept.part;
  };
}
