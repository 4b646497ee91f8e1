/** The members of a JSON-RPC message; they are all in small letters. */
const guarded = new Set(["jsonrpc", "id", "method", "params", "result", "error"]);

const quote = 0x22;
const backslash = 0x5c;

/** Names that a parser may take for one: Go's encoding/json folds case, some parsers even `ſ` to `s`. */
const fold = (name: string): string => (isPlain(name) ? name : name.toUpperCase().toLowerCase());

function isPlain(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code > 0x7f || (code >= 0x41 && code <= 0x5a)) return false;
  }
  return true;
}

/** Objects and lists within each other, the message being the first. Deeper ones bring recursive parsers down. */
export const mostNested = 128;

/** Where members are looked at: what the gateway reads itself stands there. */
type Level = "message" | "params" | "meta";

/**
 * What about a JSON text could make another parser read another message than `JSON.parse` does.
 * - `too deep`: nested deeper than {@link mostNested}.
 * - `ambiguous`: a member of the message, of its `params` or of their `_meta` comes twice, or twice but for the case of
 *   its letters, or a member of JSON-RPC comes in other letters. RFC 8259 §4 leaves open which of two equal names
 *   counts, so what was judged would not surely be what the upstream does.
 * @param text need not be valid JSON: of what is not, nothing certain is said
 */
export function memberFault(text: string): "too deep" | "ambiguous" | undefined {
  const seen: Record<Level, Set<string>> = { message: new Set(), params: new Set(), meta: new Set() };
  let depth = 0;
  let inParams = false;
  let inMeta = false;
  let ambiguous = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x7b || code === 0x5b) {
      if (++depth > mostNested) return "too deep";
    } else if (code === 0x7d || code === 0x5d) depth--;
    else if (code === quote) {
      const end = endOfString(text, i + 1);
      if (end < 0) break;
      const level = levelAt(depth, inParams, inMeta);
      if (level !== undefined && isFollowedByColon(text, end + 1)) {
        const name = nameOf(text.slice(i + 1, end));
        const folded = fold(name);
        if (seen[level].has(folded) || (level === "message" && folded !== name && guarded.has(folded)))
          ambiguous = true;
        seen[level].add(folded);
        if (level === "message") inParams = folded === "params";
        if (level !== "meta") inMeta = level === "params" && folded === "_meta";
      }
      i = end;
    }
  }
  return ambiguous ? "ambiguous" : undefined;
}

function levelAt(depth: number, inParams: boolean, inMeta: boolean): Level | undefined {
  if (depth === 1) return "message";
  if (depth === 2 && inParams) return "params";
  return depth === 3 && inMeta ? "meta" : undefined;
}

/** Index of the closing quote of a string whose content begins at `from`; negative where there is none. */
function endOfString(text: string, from: number): number {
  let end = text.indexOf('"', from);
  while (end >= 0 && isEscaped(text, from, end)) end = text.indexOf('"', end + 1);
  return end;
}

function isEscaped(text: string, from: number, at: number): boolean {
  let slashes = 0;
  for (let i = at - 1; i >= from && text.charCodeAt(i) === backslash; i--) slashes++;
  return slashes % 2 === 1;
}

function isFollowedByColon(text: string, from: number): boolean {
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x3a) return true;
    if (code !== 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) return false;
  }
  return false;
}

function nameOf(raw: string): string {
  if (!raw.includes("\\")) return raw;
  try {
    const name: unknown = JSON.parse(`"${raw}"`);
    return typeof name === "string" ? name : raw;
  } catch {
    return raw;
  }
}
