import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import {
  type AuditFinding,
  type ChainReport,
  type ChainsReport,
  type ChainsVerifier,
  coreSection,
  deriveRootKeys,
  loadConfig,
  parseHead,
  verifyChains,
} from "sallyport";
import { secretRule } from "../config/gateway-rules.ts";
import { configFailure } from "../config/load-gateway-config.ts";
import { readDemoSecrets } from "../dev/demo-secrets.ts";
import { CommandFailure, systemReason } from "../process/failure.ts";
import { writeLine } from "../process/output.ts";
import { readSettings } from "../store/read-settings.ts";
import { readLines } from "./read-lines.ts";

/** Options of `sallyport audit verify`. */
export interface VerifyOptions {
  readonly config?: string;
  /** State folder of `sallyport dev`. */
  readonly state?: string;
  /** `chain:seq:hash`. */
  readonly expect?: readonly string[];
  readonly json?: boolean;
}

/**
 * `sallyport audit verify`: whether the lines of audit files are all there, as they were written.
 * @param files `-` is standard input
 * @returns the exit status: 1 where anything is wrong
 * @throws CommandFailure for a file that cannot be read, and where there is no root secret
 */
export async function verifyAudit(files: readonly string[], options: VerifyOptions, input: Readable): Promise<number> {
  const heads = (options.expect ?? []).map((text) => {
    const head = parseHead(text);
    if (!head) throw new CommandFailure(`--expect ${text}: write chain:seq:hash, as the log and this command show it`);
    return head;
  });
  const verifier = verifyChains(deriveRootKeys(await readSecrets(options)), heads);
  for (const file of files) if (!(await readFile(file, input, verifier))) break;
  const report = verifier.end();
  for (const line of options.json ? [JSON.stringify(report, null, 2)] : lines(report)) writeLine(line);
  return report.whole ? 0 : 1;
}

async function readSecrets({ config, state }: VerifyOptions): Promise<readonly string[]> {
  if (state !== undefined || (config === undefined && process.env.SALLYPORT_SECRET === undefined)) {
    const folder = state ?? ".sallyport";
    const kept = await readDemoSecrets(folder);
    if (kept) return [kept.root];
    if (state !== undefined) throw new CommandFailure(`there are no secrets of a sallyport dev in ${folder}`);
  }
  if (config !== undefined) return (await readSettings({ config, sealed: true })).secret;
  return ofEnvironment();
}

/** The root secrets alone: whoever checks audit lines needs no other setting. */
async function ofEnvironment(): Promise<readonly string[]> {
  const others = /^(?:COGNITO_|FASTMCP_|SALLYPORT_(?!SECRET))/;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !others.test(name)));
  try {
    const { config } = await loadConfig({ schema: coreSection.pick({ secret: true }), env, rules: [secretRule] });
    return config.secret;
  } catch (error) {
    throw configFailure(error, undefined);
  }
}

/** False where it was given up. */
async function readFile(file: string, input: Readable, verifier: ChainsVerifier): Promise<boolean> {
  verifier.file(file);
  try {
    for await (const line of readLines(file === "-" ? input : createReadStream(file))) {
      if (!verifier.line(line)) return false;
    }
    return true;
  } catch (error) {
    throw new CommandFailure(`${file} cannot be read: ${systemReason(error)}`);
  }
}

function lines({ chains, findings, whole, givenUp }: ChainsReport): readonly string[] {
  const count = chains.reduce((sum, chain) => sum + chain.lines, 0);
  const told = whole ? "nothing is missing or changed" : plural(findings.filter(isBreak).length, "break");
  const end = givenUp ? ["given up: there is too much wrong to look at the rest"] : [];
  if (chains.length === 0 && whole) return ["there are no audit lines"];
  return [
    ...chains.map(chainLine),
    ...findings.map(findingLine),
    ...end,
    `${plural(chains.length, "chain")}, ${plural(count, "line")}: ${told}`,
  ];
}

const isBreak = ({ kind }: AuditFinding): boolean => kind !== "torn";

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;

function chainLine({ chain, seq, time, dropped, closed, head }: ChainReport): string {
  const lost = dropped === 0 ? "" : `, ${plural(dropped, "event")} dropped when nothing could be written`;
  const end = closed ? "closed" : "not closed: in use, or its process was broken off";
  return `chain ${chain}: lines ${seq[0]} to ${seq[1]}, ${time[0]} to ${time[1]}, ${end}${lost}; head ${head}`;
}

function findingLine({ kind, chain, seq, file, line, kid }: AuditFinding): string {
  const where = file === undefined ? "" : `${file}:${line}: `;
  const which = seq === undefined ? "" : seq[0] === seq[1] ? `line ${seq[0]}` : `lines ${seq[0]} to ${seq[1]}`;
  const secret = kid === undefined ? "" : `: its first line names the root secret ${kid}`;
  return `${where}${kind}: ${texts[kind](`${which} of chain ${chain}`)}${secret}`;
}

const texts: Readonly<Record<AuditFinding["kind"], (lines: string) => string>> = {
  altered: (which) => `${which}: not as written, or written under a root secret that is not configured`,
  missing: (which) => `${which} should stand before this line`,
  reordered: (which) => `${which}: behind one that was written later`,
  duplicated: (which) => `${which}: there more than once`,
  unlinked: (which) => `${which}: does not follow the one before it`,
  foreign: () => "this line belongs to no chain",
  unmet: (which) => `${which}: not as --expect has it, or not there`,
  torn: () => "this line was begun and not ended, as when a process is killed or a disk is full",
};
