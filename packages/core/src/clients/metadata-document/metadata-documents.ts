import type { KeySource } from "../../config/own-keys.ts";
import type { CoreConfig } from "../../config/section.ts";
import type { RootKeys } from "../../crypto/index.ts";
import { OAuthError, type Reason } from "../../errors/index.ts";
import { setNewest } from "../../limits/bounded-map.ts";
import type { GuardedFetch } from "../../net/index.ts";
import { type ClientDocumentRecord, clientDocumentKind, recordStore, type Stored } from "../../records/index.ts";
import type { Clock, Logger, Random } from "../../runtime/index.ts";
import type { Store } from "../../store/store.ts";
import type { AssertionKeys, Client, ClientUse } from "../client.ts";
import { matchesHostPattern } from "../host-pattern.ts";
import type { RedirectPolicy } from "../redirect-uri.ts";
import { clientIdUrlFault } from "./client-id-url.ts";
import { createFetchGovernor } from "./fetch-governor.ts";
import { DocumentFault, parseClientDocument } from "./parse-document.ts";
import { NoDocument, type NoDocumentKind, requestDocument, type ValidDocument } from "./request-document.ts";

const day = 86_400_000;
/** For so long after its lifetime a document serves the grants that exist, while it cannot be fetched, ms. */
const longestStale = 7 * day;
/** A kept document outlives the longest grant of its client by this, ms. */
const afterLastGrant = 30 * day;
const mostDocuments = 1_000;
/** How long a failure is remembered, ms. What is wrong with a document takes its developer longer to mend. */
const failureLife: Readonly<Record<NoDocumentKind, number>> = {
  refused: 60_000,
  invalid: 60_000,
  gone: 60_000,
  unavailable: 10_000,
};

/** Clients whose id is the URL of their metadata. */
export interface MetadataDocuments {
  /**
   * The client of a URL. For a grant, a document that was valid may be up to seven days stale while it cannot be fetched;
   * never one that was found invalid or gone since.
   * Rejects with OAuthError: invalid_client, 429 where too much is being fetched, or temporarily_unavailable
   */
  find(url: string, use: ClientUse): Promise<Client>;
  /**
   * Keeps a client's document in the store for as long as its grants live, and then some. Only a sign-in that has come to
   * its end keeps one: naming or approving a client, which anybody can, writes nothing.
   */
  keepWhileUsed(url: string, grantEnds: number): Promise<void>;
}

export interface MetadataDocumentsDeps {
  readonly settings: CoreConfig["metadataDocuments"];
  readonly policy: RedirectPolicy;
  readonly fetch: GuardedFetch;
  readonly assertionKeys: (source: KeySource) => AssertionKeys;
  readonly store: Store;
  readonly keys: RootKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** A document as this process holds it. */
interface Held {
  readonly found: ValidDocument;
  readonly knownSince: number;
  readonly checkedAt: number;
}

type StoredDocument = Stored<ClientDocumentRecord>;

export function createMetadataDocuments(deps: MetadataDocumentsDeps): MetadataDocuments {
  const { settings, policy, clock, logger } = deps;
  const records = recordStore(clientDocumentKind, deps);
  const governor = createFetchGovernor<Held>(deps);
  /** By URL; the one unasked for longest goes first. */
  const memory = new Map<string, Held>();
  const failures = new Map<string, { readonly error: NoDocument; readonly until: number }>();

  const remember = (url: string, held: Held): Held => {
    memory.delete(url);
    memory.set(url, held);
    const oldest = memory.keys().next();
    if (memory.size > mostDocuments && !oldest.done) memory.delete(oldest.value);
    return held;
  };

  /** What is known of a document: by this process, or by whichever replica looked last. */
  const recall = (url: string, stored: StoredDocument | undefined): Held | undefined => {
    const own = memory.get(url);
    if (!stored || (own && own.checkedAt >= stored.value.checkedAt)) return own && remember(url, own);
    memory.delete(url);
    const held = stored.value.state === "valid" ? readRecord(url, stored.value, policy) : undefined;
    return held && remember(url, held);
  };

  /** Writes down what was found of a document that is kept, unless another replica has looked since. */
  const rewrite = async (url: string, record: ClientDocumentRecord): Promise<void> => {
    for (;;) {
      const stored = await records.get(url);
      if (!stored || stored.value.checkedAt > record.checkedAt) return;
      const ttl = Math.max(1, stored.expiresAt - clock.now());
      if (await records.swap(url, stored.version, record, { ttl })) return;
    }
  };

  const request = async (url: string, held: Held | undefined, stored: StoredDocument | undefined): Promise<Held> => {
    const knownSince = held?.knownSince ?? stored?.value.knownSince;
    try {
      const found = await requestDocument(deps.fetch, url, policy, held?.found);
      const checkedAt = clock.now();
      const fresh = remember(url, { found, checkedAt, knownSince: knownSince ?? checkedAt });
      failures.delete(url);
      if (stored) await rewrite(url, recordOf(fresh));
      return fresh;
    } catch (error) {
      if (!(error instanceof NoDocument)) throw error;
      const cause = error.cause instanceof Error ? error.cause.message : error.message;
      logger.info("a client's metadata document could not be used", { host: new URL(url).hostname, error: cause });
      const checkedAt = clock.now();
      setNewest(failures, url, { error, until: checkedAt + failureLife[error.kind] });
      if (error.kind === "invalid" || error.kind === "gone") {
        memory.delete(url);
        if (stored) await rewrite(url, { state: "refused", knownSince: stored.value.knownSince, checkedAt });
      }
      throw error;
    }
  };

  const current = async (url: string, use: ClientUse): Promise<Held> => {
    const stored = await records.get(url);
    const held = recall(url, stored);
    const age = held ? clock.now() - held.checkedAt : 0;
    const lifetime = held?.found.freshness.lifetime ?? 0;
    if (held && age < lifetime) return held;
    try {
      const failure = failures.get(url);
      if (failure && clock.now() < failure.until) throw failure.error;
      return await governor.run(url, stored !== undefined, () => request(url, held, stored));
    } catch (error) {
      const mayBeStale = use === "grant" && stored !== undefined && wasNotLookedAt(error);
      if (held && mayBeStale && age < lifetime + longestStale) return held;
      throw error;
    }
  };

  return {
    async find(url, use) {
      try {
        const fault = clientIdUrlFault(url) ?? hostFault(url, settings);
        if (fault !== undefined) throw new NoDocument("refused", fault);
        const { found, knownSince } = await current(url, use);
        return clientOf(url, found, knownSince, deps.assertionKeys);
      } catch (error) {
        throw error instanceof NoDocument ? refusalOf(error, use) : error;
      }
    },

    async keepWhileUsed(url, grantEnds) {
      const now = clock.now();
      if (grantEnds <= now) return;
      const ends = grantEnds + afterLastGrant;
      for (;;) {
        const stored = await records.get(url);
        const held = memory.get(url);
        if (stored) {
          // Less than a day's difference is not worth a write at every sign-in.
          if (ends - stored.expiresAt < day) return;
          if (await records.swap(url, stored.version, stored.value, { ttl: ends - now })) return;
        } else {
          if (!held || (await records.put(url, recordOf(held), { ttl: ends - now, ifAbsent: true }))) return;
        }
      }
    },
  };
}

/** Whether a failure says nothing about the document: it could not be fetched, or too much is being fetched. */
const wasNotLookedAt = (error: unknown): boolean =>
  error instanceof NoDocument ? error.kind === "unavailable" || error.kind === "refused" : error instanceof OAuthError;

function hostFault(url: string, { allowedHosts, deniedHosts }: CoreConfig["metadataDocuments"]): string | undefined {
  const { hostname } = new URL(url);
  const allowed = !allowedHosts || matchesHostPattern(allowedHosts, hostname);
  if (allowed && !matchesHostPattern(deniedHosts, hostname)) return undefined;
  return "this server takes no apps that are described on this host";
}

const recordOf = ({ found, knownSince, checkedAt }: Held): ClientDocumentRecord => ({
  state: "valid",
  body: found.body,
  knownSince,
  checkedAt,
  ...found.freshness,
});

/** Under the rules of now, which may be others than when it was kept; then it has to be looked at again. */
function readRecord(
  url: string,
  { body, knownSince, checkedAt, ...record }: Extract<ClientDocumentRecord, { state: "valid" }>,
  policy: RedirectPolicy,
): Held | undefined {
  const { state: _valid, ...freshness } = record;
  try {
    return { found: { body, document: parseClientDocument(body, url, policy), freshness }, knownSince, checkedAt };
  } catch (error) {
    if (error instanceof DocumentFault) return undefined;
    throw error;
  }
}

function clientOf(
  url: string,
  { document }: ValidDocument,
  knownSince: number,
  assertionKeys: MetadataDocumentsDeps["assertionKeys"],
): Client {
  return {
    clientId: url,
    name: document.name,
    origin: "document",
    redirectUris: document.redirectUris,
    authentication: document.methods.map((method) =>
      method === "none" ? { method } : { method, keys: assertionKeys(document.keys) },
    ),
    grantTypes: document.grantTypes,
    // One document serves every server: the scopes in it are not ours, and no bound that an administrator set.
    allowedScopes: undefined,
    defaultScopes: undefined,
    firstParty: false,
    knownSince,
  };
}

const reasons: Readonly<Record<NoDocumentKind, Reason>> = {
  refused: "client_document_refused",
  invalid: "client_document_invalid",
  gone: "client_document_gone",
  unavailable: "client_document_unavailable",
};

/** At the authorization endpoint the user's browser is told, so 400 there; at the others it is failed authentication. */
function refusalOf(cause: NoDocument, use: ClientUse): OAuthError {
  const text = `client_id: this app's metadata document cannot be used: ${cause.message}`;
  const reason = reasons[cause.kind];
  if (cause.kind === "unavailable") return new OAuthError("temporarily_unavailable", reason, text, { cause });
  return new OAuthError("invalid_client", reason, text, { cause, ...(use === "sign_in" ? { status: 400 } : {}) });
}
