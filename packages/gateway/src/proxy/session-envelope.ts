import { createCipheriv, createDecipheriv } from "node:crypto";
import type { Principal, Random } from "sallyport";

/** Hands out upstream session ids so that only whom they belong to can use them. Stores nothing. */
export interface SessionEnvelopes {
  /** What the client gets as `Mcp-Session-Id` instead of the upstream's own id. */
  seal(upstreamId: string, server: string, principal: Principal): string;
  /** The upstream's own id; undefined if it was not sealed here for this server, user and client. */
  open(envelope: string, server: string, principal: Principal): string | undefined;
}

const ivLength = 12;
const tagLength = 16;
/** Far more than any server uses; keeps the header within what HTTP servers accept. */
export const maxSessionId = 1024;
const maxEnvelope = Math.ceil(((ivLength + maxSessionId + tagLength) * 4) / 3);

/**
 * AES-256-GCM (NIST SP 800-38D) with a random nonce; server, kind, user and client are the associated data, so that an
 * envelope opens for no one else. A session id is no credential (MCP, Session Hijacking): the token still decides.
 * @param keys 32 bytes each; the first seals, all open
 * @throws RangeError for no key or one of another length
 */
export function createSessionEnvelopes(keys: readonly Uint8Array[], random: Random): SessionEnvelopes {
  const first = keys[0];
  if (first === undefined || keys.some((key) => key.length !== 32)) {
    throw new RangeError("sessionKeys: at least one key of 32 bytes is needed");
  }
  return {
    seal(upstreamId, server, principal) {
      const iv = random.bytes(ivLength);
      const cipher = createCipheriv("aes-256-gcm", first, iv).setAAD(owner(server, principal));
      const sealed = [iv, cipher.update(upstreamId, "latin1"), cipher.final(), cipher.getAuthTag()];
      return Buffer.concat(sealed).toString("base64url");
    },
    open(envelope, server, principal) {
      if (envelope.length > maxEnvelope) return undefined;
      const bytes = Buffer.from(envelope, "base64url");
      if (bytes.length <= ivLength + tagLength || bytes.toString("base64url") !== envelope) return undefined;
      const owned = owner(server, principal);
      for (const key of keys) {
        const text = openWith(key, bytes, owned);
        if (text !== undefined) return text;
      }
      return undefined;
    },
  };
}

const owner = (server: string, principal: Principal): Buffer =>
  Buffer.from(JSON.stringify(["mcp-session", 1, server, principal.kind, principal.subject, principal.clientId]));

function openWith(key: Uint8Array, bytes: Buffer, owned: Buffer): string | undefined {
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, ivLength), { authTagLength: tagLength });
  decipher.setAAD(owned).setAuthTag(bytes.subarray(bytes.length - tagLength));
  try {
    const text = decipher.update(bytes.subarray(ivLength, bytes.length - tagLength));
    return Buffer.concat([text, decipher.final()]).toString("latin1");
  } catch {
    return undefined;
  }
}
