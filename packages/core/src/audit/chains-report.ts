/** What can be wrong with an audit trail. */
export type FindingKind =
  /** A line that belongs to a chain, and is not as it was written, or was written under another root secret. */
  | "altered"
  /** Lines that are nowhere. */
  | "missing"
  /** Lines behind one that was written after them. */
  | "reordered"
  /** Lines that are there already. */
  | "duplicated"
  /** A line that does not follow the one before it, though both are genuine. */
  | "unlinked"
  /** A line that belongs to no chain. */
  | "foreign"
  /** A head that was given is not there. */
  | "unmet"
  /** The beginning of a line: writer or disk stopped in the middle. No break: what is lost with it is `missing`. */
  | "torn";

/** One thing that is wrong, or several of a kind in a row. */
export interface AuditFinding {
  readonly kind: FindingKind;
  readonly chain?: string;
  /** Sequence numbers, from and to. */
  readonly seq?: readonly [number, number];
  readonly file?: string;
  /** 1 for the first. */
  readonly line?: number;
  /** Root secret that an altered first line names and that was not given. */
  readonly kid?: string;
}

/** One chain as it was found. */
export interface ChainReport {
  readonly chain: string;
  /** Sequence numbers of the first and the last line found. */
  readonly seq: readonly [number, number];
  /** When these were written, ISO 8601. */
  readonly time: readonly [string, string];
  /** Lines found. */
  readonly lines: number;
  /** Events that the chain itself says were dropped. */
  readonly dropped: number;
  /** Whether it ends with the line of an orderly end. */
  readonly closed: boolean;
  /** `chain:seq:hash` of the last line found. */
  readonly head: string;
}

/** What became of the check. */
export interface ChainsReport {
  readonly chains: readonly ChainReport[];
  /** In the order of the files; `missing` and `unmet` last. */
  readonly findings: readonly AuditFinding[];
  /** Whether every line is there, as it was written; torn lines and chains without an end do not count against it. */
  readonly whole: boolean;
  /** Whether it was given up, as there was too much wrong. */
  readonly givenUp: boolean;
}
