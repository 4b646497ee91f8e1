import type { ClientSettings, PoolSettings } from "../config/pool-config.ts";

/** An app client. */
export interface Client extends Omit<ClientSettings, "secret" | "secrets" | "name"> {
  readonly name: string;
  /** Empty for a public client. */
  readonly secrets: readonly string[];
}

/** The pool's app clients by id. */
export function createClientDirectory(settings: PoolSettings): ReadonlyMap<string, Client> {
  return new Map(
    settings.clients.map(({ secret, secrets, name, ...client }) => [
      client.id,
      { ...client, name: name ?? client.id, secrets: secrets ?? (secret === undefined ? [] : [secret]) },
    ]),
  );
}
