import type { KeyObject } from "node:crypto";
import type { GrantType } from "../capabilities/capabilities.ts";

/** Finds the public keys that may have signed an assertion. */
export interface AssertionKeys {
  /**
   * The keys for an algorithm; with a `kid` those of that name, without one all that fit.
   * @param anew after none of the keys fitted: fetches them again where they are published elsewhere; none if they are
   *   not, or if that was done a moment ago
   * Rejects with OAuthError temporarily_unavailable where they are published elsewhere and cannot be had
   */
  find(alg: string, kid: string | undefined, anew?: "anew"): Promise<readonly KeyObject[]>;
}

/** One way in which a client may authenticate. A client with a secret may present it by Basic or in the form. */
export type ClientAuthentication =
  | { readonly method: "none" }
  | { readonly method: "client_secret"; readonly matches: (secret: string) => boolean }
  | { readonly method: "private_key_jwt"; readonly keys: AssertionKeys };

/** An MCP client as this deployment knows it. */
export interface Client {
  readonly clientId: string;
  /** Shown on the consent page; a client that nobody configured chose it itself. */
  readonly name: string;
  /**
   * `registered`: in the configuration. `document`: its id is the URL of its metadata, so its host is known.
   * `dynamic`: it registered itself, its name proves nothing.
   */
  readonly origin: "registered" | "document" | "dynamic";
  readonly redirectUris: readonly string[];
  /** At least one; a client that may come without authentication is public. */
  readonly authentication: readonly ClientAuthentication[];
  readonly grantTypes: readonly GrantType[];
  /** The most it may have; undefined: no bound of its own. */
  readonly allowedScopes: readonly string[] | undefined;
  /** What it gets that asks for nothing in particular; undefined: the resource's default. */
  readonly defaultScopes: readonly string[] | undefined;
  /** Skips the consent page. */
  readonly firstParty: boolean;
  /** When it became known, ms; undefined for a configured one. A new one is warned about. */
  readonly knownSince: number | undefined;
}

/** What a client is looked up for: to sign a user in, or for a grant that it has or says it has. */
export type ClientUse = "sign_in" | "grant";

/** Whether anybody who knows its id can pass for this client. */
export const isPublicClient = (client: Client): boolean =>
  client.authentication.some(({ method }) => method === "none");

declare const verified: unique symbol;

/** A client whose authentication at this very request has been checked. Made by `authenticateClient` alone. */
export type VerifiedClient = Client & { readonly [verified]: true };
