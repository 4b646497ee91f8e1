import type { Parameters } from "../http/parameters.ts";
import type { Client } from "../state/client-directory.ts";
import type { Emulation } from "../state/emulation.ts";

/** Why a request goes back to its redirect URI without a code. `error_description` only where Cognito sends one. */
export interface Refusal {
  readonly error: "invalid_request" | "unauthorized_client";
  readonly description?: string;
}

/** One rule of the authorization endpoint; it runs once client and redirect URI are known to be good. */
export type Rule = (request: {
  readonly client: Client;
  readonly parameters: Parameters;
  readonly settings: Emulation["settings"];
}) => Refusal | undefined;
