import { type AssertedIdentity, assertionLife, type Clock, type IdentityAssertions } from "sallyport";
import type { ServerConfig } from "../config/section.ts";
import { foldedHeader } from "./request-headers.ts";

/** What requests to a server carry that no client sent. */
export interface UpstreamCredential {
  /** Names of its headers, folded: nothing that could be taken for one of them goes on from a client. */
  readonly names: ReadonlySet<string>;
  /**
   * Name, value, name, value …
   * Rejects where identities cannot be asserted now, since the signing keys cannot be read.
   */
  headersFor(principal: AssertedIdentity): readonly string[] | Promise<readonly string[]>;
}

export interface CredentialDeps {
  readonly clock: Clock;
  /** The same as the library's: answers what signs, and makes its keys at the first call. */
  readonly identityAssertions?: (() => Promise<IdentityAssertions>) | undefined;
}

/** For so long an assertion is used again, ms: what is sent last has as long left, be clocks somewhat apart. */
const usedFor = assertionLife / 2;

/** Assertions that are kept, over all principals. */
const mostKept = 10_000;

interface KeptAssertion {
  readonly headers: readonly string[];
  /** On the monotonic clock, ms. */
  readonly until: number;
}

/**
 * @returns undefined for a server that takes whatever comes from here
 * @throws TypeError for a server that wants assertions where nothing signs them
 */
export function upstreamCredential(
  server: Pick<ServerConfig, "name" | "url" | "secretHeader" | "identityAssertion">,
  deps: CredentialDeps,
): UpstreamCredential | undefined {
  const { secretHeader, identityAssertion } = server;
  const fixed = secretHeader ? [secretHeader.name, withScheme(secretHeader.scheme, secretHeader.value)] : [];
  if (identityAssertion === undefined) {
    if (secretHeader === undefined) return undefined;
    return { names: new Set([foldedHeader(secretHeader.name)]), headersFor: () => fixed };
  }
  const { header, scheme, audience = new URL(server.url).origin } = identityAssertion;
  const names = [header, ...(secretHeader ? [secretHeader.name] : [])];
  if (!deps.identityAssertions) throw new TypeError(`identityAssertions: needed for the server ${server.name}`);
  const sign = signer(deps.identityAssertions, audience);
  const fresh = (assertion: string): readonly string[] => [...fixed, header, withScheme(scheme, assertion)];
  return { names: new Set(names.map(foldedHeader)), headersFor: keptForAWhile(deps.clock, sign, fresh) };
}

const withScheme = (scheme: string | undefined, value: string): string =>
  scheme === undefined ? value : `${scheme} ${value}`;

/** Asks for the keys at once, so that they are published before anything is signed by them. */
function signer(identityAssertions: () => Promise<IdentityAssertions>, audience: string) {
  let assertions: IdentityAssertions | undefined;
  const open = async (): Promise<IdentityAssertions> => {
    assertions = await identityAssertions();
    return assertions;
  };
  // Whoever needs it asks again, and is told what is wrong.
  open().catch(() => {});
  return (identity: AssertedIdentity): string | Promise<string> =>
    assertions?.sign(identity, audience) ?? open().then((opened) => opened.sign(identity, audience));
}

/**
 * Signs once for each state of a principal and a while. The same principal is mostly the same object from request to
 * request, so that nothing has to be compared.
 */
function keptForAWhile(
  clock: Clock,
  sign: (identity: AssertedIdentity) => string | Promise<string>,
  headersOf: (assertion: string) => readonly string[],
): UpstreamCredential["headersFor"] {
  const byObject = new WeakMap<AssertedIdentity, KeptAssertion>();
  const byState = new Map<string, KeptAssertion>();

  const keep = (principal: AssertedIdentity, state: string, assertion: string, at: number): readonly string[] => {
    const kept = { headers: headersOf(assertion), until: at + usedFor };
    byObject.set(principal, kept);
    byState.delete(state);
    byState.set(state, kept);
    if (byState.size > mostKept) {
      const oldest = byState.keys().next();
      if (!oldest.done) byState.delete(oldest.value);
    }
    return kept.headers;
  };

  return (principal) => {
    const now = clock.monotonic();
    const known = byObject.get(principal);
    if (known !== undefined && now < known.until) return known.headers;
    const state = stateOf(principal);
    const same = byState.get(state);
    if (same !== undefined && now < same.until) {
      byObject.set(principal, same);
      return same.headers;
    }
    const assertion = sign(principal);
    if (typeof assertion === "string") return keep(principal, state, assertion, now);
    return assertion.then((signed) => keep(principal, state, signed, now));
  };
}

const stateOf = ({ kind, subject, clientId, groups, scopes }: AssertedIdentity): string =>
  JSON.stringify([kind, subject, clientId, groups, scopes]);
