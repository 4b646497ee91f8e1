import { z } from "zod";
import { hasOwnKeys, type KeySource } from "../config/own-keys.ts";
import { identityScopes } from "../config/scope-names.ts";
import type { CoreConfig } from "../config/section.ts";
import { constantTimeEqual, labelledHash, type RootKeys, randomId } from "../crypto/index.ts";
import { type ClientRecord, clientKind, recordStore, registrationSlotKind } from "../records/index.ts";
import type { Clock, Random } from "../runtime/index.ts";
import type { Store } from "../store/store.ts";
import type { AssertionKeys, Client, ClientAuthentication, ClientUse } from "./client.ts";
import { isClientIdUrl, type MetadataDocuments } from "./metadata-document/index.ts";
import { matchesHash } from "./secret-hash.ts";

/** A used registration outlives its longest grant by this, ms. */
const afterLastGrant = 30 * 86_400_000;
const tenYears = 10 * 365 * 86_400_000;

/** Client metadata that the rest of the server reads; everything else is kept for the answer alone. */
const storedMetadata = z.object({
  redirect_uris: z.array(z.string()),
  client_name: z.string().optional(),
  token_endpoint_auth_method: z.enum(["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]),
  jwks: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }).optional(),
  jwks_uri: z.string().optional(),
  scope: z.string().default(""),
  grant_types: z.array(z.enum(["authorization_code", "refresh_token"])),
});

/** Finds clients and keeps those that register themselves. */
export interface ClientDirectory {
  /**
   * The client of an id: a registered one, else the metadata document at the URL that the id is, else one that
   * registered itself. A URL means a document and nothing else, whatever the store holds.
   * @param use a metadata document may be stale for a grant, never for a sign-in
   * Rejects with OAuthError where a metadata document cannot be used
   */
  find(clientId: string, use: ClientUse): Promise<Client | undefined>;
  /** Keeps a new registration. A confidential client gets a secret, told this once. */
  register(
    metadata: Readonly<Record<string, unknown>>,
  ): Promise<{ readonly clientId: string; readonly clientSecret?: string; readonly issuedAt: number }>;
  /**
   * Keeps a dynamic client, or a metadata document, for as long as its grants live, and then some. A dynamic client is no
   * longer dropped at the cap.
   */
  keepWhileUsed(clientId: string, grantEnds: number): Promise<void>;
}

export interface ClientDirectoryDeps {
  readonly config: Pick<CoreConfig, "clients" | "registration">;
  readonly store: Store;
  readonly keys: RootKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly assertionKeys: (source: KeySource) => AssertionKeys;
  /** Undefined where metadata documents are off: then a URL is the id of nobody who is not registered. */
  readonly documents: MetadataDocuments | undefined;
}

export function createClientDirectory(deps: ClientDirectoryDeps): ClientDirectory {
  const { config, store, clock, random } = deps;
  const records = recordStore(clientKind, deps);
  const slots = recordStore(registrationSlotKind, deps);

  const registered = new Map<string, Client>(
    Object.entries(config.clients).map(([clientId, client]) => [
      clientId,
      {
        clientId,
        name: client.name,
        origin: "registered",
        redirectUris: client.redirectUris,
        authentication: [configuredAuthentication(client, deps.assertionKeys)],
        grantTypes: ["authorization_code", "refresh_token"],
        allowedScopes: client.scopes,
        defaultScopes: undefined,
        firstParty: client.firstParty,
        knownSince: undefined,
      },
    ]),
  );

  /**
   * A ring of `cap` places: who registers takes the next one, and a client that still stands there unused goes. So the
   * oldest unused registration makes room, a used one never does, and nobody is refused for the cap.
   */
  const takeSlot = async (clientId: string): Promise<void> => {
    const { value } = await store.count("registrations", 1, { ttl: tenYears });
    const slot = String(value % config.registration.cap);
    const before = await slots.get(slot);
    await slots.put(slot, { clientId }, { ttl: config.registration.unusedTtl });
    if (!before) return;
    const oldest = await records.get(before.value.clientId);
    if (oldest && !oldest.value.used) await records.delete(before.value.clientId);
  };

  return {
    async find(clientId, use) {
      const known = registered.get(clientId);
      if (known) return known;
      if (isClientIdUrl(clientId)) return deps.documents?.find(clientId, use);
      const stored = await records.get(clientId);
      return stored && dynamicClient(clientId, stored.value, deps);
    },

    async register(metadata) {
      const clientId = randomId(random);
      const issuedAt = Math.floor(clock.now() / 1000);
      const secret = isSecretMethod(metadata.token_endpoint_auth_method) ? randomId(random) : undefined;
      const record: ClientRecord = {
        metadata: { ...metadata },
        issuedAt,
        used: false,
        ...(secret === undefined ? {} : { secretHash: labelledHash("client-secret", secret) }),
      };
      await takeSlot(clientId);
      await records.put(clientId, record, { ttl: config.registration.unusedTtl, ifAbsent: true });
      return { clientId, issuedAt, ...(secret === undefined ? {} : { clientSecret: secret }) };
    },

    async keepWhileUsed(clientId, grantEnds) {
      if (registered.has(clientId)) return;
      if (isClientIdUrl(clientId)) return deps.documents?.keepWhileUsed(clientId, grantEnds);
      for (;;) {
        const stored = await records.get(clientId);
        if (!stored) return;
        const ends = Math.max(stored.expiresAt, grantEnds + afterLastGrant);
        // Less than a day's difference is not worth a write at every sign-in.
        if (stored.value.used && ends - stored.expiresAt < 86_400_000) return;
        const ttl = Math.max(1, ends - clock.now());
        if (await records.swap(clientId, stored.version, { ...stored.value, used: true }, { ttl })) return;
      }
    },
  };
}

const isSecretMethod = (method: unknown): boolean =>
  method === "client_secret_basic" || method === "client_secret_post";

function configuredAuthentication(
  client: CoreConfig["clients"][string],
  assertionKeys: (source: KeySource) => AssertionKeys,
): ClientAuthentication {
  if (hasOwnKeys(client)) return { method: "private_key_jwt", keys: assertionKeys(client) };
  if (client.secretHashes.length === 0) return { method: "none" };
  return { method: "client_secret", matches: matchesHash(client.secretHashes) };
}

function dynamicClient(
  clientId: string,
  record: ClientRecord,
  { config: { registration }, assertionKeys }: ClientDirectoryDeps,
): Client {
  const metadata = storedMetadata.parse(record.metadata);
  const registered = metadata.scope.split(" ").filter((scope) => scope !== "" && !identityScopes.has(scope));
  return {
    clientId,
    name: metadata.client_name ?? "An app without a name",
    origin: "dynamic",
    redirectUris: metadata.redirect_uris,
    authentication: [dynamicAuthentication(metadata, record.secretHash, assertionKeys)],
    grantTypes: metadata.grant_types,
    // RFC 7591 §2: what a client registers is what it means to use. It is no bound set by an administrator, so a client
    // that registered identity scopes only is not locked out of everything else.
    allowedScopes: registration.allowedScopes,
    defaultScopes: registered.length > 0 ? registered : registration.defaultScopes,
    firstParty: false,
    knownSince: record.issuedAt * 1000,
  };
}

function dynamicAuthentication(
  { token_endpoint_auth_method: method, jwks, jwks_uri: jwksUri }: z.output<typeof storedMetadata>,
  secretHash: string | undefined,
  assertionKeys: (source: KeySource) => AssertionKeys,
): ClientAuthentication {
  if (method === "none") return { method };
  if (method === "private_key_jwt") return { method, keys: assertionKeys({ jwks, jwksUri }) };
  const matches = (secret: string): boolean =>
    secretHash !== undefined && constantTimeEqual(labelledHash("client-secret", secret), secretHash);
  return { method: "client_secret", matches };
}
