/** Writes a line to stdout. */
export const writeLine = (line: string): void => void process.stdout.write(`${line}\n`);

/** Writes a line to stderr. */
export const writeError = (line: string): void => void process.stderr.write(`${line}\n`);

let tolerant = false;

/** A reader that went away (`sallyport … | head`) ends the output, not the process. Safe to call twice. */
export function tolerateClosedOutput(): void {
  if (tolerant) return;
  tolerant = true;
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
}
