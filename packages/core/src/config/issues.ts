import type { z } from "zod";
import { typeWord } from "./layer.ts";
import { kindOf, type Path, schemaAt } from "./walk.ts";

/** A fault that the schema found. */
export type Fault = { readonly path: Path } & (
  | { readonly kind: "wrong"; readonly message: string }
  | { readonly kind: "missing" }
  | { readonly kind: "unknown"; readonly key: string }
);

const missing = "is missing";

const typeWords: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a table",
  record: "a table",
  null: "null",
};

const count = (amount: number | bigint, noun: string): string => `${amount} ${noun}${amount === 1 ? "" : "s"}`;

/** Messages in plain words where the schema gives none of its own. None of them repeats the value. */
const plainWords: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case "invalid_type":
      if (issue.input === undefined) return missing;
      return `must be ${typeWords[issue.expected] ?? issue.expected}, not ${typeWord(issue.input)}`;
    case "invalid_value":
      return `must be ${issue.values.map((value) => String(value)).join(" or ")}`;
    case "too_small":
    case "too_big": {
      const [limit, word] = issue.code === "too_small" ? [issue.minimum, "at least"] : [issue.maximum, "at most"];
      if (issue.origin === "string") {
        return issue.code === "too_small" && limit === 1
          ? "must not be empty"
          : `must have ${word} ${count(limit, "character")}`;
      }
      if (issue.origin === "array" || issue.origin === "set") {
        return issue.code === "too_small" && limit === 1
          ? "must not be empty"
          : `must have ${word} ${count(limit, "entry").replace("entrys", "entries")}`;
      }
      return `must be ${issue.inclusive === false ? word.replace("at least", "more than").replace("at most", "less than") : word} ${limit}`;
    }
    case "invalid_format":
      return "does not have the form that is needed";
    default:
      return undefined;
  }
};

const hints: Readonly<Record<string, string>> = {
  duration: "write a duration such as 15s, 10m, 8h or 30d, in quotes",
  size: "write a size such as 64KiB or 4MiB, in quotes",
};

/**
 * Checks a value against its schema.
 * @returns the parsed value, or every fault in it
 */
export function examine(
  schema: z.ZodType,
  value: unknown,
  at: Path = [],
): { readonly value: unknown } | { readonly faults: readonly Fault[] } {
  const result = schema.safeParse(value, { error: plainWords });
  if (result.success) return { value: result.data };
  const faults = result.error.issues.flatMap((issue) => faultsOf(issue, []));
  return {
    faults: faults.map((fault) => {
      const place = schemaAt(schema, fault.path);
      const hint =
        fault.kind === "wrong" && fault.message.startsWith("must be a text")
          ? hints[kindOf(place ?? schema) ?? ""]
          : undefined;
      const path = [...at, ...fault.path];
      return hint !== undefined && fault.kind === "wrong" ? { ...fault, path, message: hint } : { ...fault, path };
    }),
  };
}

function faultsOf(issue: z.core.$ZodIssue, before: Path): Fault[] {
  const path = [...before, ...issue.path.map((step) => (typeof step === "symbol" ? String(step) : step))];
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({ path, kind: "unknown", key }));
    case "invalid_key": {
      const why = issue.issues.map((nested) => nested.message).join("; ");
      return [{ path, kind: "wrong", message: `this name cannot be used: ${why}` }];
    }
    case "invalid_element":
      return issue.issues.flatMap((nested) => faultsOf(nested, path));
    case "invalid_union": {
      // The alternative that came furthest is the one that was meant.
      const branches = issue.errors.map((branch) => branch.flatMap((nested) => faultsOf(nested, path)));
      const depth = (faults: readonly Fault[]) => Math.max(0, ...faults.map((fault) => fault.path.length));
      const best = branches.reduce<Fault[] | undefined>((chosen, branch) => {
        if (!chosen) return branch;
        const further = depth(branch) - depth(chosen);
        return further > 0 || (further === 0 && branch.length < chosen.length) ? branch : chosen;
      }, undefined);
      if (best && depth(best) > path.length) return best;
      if (best?.every((fault) => fault.kind === "missing")) return [{ path, kind: "missing" }];
      const texts = new Set(branches.flat().flatMap((fault) => (fault.kind === "wrong" ? [fault.message] : [])));
      if (texts.size > 0) return [{ path, kind: "wrong", message: [...texts].join(", or: ") }];
      if (best && best.length > 0) return best;
      const known = issue.inclusive !== false && issue.options ? issue.options.map(String).join(" or ") : "";
      return [{ path, kind: "wrong", message: known === "" ? "is none of what it can be" : `must be ${known}` }];
    }
    default:
      return [issue.message === missing ? { path, kind: "missing" } : { path, kind: "wrong", message: issue.message }];
  }
}
