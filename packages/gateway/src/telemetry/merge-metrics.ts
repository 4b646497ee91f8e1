/** A family's lines in one text. */
interface Block {
  readonly help: string;
  readonly type: string;
  readonly samples: string[];
}

const comment = /^# (HELP|TYPE) ([A-Za-z_:][A-Za-z0-9_:]*)(?: .*)?$/;
const sample = /^([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})? (\S+)$/;

/**
 * The metrics of several processes as one text: every series gets a label `worker` with its process's place in the list,
 * and a family's series stand together under one HELP and one TYPE.
 * @param texts as `metricsText` gives them, one for each process; an empty text is a process that did not answer
 */
export function mergeMetrics(texts: readonly string[]): string {
  const families = new Map<string, Block>();
  for (const [worker, text] of texts.entries()) {
    let block: Block | undefined;
    let help = "";
    for (const line of text.split("\n")) {
      const [, what, name] = comment.exec(line) ?? [];
      if (what === "HELP") help = line;
      else if (what === "TYPE" && name !== undefined) {
        block = families.get(name) ?? { help, type: line, samples: [] };
        families.set(name, block);
      } else {
        const [, series, labels = "", value] = sample.exec(line) ?? [];
        if (series === undefined) continue;
        const all = labels === "" ? `worker="${worker}"` : `${labels},worker="${worker}"`;
        block?.samples.push(`${series}{${all}} ${value}`);
      }
    }
  }
  const lines = [...families.values()].flatMap(({ help, type, samples }) => [help, type, ...samples]);
  return `${lines.join("\n")}\n`;
}
