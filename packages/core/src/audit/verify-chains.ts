import { hmacDigester, type RootKeys } from "../crypto/index.ts";
import { type ChainHead, type ChainLine, formatHead, readChainLine } from "./chain.ts";
import type { AuditFinding, ChainReport, ChainsReport } from "./chains-report.ts";

/** Checks lines as they are read. */
export interface ChainsVerifier {
  /** The next lines are of this file. The order of files does not matter; that of the lines in each does. */
  file(name: string): void;
  /** @param line without its line feed. False: there is too much wrong to go on */
  line(line: Uint8Array): boolean;
  end(): ChainsReport;
}

/** So much may be wrong before it is given up, which bounds memory whatever is read. */
const mostFindings = 10_000;

/** Lines of a chain without a gap between them. */
interface Range {
  from: number;
  to: number;
  prev: string;
  hash: string;
  times: [string, string];
  readonly place: Place;
}

type Place = Pick<AuditFinding, "file" | "line">;

interface Found {
  ranges: Range[];
  digest: ((line: Uint8Array) => string) | undefined;
  lines: number;
  dropped: number;
  closedAt: number | undefined;
  /** The last line in the file that is read. */
  latest: { readonly file: string; seq: number };
}

/**
 * Checks chains of audit lines, any number of them mixed. Lines are compared as bytes.
 * @param keys any of the root secrets may have written a chain
 * @param heads what must be there, as known from elsewhere: without, lines cut off at an end of a chain and chains that
 * are missing as a whole cannot be noticed. A chain may begin behind a head, where older files are gone
 */
export function verifyChains(keys: RootKeys, heads: readonly ChainHead[] = []): ChainsVerifier {
  const digests = keys.all.map((key) => hmacDigester(key.audit));
  const chains = new Map<string, Found>();
  const findings: AuditFinding[] = [];
  /** Where among them the last one of its kind and chain is. */
  const lastOf = new Map<string, number>();
  const open = new Set(heads);
  let [file, number, breaks] = ["", 0, 0];

  const report = (finding: AuditFinding): void => {
    const { kind, chain, seq } = finding;
    const id = `${kind} ${chain}`;
    const index = lastOf.get(id) ?? -1;
    const last = findings[index];
    if (last?.seq && seq && last.file === finding.file && last.seq[1] + 1 === seq[0]) {
      findings[index] = { ...last, seq: [last.seq[0], seq[1]] };
      return;
    }
    lastOf.set(id, findings.push(finding) - 1);
    breaks += 1;
  };
  const place = (): Place => ({ file, line: number });

  const foundOf = (chain: string): Found => {
    const known = chains.get(chain);
    if (known) return known;
    const found: Found = {
      ranges: [],
      digest: undefined,
      lines: 0,
      dropped: 0,
      closedAt: undefined,
      latest: { file, seq: 0 },
    };
    chains.set(chain, found);
    return found;
  };

  const isGenuine = (bytes: Uint8Array, { chain, hash, hashed }: ChainLine): boolean => {
    const known = chains.get(chain);
    const content = bytes.subarray(0, hashed);
    if (known?.digest?.(content) === hash) return true;
    const digest = digests.find((one) => one(content) === hash);
    if (digest) foundOf(chain).digest = digest;
    return digest !== undefined;
  };

  const genuine = (text: string, line: ChainLine): void => {
    const { chain, seq } = line;
    const found = foundOf(chain);
    for (const head of open) {
      if (head.chain === chain && head.seq === seq && head.hash === line.hash) open.delete(head);
    }
    if (found.latest.file !== file) found.latest = { file, seq: 0 };
    const before = found.latest.seq;
    if (!insert(found, line, timeOf(text))) return report({ kind: "duplicated", chain, seq: [seq, seq], ...place() });
    if (seq < before) report({ kind: "reordered", chain, seq: [seq, seq], ...place() });
    else found.latest.seq = seq;
    found.lines += 1;
    const own = chainEvent.exec(text);
    if (own?.[1] === "closed") found.closedAt = seq;
    if (own?.[2] !== undefined) found.dropped += Number(own[2]);
  };

  /** Puts a line into its place; false if it is there already. */
  const insert = (found: Found, line: ChainLine, time: string): boolean => {
    const { ranges } = found;
    const at = ranges.findLastIndex(({ from }) => from <= line.seq);
    const left = ranges[at];
    const right = ranges[at + 1];
    if (left && left.to >= line.seq) return false;
    const joinsLeft = left?.to === line.seq - 1;
    const joinsRight = right?.from === line.seq + 1;
    if (joinsLeft) {
      if (left.hash !== line.prev) unlinked(line.chain, line.seq);
      left.to = line.seq;
      left.hash = line.hash;
      left.times[1] = time;
    }
    const here: Range = joinsLeft
      ? left
      : { from: line.seq, to: line.seq, prev: line.prev, hash: line.hash, times: [time, time], place: place() };
    if (joinsRight) {
      if (right.prev !== line.hash) unlinked(line.chain, right.from);
      here.to = right.to;
      here.hash = right.hash;
      here.times[1] = right.times[1];
    }
    if (joinsLeft && joinsRight) ranges.splice(at + 1, 1);
    else if (joinsRight) ranges[at + 1] = here;
    else if (!joinsLeft) {
      ranges.splice(at + 1, 0, here);
      if (ranges.length > 1) breaks += 1;
    }
    return true;
  };

  const unlinked = (chain: string, seq: number): void =>
    report({ kind: "unlinked", chain, seq: [seq, seq], ...place() });

  const read = (bytes: Uint8Array): void => {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    const line = readChainLine(text);
    if (line && isGenuine(bytes, line)) return genuine(text, line);
    // What a writer was cut off in stands before the next writer's line.
    const start = text.lastIndexOf(beginning);
    const rest = start > 0 ? readChainLine(text.slice(start)) : undefined;
    if (rest && isGenuine(bytes.subarray(start), rest)) {
      read(bytes.subarray(0, start));
      return genuine(text.slice(start), rest);
    }
    if (line) {
      const kid = openedUnder.exec(text)?.[1];
      const unknown = kid === undefined || keys.find(kid) ? {} : { kid };
      return report({ kind: "altered", chain: line.chain, seq: [line.seq, line.seq], ...place(), ...unknown });
    }
    report({ kind: isTorn(text, bytes) ? "torn" : "foreign", ...place() });
  };

  /** Whether it is a line of ours that just stops: not one that is whole and something else besides. */
  const isTorn = (text: string, bytes: Uint8Array): boolean => {
    if (!text.startsWith(beginning) && !beginning.startsWith(text)) return false;
    if (text.endsWith('"}') && !text.endsWith('\\"}')) return false;
    if (!/"hash":"[\w-]{43}/.test(text)) return true;
    return ['"}', "}"].some((end) => {
      const whole = readChainLine(text + end);
      return whole !== undefined && isGenuine(bytes, whole);
    });
  };

  /** Gaps before and inside a chain, less what altered lines stand for: that has been told. */
  const reportMissing = (chain: string, { ranges }: Found): void => {
    const told = findings.flatMap(({ kind, chain: of, seq }) =>
      kind === "altered" && of === chain && seq ? [seq] : [],
    );
    told.sort(([a], [b]) => a - b);
    let expected = beginningOf(chain, ranges[0]);
    for (const { from: end, to, place: behind } of ranges) {
      for (const [from, last] of [...told, [end, to] as const]) {
        const gapEnd = Math.min(from, end) - 1;
        if (expected <= gapEnd) report({ kind: "missing", chain, seq: [expected, gapEnd], ...behind });
        expected = Math.max(expected, Math.min(last, end - 1) + 1);
      }
      expected = to + 1;
    }
  };

  /** 1, or the line behind a head that was given. */
  const beginningOf = (chain: string, first: Range | undefined): number => {
    const head = [...open].find((one) => one.chain === chain && one.seq + 1 === first?.from && one.hash === first.prev);
    if (!head) return 1;
    open.delete(head);
    return head.seq + 1;
  };

  return {
    file(name) {
      file = name;
      number = 0;
    },
    line(bytes) {
      number += 1;
      if (bytes.length > 0) read(bytes);
      return breaks <= mostFindings;
    },
    end() {
      for (const [chain, found] of chains) reportMissing(chain, found);
      for (const { chain, seq } of open) report({ kind: "unmet", chain, seq: [seq, seq] });
      return {
        chains: [...chains].flatMap(([chain, found]) => reportOf(chain, found) ?? []),
        findings,
        whole: findings.every(({ kind }) => kind === "torn"),
        givenUp: breaks > mostFindings,
      };
    },
  };
}

/** How each line of ours begins. */
const beginning = '{"time":"';

const timeOf = (text: string): string => text.slice(beginning.length, text.indexOf('"', beginning.length));

const openedUnder = /^\{"time":"[^"]*","action":"audit\.opened",.*"kid":"([\w-]{8})"/;

const chainEvent = /^\{"time":"[^"]*","action":"audit\.(opened|dropped|closed)"(?:,"dropped":(\d+))?/;

function reportOf(chain: string, { ranges, lines, dropped, closedAt }: Found): ChainReport | undefined {
  const [first, last] = [ranges[0], ranges.at(-1)];
  if (!first || !last) return undefined;
  return {
    chain,
    seq: [first.from, last.to],
    time: [first.times[0], last.times[1]],
    lines,
    dropped,
    closed: closedAt === last.to,
    head: formatHead({ chain, seq: last.to, hash: last.hash }),
  };
}
