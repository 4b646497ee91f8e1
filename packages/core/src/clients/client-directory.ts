import { z } from "zod";
import type { CoreConfig } from "../config/section.ts";
import { constantTimeEqual, hmac, labelledHash, type RootKeys, randomId } from "../crypto/index.ts";
import { type ClientRecord, clientKind, recordStore, registrationSlotKind } from "../records/index.ts";
import type { Clock, Random } from "../runtime/index.ts";
import type { Store } from "../store/store.ts";
import type { Client } from "./client.ts";

/** A used registration outlives its longest grant by this, ms. */
const afterLastGrant = 30 * 86_400_000;
const tenYears = 10 * 365 * 86_400_000;

/** Client metadata that the rest of the server reads; everything else is kept for the answer alone. */
const storedMetadata = z.object({
  redirect_uris: z.array(z.string()),
  client_name: z.string().optional(),
  token_endpoint_auth_method: z.enum(["none", "client_secret_basic", "client_secret_post"]),
  grant_types: z.array(z.enum(["authorization_code", "refresh_token"])),
});

/** Finds clients and keeps those that register themselves. */
export interface ClientDirectory {
  find(clientId: string): Promise<Client | undefined>;
  /** Keeps a new registration. A confidential client gets a secret, told this once. */
  register(
    metadata: Readonly<Record<string, unknown>>,
  ): Promise<{ readonly clientId: string; readonly clientSecret?: string; readonly issuedAt: number }>;
  /** Keeps a dynamic client for as long as its grants live, and then some; it is no longer dropped at the cap. */
  keepWhileUsed(clientId: string, grantEnds: number): Promise<void>;
}

export function createClientDirectory(deps: {
  readonly config: Pick<CoreConfig, "clients" | "registration">;
  readonly store: Store;
  readonly keys: RootKeys;
  readonly clock: Clock;
  readonly random: Random;
}): ClientDirectory {
  const { config, store, keys, clock, random } = deps;
  const records = recordStore(clientKind, deps);
  const slots = recordStore(registrationSlotKind, deps);

  /** Configured secrets may be weak: they are compared through a keyed hash, in constant time. */
  const configuredMatch = (secrets: readonly string[]) => (presented: string) => {
    const of = (secret: string) => hmac(keys.active.lookup, `client-secret\0${secret}`);
    return secrets.reduce((match, secret) => constantTimeEqual(of(secret), of(presented)) || match, false);
  };

  const registered = new Map<string, Client>(
    Object.entries(config.clients).map(([clientId, client]) => [
      clientId,
      {
        clientId,
        name: client.name,
        origin: "registered",
        redirectUris: client.redirectUris,
        authMethod: client.secrets.length > 0 ? "client_secret_basic" : "none",
        grantTypes: ["authorization_code", "refresh_token"],
        allowedScopes: client.scopes,
        firstParty: client.firstParty,
        secretMatches: configuredMatch(client.secrets),
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
    async find(clientId) {
      const known = registered.get(clientId);
      if (known) return known;
      const stored = await records.get(clientId);
      return stored && dynamicClient(clientId, stored.value);
    },

    async register(metadata) {
      const clientId = randomId(random);
      const issuedAt = Math.floor(clock.now() / 1000);
      const secret = metadata.token_endpoint_auth_method === "none" ? undefined : randomId(random);
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

function dynamicClient(clientId: string, record: ClientRecord): Client {
  const metadata = storedMetadata.parse(record.metadata);
  const { secretHash } = record;
  return {
    clientId,
    name: metadata.client_name ?? "An app without a name",
    origin: "dynamic",
    redirectUris: metadata.redirect_uris,
    authMethod: metadata.token_endpoint_auth_method,
    grantTypes: metadata.grant_types,
    // RFC 7591 §2: what a client registers is what it means to use. It is no bound set by an administrator, so a client
    // that registered identity scopes only is not locked out of everything else.
    allowedScopes: undefined,
    firstParty: false,
    secretMatches: (secret) =>
      secretHash !== undefined && constantTimeEqual(labelledHash("client-secret", secret), secretHash),
  };
}
