import fc from "fast-check";
import {
  appendToRedirect,
  matchRedirectUri,
  parseRedirectUri,
  type ValidatedRedirect,
} from "../../src/clients/index.ts";
import { OAuthError } from "../../src/errors/index.ts";

const policy = {
  callbackUrl: "https://mcp.example.com/auth/callback",
  customSchemes: ["cursor", "vscode", "vscode-insiders"],
};

const hosts = [
  "claude.ai",
  "app.example.com",
  "example.com",
  "evil.test",
  "localhost",
  "localhost.evil.test",
  "127.0.0.1",
  "127.0.0.2",
  "127.1",
  "[::1]",
  "[::ffff:127.0.0.1]",
  "LOCALHOST",
  "xn--80ak6aa92e.com",
];
const schemes = ["https", "http", "cursor", "com.example.app", "javascript", "HTTPS", "ftp", "vscode"];
const oddities = ["@", "\\", "#", "?", "%2e", "%2f", "%5c", "..", "/", "//", ":", "*", "\t", "\u0000", "%00", ".", "é"];

const port = fc.oneof(
  fc.constant(""),
  fc.integer({ min: 0, max: 70_000 }).map((number) => `:${number}`),
);
const segment = fc.oneof(fc.constantFrom("cb", "callback", "oauth", "a", ""), fc.constantFrom(...oddities));
const path = fc.array(segment, { maxLength: 4 }).map((segments) => segments.map((text) => `/${text}`).join(""));
const query = fc.oneof(fc.constant(""), fc.constantFrom("?a=1", "?tenant=x&b=2", "?code=1", "?", "?a=1#b"));

/** Addresses as clients and attackers write them: mostly well-formed, often nearly so. */
const address = fc
  .tuple(fc.constantFrom(...schemes), fc.constantFrom(...hosts), port, path, query)
  .map(([scheme, host, number, rest, search]) => `${scheme}://${host}${number}${rest}${search}`);

/** What an attacker makes of an address that is registered. */
const disguised = (registered: readonly string[]): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.constantFrom(...registered),
      fc.nat(60),
      fc.nat(3),
      fc.oneof(fc.constantFrom(...oddities), fc.constantFrom(...hosts), port, fc.string({ maxLength: 3 })),
    )
    .map(([text, at, cut, put]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + put + text.slice(place + cut);
    });

/** A client's registered redirects and the one that a request presents. */
export const redirectRequest = fc
  .array(address, { minLength: 1, maxLength: 8 })
  .map((addresses) => addresses.filter(isAccepted))
  .map((accepted) => (accepted.length > 0 ? accepted : ["https://app.example.com/cb", "http://127.0.0.1/callback"]))
  .chain((registered) =>
    fc.record({
      registered: fc.constant(registered),
      presented: fc.oneof(
        { weight: 6, arbitrary: disguised(registered) },
        { weight: 2, arbitrary: address },
        { weight: 1, arbitrary: fc.constantFrom(...registered) },
        { weight: 1, arbitrary: fc.webUrl({ withFragments: true, withQueryParameters: true }) },
        { weight: 1, arbitrary: fc.string({ maxLength: 40 }) },
      ),
    }),
  );

function isAccepted(text: string): boolean {
  try {
    parseRedirectUri(text, policy);
    return true;
  } catch (error) {
    if (error instanceof OAuthError) return false;
    throw error;
  }
}

/** The ways in which a browser may understand an address that was accepted: told apart by the browser's own parser. */
function placeOf(text: string): { readonly place: string; readonly loopbackPlace: string | undefined } {
  const url = new URL(text);
  const rest = `${url.pathname}${url.search}${url.hash}`;
  const loopback = url.protocol === "http:" && /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  return {
    place: `${url.protocol}//${url.username}:${url.password}@${url.host}${rest}`,
    loopbackPlace: loopback ? `http://${url.username}:${url.password}@${url.hostname}${rest}` : undefined,
  };
}

/**
 * Says what is wrong with the decision over one request, or undefined: an answer may go only where a browser's parser too
 * finds a registered address (loopback ports aside), and the parameters of the answer change nothing of that place.
 */
export function redirectFault({
  registered,
  presented,
}: {
  registered: readonly string[];
  presented: string;
}): string | undefined {
  const matched = matchRedirectUri(registered, presented);
  if (matched === undefined) return registered.includes(presented) ? "a registered address was refused" : undefined;
  if (matched !== presented) return "what is followed is not what was presented";
  const { place, loopbackPlace } = placeOf(matched);
  const known = registered.map(placeOf);
  const isKnown = known.some(
    (other) => other.place === place || (loopbackPlace !== undefined && other.loopbackPlace === loopbackPlace),
  );
  return isKnown ? answerFault(matched) : `an answer would go to ${place}`;
}

function answerFault(redirect: ValidatedRedirect): string | undefined {
  const before = new URL(redirect);
  const after = new URL(appendToRedirect(redirect, { code: "c&d=e #", state: "s", iss: "https://mcp.example.com" }));
  const sameBase =
    before.host === after.host && before.protocol === after.protocol && before.pathname === after.pathname;
  if (!sameBase || after.hash !== "" || after.username !== before.username) return `the answer went to ${after.href}`;
  const added = [after.searchParams.getAll("code"), after.searchParams.getAll("iss")];
  if (JSON.stringify(added) !== JSON.stringify([["c&d=e #"], ["https://mcp.example.com"]]))
    return "the answer is not readable";
  return undefined;
}
