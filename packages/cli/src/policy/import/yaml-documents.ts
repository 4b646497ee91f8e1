import { type Document, isMap, isNode, isScalar, LineCounter, parseAllDocuments } from "yaml";
import { CommandFailure } from "../../process/failure.ts";

type Path = readonly (string | number)[];

/** One value of a file, with the lines of what is in it. */
export interface YamlDocument {
  readonly value: unknown;
  /** 1-based line of a place, or of the nearest place around it. */
  readonly lineOf: (path: Path) => number | undefined;
}

/** How often aliases may be resolved in one document: far more than people write, far less than a bomb needs. */
const maxAliasCount = 100;

/**
 * Reads YAML, one document or several; JSON is YAML, too, and so is one JSON object a line.
 * @throws CommandFailure with a line for each fault: no YAML, a key twice, a tag of its own, too many aliases
 */
export function yamlDocuments(text: string, name: string): readonly YamlDocument[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(separated(text), {
    lineCounter: lines,
    prettyErrors: false,
    // As the registry's own reader has it: there, unquoted yes and on are no texts, and so match nothing.
    schema: "yaml-1.1",
    stringKeys: true,
    uniqueKeys: true,
  });
  if (!Array.isArray(documents)) return [];
  const faults = documents.flatMap((document) => [...document.errors, ...document.warnings]);
  if (faults.length > 0) {
    throw new CommandFailure(
      ...faults.map(({ code, message, pos }) => {
        const what = code === "DUPLICATE_KEY" ? "a key comes twice, and only one could count; remove one" : message;
        return `${name}:${lines.linePos(pos[0]).line}: ${what}`;
      }),
    );
  }
  return documents.map((document) => {
    try {
      return { value: document.toJS({ maxAliasCount }), lineOf: (path) => lineIn(document, path, lines) };
    } catch (error) {
      throw new CommandFailure(`${name}: ${error instanceof Error ? error.message : "cannot be read"}`);
    }
  });
}

function lineIn(document: Document.Parsed, path: Path, lines: LineCounter): number | undefined {
  for (let depth = path.length; depth >= 0; depth -= 1) {
    const start = keyAt(document, path.slice(0, depth))?.range?.[0];
    if (start !== undefined) return lines.linePos(start).line;
  }
  return undefined;
}

/** Where a place begins: at its key, which may be some lines before the value. */
function keyAt(document: Document.Parsed, path: Path) {
  const around: unknown = document.getIn(path.slice(0, -1), true);
  const pair = isMap(around) ? around.items.find(({ key }) => isScalar(key) && key.value === path.at(-1)) : undefined;
  const node: unknown = pair?.key ?? document.getIn(path, true);
  return isNode(node) ? node : undefined;
}

/** Database exports have one JSON object a line, with nothing between them. */
function separated(text: string): string {
  const written = text.split("\n").filter((line) => line.trim() !== "");
  const isObjectEach = written.length > 1 && written.every((line) => /^\s*\{.*\}\s*$/.test(line));
  return isObjectEach ? text.replaceAll(/^(?=[ \t]*\{)/gm, "--- ") : text;
}
