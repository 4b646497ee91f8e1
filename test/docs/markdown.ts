import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout's root, with a slash at its end. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

/** What is not ours to check, or not part of the project. */
const skipped = new Set(["node_modules", "dist", ".git", "artifacts", ".sallyport"]);

/** Every Markdown file of the project, relative to its root. */
export function markdownFiles(folder = root): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : markdownFiles(path);
    return entry.name.endsWith(".md") ? [relative(root, path)] : [];
  });
}

/** The code blocks of a language in a document, in order. */
export const codeBlocks = (markdown: string, language: string): string[] =>
  [...markdown.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, name, code]) =>
    name === language && code !== undefined ? [code] : [],
  );

/** The code block of a language that a document of the project has under a heading. */
export function codeUnder(file: string, heading: string, language: string): string {
  const text = readFileSync(root + file, "utf8");
  const start = text.indexOf(`\n${heading}\n`);
  const rest = start < 0 ? "" : text.slice(start + heading.length + 2);
  const end = rest.search(/^## /m);
  const [code] = codeBlocks(end < 0 ? rest : rest.slice(0, end), language);
  if (code === undefined) throw new Error(`${file} has no ${language} code under ${heading}`);
  return code;
}

/** The text with one place changed. @throws Error if there is no such place, or more than one */
export function replaceOnce(text: string, from: string, to: string): string {
  const [before, after, more] = text.split(from);
  if (before === undefined || after === undefined || more !== undefined) {
    throw new Error(`${JSON.stringify(from)} must be there exactly once`);
  }
  return before + to + after;
}

/** The anchors of a document's headings, as GitHub makes them. */
export function anchorsOf(markdown: string): Set<string> {
  const prose = markdown.replace(/^```[\s\S]*?^```$/gm, "");
  const seen = new Map<string, number>();
  const anchors = [...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) => {
    const plain = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-");
    const before = seen.get(plain) ?? 0;
    seen.set(plain, before + 1);
    return before === 0 ? plain : `${plain}-${before}`;
  });
  return new Set(anchors);
}

/** Where a document links to inside the project: no code, no other sites. */
export function relativeLinks(markdown: string): string[] {
  const prose = markdown.replace(/^```[\s\S]*?^```$/gm, "").replace(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target));
}
