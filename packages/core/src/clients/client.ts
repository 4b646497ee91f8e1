import type { AuthMethod, GrantType } from "../capabilities/capabilities.ts";

/** An MCP client as this deployment knows it. */
export interface Client {
  readonly clientId: string;
  /** Shown on the consent page; a dynamic client chose it itself. */
  readonly name: string;
  /** `registered`: in the configuration. `dynamic`: it registered itself, its name proves nothing. */
  readonly origin: "registered" | "dynamic";
  readonly redirectUris: readonly string[];
  /** `none`: a public client. Otherwise basic and post are interchangeable. */
  readonly authMethod: AuthMethod;
  readonly grantTypes: readonly GrantType[];
  /** The most it may have; undefined: no bound of its own. */
  readonly allowedScopes: readonly string[] | undefined;
  /** Skips the consent page. */
  readonly firstParty: boolean;
  /** Whether a presented secret is one of the client's. */
  readonly secretMatches: (secret: string) => boolean;
}

declare const verified: unique symbol;

/** A client whose authentication at this very request has been checked. Made by `authenticateClient` alone. */
export type VerifiedClient = Client & { readonly [verified]: true };
