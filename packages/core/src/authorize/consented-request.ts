import { isLoopbackRedirect, isPublicClient } from "../clients/index.ts";
import { OAuthError } from "../errors/index.ts";
import type { Consent } from "../records/index.ts";
import type { CheckedRequest } from "./authorization-request.ts";

declare const consented: unique symbol;

/**
 * A request that may go on to the identity provider: the user approved it, or consent may be skipped. Nothing else
 * begins a sign-in (confused deputy: Cognito would answer with a live session and no page at all).
 */
export type ConsentedRequest = CheckedRequest & {
  readonly [consented]: true;
  /** Who let it through. */
  readonly consent: Consent;
  /** The user wants to choose the account anew. */
  readonly anotherAccount: boolean;
};

/** The user pressed "approve" on the page of this very request. */
export const consentedByUser = (checked: CheckedRequest, anotherAccount: boolean): ConsentedRequest =>
  ({ ...checked, consent: { by: "user" }, anotherAccount }) as ConsentedRequest;

/** This very user approved the same before. Another one who comes back from the identity provider has not. */
export const consentedBefore = (checked: CheckedRequest, user: string): ConsentedRequest =>
  ({ ...checked, consent: { by: "memory", user }, anotherAccount: false }) as ConsentedRequest;

/**
 * A first-party client needs no page, unless it asks for one. Only an exact https redirect or a confidential client
 * can be first-party: anybody can listen on a loopback port or claim a custom scheme.
 */
export function consentedByConfiguration(checked: CheckedRequest): ConsentedRequest | undefined {
  const { client, redirect, request } = checked;
  if (!client.firstParty || client.origin !== "registered" || request.prompt === "consent") return undefined;
  const exactHttps = redirect.startsWith("https:") && !isLoopbackRedirect(redirect);
  if (!exactHttps && isPublicClient(client)) return undefined;
  return { ...checked, consent: { by: "configuration" }, anotherAccount: false } as ConsentedRequest;
}

/** A request that was refused by its user. */
export const denied = (): OAuthError =>
  new OAuthError("access_denied", "consent_denied", "The user did not approve the request.");
