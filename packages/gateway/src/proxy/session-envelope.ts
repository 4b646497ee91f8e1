import { openText, type Principal, type Random, sealText } from "sallyport";

/** Hands out upstream session ids so that only whom they belong to can use them. Stores nothing. */
export interface SessionEnvelopes {
  /** What the client gets as `Mcp-Session-Id` instead of the upstream's own id. */
  seal(upstreamId: string, server: string, principal: Principal): string;
  /** The upstream's own id; undefined if it was not sealed here for this server, user and client. */
  open(envelope: string, server: string, principal: Principal): string | undefined;
}

/** Nonce and tag of AES-256-GCM. */
const overhead = 12 + 16;
/** Far more than any server uses; keeps the header within what HTTP servers accept. */
export const maxSessionId = 1024;
const maxEnvelope = Math.ceil(((maxSessionId + overhead) * 4) / 3);

/**
 * Server, kind, user and client are the associated data, so that an envelope opens for no one else. A session id is no
 * credential (MCP, Session Hijacking): the token still decides.
 * @param keys 32 bytes each; the first seals, all open
 * @throws RangeError for no key or one of another length
 */
export function createSessionEnvelopes(keys: readonly Uint8Array[], random: Random): SessionEnvelopes {
  const first = keys[0];
  if (first === undefined || keys.some((key) => key.length !== 32)) {
    throw new RangeError("sessionKeys: at least one key of 32 bytes is needed");
  }
  return {
    seal: (upstreamId, server, principal) =>
      sealText(first, owner(server, principal), Buffer.from(upstreamId, "latin1"), random),
    open(envelope, server, principal) {
      if (envelope.length > maxEnvelope) return undefined;
      const owned = owner(server, principal);
      for (const key of keys) {
        const text = openText(key, owned, envelope);
        if (text !== undefined) return text.length === 0 ? undefined : text.toString("latin1");
      }
      return undefined;
    },
  };
}

const owner = (server: string, principal: Principal): string =>
  JSON.stringify(["mcp-session", 1, server, principal.kind, principal.subject, principal.clientId]);
