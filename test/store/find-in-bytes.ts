/** The shortest text that is looked for: shorter ones stand in many places by chance. */
const shortest = 12;

/**
 * A text as it may stand somewhere: as it is, in hex, URL-encoded, and in base64 of either alphabet, alone or at any place
 * inside something longer.
 */
function formsOf(text: string): readonly string[] {
  const bytes = Buffer.from(text, "utf8");
  const base64 = [0, 1, 2].map((offset) => {
    const whole = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64url");
    // The first and the last characters depend on what stands beside.
    return whole.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
  });
  const standard = base64.map((form) => form.replaceAll("-", "+").replaceAll("_", "/"));
  const hex = bytes.toString("hex");
  const escaped = JSON.stringify(text).slice(1, -1);
  return [...new Set([text, escaped, encodeURIComponent(text), hex, hex.toUpperCase(), ...base64, ...standard])];
}

/**
 * Looks for many texts at once.
 * @param wanted texts with a name; those shorter than 12 characters are left out
 * @returns the names of those that stand in `bytes` in any of their forms
 */
export function findInBytes(wanted: ReadonlyMap<string, string>, bytes: Buffer): ReadonlySet<string> {
  const starts = new Map<string, { readonly form: string; readonly name: string }[]>();
  for (const [text, name] of wanted) {
    if (text.length < shortest) continue;
    for (const form of formsOf(text)) {
      const start = form.slice(0, shortest);
      starts.set(start, [...(starts.get(start) ?? []), { form, name }]);
    }
  }
  const hay = bytes.toString("latin1");
  const found = new Set<string>();
  for (let at = 0; at + shortest <= hay.length; at += 1) {
    for (const { form, name } of starts.get(hay.slice(at, at + shortest)) ?? []) {
      if (hay.startsWith(form, at)) found.add(name);
    }
  }
  return found;
}
