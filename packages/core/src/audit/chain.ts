import { hmacDigester, type RootKey, randomId } from "../crypto/index.ts";
import type { Random } from "../runtime/index.ts";

/** A line of a chain by its place in it, with the hash that stands for it and all before it. */
export interface ChainHead {
  readonly chain: string;
  /** 1 for the first line. */
  readonly seq: number;
  readonly hash: string;
}

/** `chain:seq:hash`, as it is logged and as `sallyport audit verify --expect` takes it. */
export const formatHead = ({ chain, seq, hash }: ChainHead): string => `${chain}:${seq}:${hash}`;

/** The reverse of {@link formatHead}; `undefined` for any other text. */
export function parseHead(text: string): ChainHead | undefined {
  const [, chain, seq, hash] = /^([\w-]{16}):([1-9]\d{0,14}):([\w-]{43})$/.exec(text) ?? [];
  if (chain === undefined || seq === undefined || hash === undefined) return undefined;
  return { chain, seq: Number(seq), hash };
}

/** The end of every line of a chain. A quote inside an event is escaped, so nothing in an event looks like it. */
const lineEnd = /,"chain":"([\w-]{16})","seq":([1-9]\d{0,14}),"prev":"([\w-]{43}|)","hash":"([\w-]{43})"\}$/;

const hashLength = ',"hash":""}'.length + 43;

/** What a line says about its place in a chain. */
export interface ChainLine extends ChainHead {
  /** Hash of the line before it; empty for the first. */
  readonly prev: string;
  /** How much of the line the hash is over, from its beginning; as many bytes as characters of a Latin-1 text. */
  readonly hashed: number;
}

/** Reads the end of a line; `undefined` where it is no line of a chain. Says nothing about its truth. */
export function readChainLine(text: string): ChainLine | undefined {
  const [, chain, seq, prev, hash] = lineEnd.exec(text) ?? [];
  if (chain === undefined || seq === undefined || prev === undefined || hash === undefined) return undefined;
  return { chain, seq: Number(seq), prev, hash, hashed: text.length - hashLength };
}

/** Links events to lines, each of which holds the hash of the one before it. */
export interface AuditChain {
  /** The line that was made last; `undefined` before the first. */
  readonly head: ChainHead | undefined;
  /**
   * @param event a JSON object that is not empty
   * @returns its line, without the line feed
   */
  link(event: string): string;
}

/**
 * A new chain with an id of its own. A line is the event followed by `chain`, `seq`, `prev` and `hash`: HMAC-SHA-256,
 * under a key that only holders of the root secret can derive, over the line's own bytes up to the hash.
 */
export function createChain(key: RootKey, random: Random): AuditChain {
  const digest = hmacDigester(key.audit);
  const chain = randomId(random, 12);
  let head: ChainHead | undefined;
  return {
    get head() {
      return head;
    },
    link(event) {
      const seq = (head?.seq ?? 0) + 1;
      const hashed = `${event.slice(0, -1)},"chain":"${chain}","seq":${seq},"prev":"${head?.hash ?? ""}"`;
      const hash = digest(hashed);
      head = { chain, seq, hash };
      return `${hashed},"hash":"${hash}"}`;
    },
  };
}
