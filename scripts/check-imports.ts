// Refuses an import that goes upward: between packages, and between the floors inside the library.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { parseSync } from "oxc-parser";

const packages: Readonly<Record<string, { readonly name: string; readonly mayImport: readonly string[] }>> = {
  core: { name: "sallyport", mayImport: [] },
  emulator: { name: "@sallyport/cognito-emulator", mayImport: [] },
  gateway: { name: "@sallyport/gateway", mayImport: ["sallyport"] },
  cli: { name: "@sallyport/cli", mayImport: ["sallyport", "@sallyport/gateway", "@sallyport/cognito-emulator"] },
};

/** Rooms of the library from the ground up; a room imports only from itself and from rooms below it. */
const floors =
  "runtime crypto errors config audit store records http net limits keys identity grants capabilities scopes verify clients pages authorize token upkeep server client adapters".split(
    " ",
  );

const ours = new Set(Object.values(packages).map(({ name }) => name));
const faults: string[] = [];

for (const [folder, { name, mayImport }] of Object.entries(packages)) {
  const root = `packages/${folder}/src`;
  for (const file of sourceFiles(root).filter((path) => !path.endsWith(".test.ts"))) {
    for (const specifier of importsOf(file)) {
      if (specifier.startsWith(".")) {
        const target = relative(".", resolve(dirname(file), specifier));
        if (!target.startsWith(`${root}/`)) faults.push(`${file}: leaves its package: ${specifier}`);
        else if (folder === "core") checkFloors(root, file, target);
        continue;
      }
      const wanted = [...ours].find((own) => specifier === own || specifier.startsWith(`${own}/`));
      if (wanted !== undefined && wanted !== name && !mayImport.includes(wanted)) {
        faults.push(`${file}: ${name} may not import ${wanted}`);
      }
    }
  }
}

function checkFloors(root: string, file: string, target: string): void {
  const room = (path: string): string | undefined => relative(root, path).split("/").slice(0, -1)[0];
  const from = room(file);
  const to = room(target);
  if (from === undefined || to === undefined || from === to) return;
  const [own, other] = [floors.indexOf(from), floors.indexOf(to)];
  if (own < 0 || other < 0) faults.push(`${file}: ${own < 0 ? from : to} is not a known floor`);
  else if (other > own) faults.push(`${file}: ${from} may not import from ${to}, which lies above it`);
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name));
}

function importsOf(file: string): string[] {
  const { module } = parseSync(file, readFileSync(file, "utf8"));
  const statics = module.staticImports.map(({ moduleRequest }) => moduleRequest.value);
  const exports = module.staticExports.flatMap(({ entries }) =>
    entries.flatMap(({ moduleRequest }) => (moduleRequest ? [moduleRequest.value] : [])),
  );
  const source = readFileSync(file, "utf8");
  const dynamics = module.dynamicImports.map(({ moduleRequest }) =>
    source.slice(moduleRequest.start, moduleRequest.end).replace(/^["'`]|["'`]$/g, ""),
  );
  return [...statics, ...exports, ...dynamics];
}

for (const fault of faults) console.error(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
