type RawPath = readonly (string | number)[];

/**
 * Finds on which line each key and list element of a TOML text stands.
 * It trusts the text to be valid (the parser has read it before) and knows only as much of the grammar as that takes;
 * where it meets something else it stops, and what it has not seen has no line.
 * @returns the 1-based line of a place, or of the nearest place around it; `undefined` if there is none
 */
export function tomlLines(text: string): (path: RawPath) => number | undefined {
  const lines = new Map<string, number>();
  const counts = new Map<string, number>();
  const key = (path: RawPath) => JSON.stringify(path);
  let at = 0;
  let line = 1;

  const note = (path: RawPath): void => {
    if (!lines.has(key(path))) lines.set(key(path), line);
  };
  const peek = (): string => text[at] ?? "";
  const step = (count = 1): void => {
    for (let i = 0; i < count; i++) if (text[at++] === "\n") line++;
  };
  const eat = (wanted: string): boolean => {
    if (!text.startsWith(wanted, at)) return false;
    step(wanted.length);
    return true;
  };
  const skip = (pattern: RegExp): void => {
    while (at < text.length) {
      if (peek() === "#") while (at < text.length && peek() !== "\n") step();
      else if (pattern.test(peek())) step();
      else return;
    }
  };

  /** Reads a string of any of the four kinds; only the text of one-line strings matters (keys). */
  const string = (): string => {
    const quote = peek();
    const fence = text.startsWith(quote.repeat(3), at) ? quote.repeat(3) : quote;
    const start = at;
    step(fence.length);
    while (at < text.length && !text.startsWith(fence, at)) step(quote === '"' && peek() === "\\" ? 2 : 1);
    step(fence.length);
    // A multi-line string may end in up to two more quotes.
    while (fence.length === 3 && peek() === quote) step();
    if (quote === "'") return text.slice(start + 1, at - 1);
    try {
      return String(JSON.parse(text.slice(start, at)));
    } catch {
      return text.slice(start + 1, at - 1);
    }
  };

  const dottedKey = (): string[] => {
    const keys: string[] = [];
    do {
      skip(/[ \t]/);
      if (peek() === '"' || peek() === "'") keys.push(string());
      else {
        const start = at;
        while (/[A-Za-z0-9_-]/.test(peek())) step();
        keys.push(text.slice(start, at));
      }
      skip(/[ \t]/);
    } while (eat("."));
    return keys;
  };

  const pair = (path: RawPath): void => {
    const first = line;
    const keys = dottedKey();
    for (let depth = 1; depth <= keys.length; depth++) {
      const place = key([...path, ...keys.slice(0, depth)]);
      if (!lines.has(place)) lines.set(place, first);
    }
    if (!eat("=")) at = text.length;
    value([...path, ...keys]);
  };

  const value = (path: RawPath): void => {
    skip(/[ \t]/);
    if (peek() === '"' || peek() === "'") string();
    else if (eat("[")) {
      for (let index = 0; ; index++) {
        skip(/[\s,]/);
        if (at >= text.length || eat("]")) return;
        note([...path, index]);
        value([...path, index]);
      }
    } else if (eat("{")) {
      for (;;) {
        skip(/[\s,]/);
        if (at >= text.length || eat("}")) return;
        pair(path);
      }
    } else {
      // At least one step, so that no text can hold the reader in place.
      do step();
      while (at < text.length && !/[,\]}\n#]/.test(peek()));
    }
  };

  /** A header's path with the index of the last element after each list of tables on the way. */
  const resolve = (keys: readonly string[], opensElement: boolean): RawPath => {
    let path: RawPath = [];
    keys.forEach((name, depth) => {
      path = [...path, name];
      const opens = opensElement && depth === keys.length - 1;
      const count = (counts.get(key(path)) ?? 0) + (opens ? 1 : 0);
      note(path);
      if (opens) counts.set(key(path), count);
      if (count > 0) path = [...path, count - 1];
      note(path);
    });
    return path;
  };

  let table: RawPath = [];
  for (skip(/\s|\ufeff/); at < text.length; skip(/\s/)) {
    if (peek() === "[") {
      const list = eat("[[");
      if (!list) eat("[");
      table = resolve(dottedKey(), list);
      eat(list ? "]]" : "]");
    } else pair(table);
  }
  return (path) => {
    for (let depth = path.length; depth > 0; depth--) {
      const found = lines.get(key(path.slice(0, depth)));
      if (found !== undefined) return found;
    }
    return undefined;
  };
}
