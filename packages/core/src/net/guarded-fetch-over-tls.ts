import { request as httpRequest, type IncomingMessage } from "node:http";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "../runtime/index.ts";
import { type GuardedAnswer, type GuardedFetch, GuardedFetchError, type GuardedRequest } from "./guarded-fetch.ts";
import type { Network } from "./network.ts";
import { addressFault } from "./public-address.ts";

/**
 * The one port. A metadata document or key set elsewhere is not known of, and any other port would let a stranger find
 * out through us what a public host listens on.
 */
const httpsPort = 443;
/** A name may have any number of addresses: we do not knock at all of them. */
const mostAttempts = 3;
const longestHead = 16_384;

/**
 * Fetches over connections of its own: the name is resolved once, every one of its addresses must be public, and the
 * connection goes to an address of that very answer (so no second answer can lead elsewhere), with the name for SNI,
 * certificate and `Host`. No redirect is followed, no connection is used twice, no proxy is asked, no coded body is read.
 */
export function createGuardedFetch(deps: { readonly network: Network; readonly clock: Clock }): GuardedFetch {
  const { network, clock } = deps;
  return async (url, request) => {
    const target = targetOf(url);
    const end = clock.monotonic() + request.timeoutMs;
    const over = new AbortController();
    const done = new AbortController();
    const deadline = clock.sleep(request.timeoutMs, done.signal).then(() => {
      throw new GuardedFetchError("unavailable", `${target.hostname}: no answer within ${request.timeoutMs} ms`);
    });
    const fetchOnce = async (): Promise<GuardedAnswer> => {
      const addresses = await publicAddresses(network, target.hostname);
      const socket = await connectToOne({ network, clock, end, signal: over.signal }, target.hostname, addresses);
      return exchange(socket, target, request);
    };
    try {
      return await Promise.race([fetchOnce(), deadline]);
    } catch (error) {
      if (error instanceof GuardedFetchError) throw error;
      throw new GuardedFetchError("unavailable", `${target.hostname}: the exchange broke off (${codeOf(error)})`);
    } finally {
      // Ends what is still open: an attempt to connect, or the connection, whatever is left to come on it.
      over.abort();
      done.abort();
    }
  };
}

function targetOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url) throw new GuardedFetchError("forbidden", "not a URL");
  const refuse = (why: string) => new GuardedFetchError("forbidden", `${url.hostname.slice(0, 253)}: ${why}`);
  if (url.protocol !== "https:") throw refuse("only https is asked");
  if (url.username || url.password) throw refuse("the URL holds a user name or password");
  if (url.port !== "") throw refuse(`only port ${httpsPort} is asked`);
  if (isIP(url.hostname.replace(/^\[|\]$/g, "")) !== 0) throw refuse("the host is an address, not a name");
  // A single label would be completed by the resolver's own search list.
  if (!/^[^.]+(?:\.[^.]+)+$/.test(url.hostname)) throw refuse("the host is not a full domain name");
  return url;
}

async function publicAddresses(network: Network, host: string): Promise<readonly string[]> {
  const found = await network.resolve(host).catch((error: unknown) => {
    throw new GuardedFetchError("unavailable", `${host}: cannot be resolved (${codeOf(error)})`);
  });
  for (const { address } of found) {
    const fault = addressFault(address);
    if (fault !== undefined) throw new GuardedFetchError("forbidden", `${host}: leads to ${address}: ${fault}`);
  }
  if (found.length === 0) throw new GuardedFetchError("unavailable", `${host}: has no address`);
  return found.map(({ address }) => address).slice(0, mostAttempts);
}

/** Tries one address after the other; one that does not answer leaves the next half of the time that is left. */
async function connectToOne(
  during: { readonly network: Network; readonly clock: Clock; readonly end: number; readonly signal: AbortSignal },
  host: string,
  addresses: readonly string[],
): Promise<Duplex> {
  const { network, clock, end, signal } = during;
  let failure = "too late";
  for (const [index, address] of addresses.entries()) {
    if (signal.aborted) break;
    const attempt = new AbortController();
    const decided = new AbortController();
    if (index < addresses.length - 1) {
      void clock.sleep((end - clock.monotonic()) / 2, decided.signal).then(() => {
        if (!decided.signal.aborted) attempt.abort();
      });
    }
    try {
      const both = AbortSignal.any([signal, attempt.signal]);
      return await network.connect({ address, port: httpsPort, servername: host, signal: both });
    } catch (error) {
      failure = codeOf(error);
    } finally {
      decided.abort();
    }
  }
  throw new GuardedFetchError("unavailable", `${host}: no connection (${failure})`);
}

function exchange(socket: Duplex, target: URL, request: GuardedRequest): Promise<GuardedAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      // With a connection of its own the request goes through no agent, and so through no pool and no proxy.
      createConnection: () => socket,
      method: "GET",
      path: target.pathname + target.search,
      headers: {
        ...request.headers,
        Host: target.hostname,
        Accept: request.accept,
        "Accept-Encoding": "identity",
        "User-Agent": "Sallyport",
        Connection: "close",
      },
      maxHeaderSize: longestHead,
      insecureHTTPParser: false,
    });
    outgoing.once("response", (answer) => {
      readAnswer(answer, target.hostname, request.maxBytes).then(resolve, reject);
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

async function readAnswer(answer: IncomingMessage, host: string, maxBytes: number): Promise<GuardedAnswer> {
  const headers = new Headers();
  for (let i = 0; i + 1 < answer.rawHeaders.length; i += 2) {
    headers.append(answer.rawHeaders[i] ?? "", answer.rawHeaders[i + 1] ?? "");
  }
  const tooLarge = () => new GuardedFetchError("too_large", `${host}: the body is longer than ${maxBytes} bytes`);
  const coding = headers.get("content-encoding") ?? "identity";
  if (coding.trim().toLowerCase() !== "identity")
    throw new GuardedFetchError("malformed", `${host}: the body is coded`);
  if (Number(headers.get("content-length") ?? "0") > maxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer) {
    if (!Buffer.isBuffer(chunk)) continue;
    length += chunk.byteLength;
    if (length > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  try {
    const body = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks, length));
    return { status: answer.statusCode ?? 0, headers, body };
  } catch {
    throw new GuardedFetchError("malformed", `${host}: the body is not UTF-8`);
  }
}

/** The system's own word for it; an error's text could repeat what the other side said. */
function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "no reason given";
}
