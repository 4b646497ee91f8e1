/** Something that an import leaves out, that means something else here, or that its reader should know. */
export interface Finding {
  readonly kind: "dropped" | "changed" | "note";
  /** 1-based, in the imported file; absent for what concerns the file as a whole. */
  readonly line?: number | undefined;
  readonly message: string;
}

/** Gathers findings, each kind of remark at its place. */
export interface Findings {
  readonly all: readonly Finding[];
  readonly dropped: (line: number | undefined, message: string) => void;
  readonly changed: (line: number | undefined, message: string) => void;
  readonly note: (line: number | undefined, message: string) => void;
}

/** Findings that are gathered one after another; what is found twice at one place is kept once. */
export function createFindings(): Findings {
  const all: Finding[] = [];
  const add = (kind: Finding["kind"]) => (line: number | undefined, message: string) => {
    if (all.some((other) => other.kind === kind && other.line === line && other.message === message)) return;
    all.push({ kind, line, message });
  };
  return { all, dropped: add("dropped"), changed: add("changed"), note: add("note") };
}
