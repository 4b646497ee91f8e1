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

/**
 * Whether another parser could read another message than `JSON.parse` does: a member of the message or of its `params`
 * comes twice, or twice but for the case of its letters, or a member of JSON-RPC comes in other letters. RFC 8259 §4
 * leaves open which of two equal names counts, so what was judged would not surely be what the upstream does.
 * @param text valid JSON, an object at the top
 */
export function hasAmbiguousMembers(text: string): boolean {
  const top = new Set<string>();
  const params = new Set<string>();
  let depth = 0;
  let inParams = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x7b || code === 0x5b) depth++;
    else if (code === 0x7d || code === 0x5d) depth--;
    else if (code === quote) {
      const end = endOfString(text, i + 1);
      if (depth === 1 || (depth === 2 && inParams)) {
        if (isFollowedByColon(text, end + 1)) {
          const name = nameOf(text.slice(i + 1, end));
          const folded = fold(name);
          if (depth === 1) {
            if (folded !== name && guarded.has(folded)) return true;
            if (top.has(folded)) return true;
            top.add(folded);
            inParams = folded === "params";
          } else {
            if (params.has(folded)) return true;
            params.add(folded);
          }
        }
      }
      i = end;
    }
  }
  return false;
}

/** Index of the closing quote of a string whose content begins at `from`. */
function endOfString(text: string, from: number): number {
  let end = text.indexOf('"', from);
  while (isEscaped(text, from, end)) end = text.indexOf('"', end + 1);
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
  const name: unknown = JSON.parse(`"${raw}"`);
  return typeof name === "string" ? name : raw;
}
