/**
 * Whether a name is written as a pattern says, in which `*` stands for any text, also none. Case does not count: nobody
 * is kept out by it who can choose the name.
 */
export function matchesNamePattern(pattern: string, name: string): boolean {
  const [start = "", ...rest] = pattern.toLowerCase().split("*");
  const text = name.toLowerCase();
  const end = rest.pop();
  if (end === undefined) return text === start;
  if (!text.startsWith(start)) return false;
  // Part by part and each as early as possible: no pattern takes longer than the text is long.
  let at = start.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - end.length >= at && text.endsWith(end);
}
