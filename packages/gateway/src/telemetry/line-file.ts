import { open } from "node:fs/promises";
import type { Writable } from "node:stream";

/** Takes lines and never holds anybody up. */
export interface LineSink {
  write(line: string): void;
  /** Lines that were lost. */
  readonly dropped: number;
  close(): Promise<void>;
}

/** Characters that may wait for whoever takes them; more are dropped, as memory must not fill up for them. */
const mostWaiting = 4 * 1024 * 1024;
/** Lines are written together, after so many milliseconds at the latest. */
const gathering = 100;

/**
 * Lines to a stream, gathered.
 * @param onLoss told once, when lines are lost for the first time
 * @param own whether the stream is closed with it
 */
export function lineSink(stream: Writable, onLoss: (why: string) => void, own: boolean): LineSink {
  let waiting = "";
  let timer: NodeJS.Timeout | undefined;
  let dropped = 0;
  let broken = false;

  const lose = (lines: number, why: string): void => {
    if (dropped === 0) onLoss(why);
    dropped += lines;
  };
  stream.on("error", (error: Error) => {
    broken = true;
    lose(1, "code" in error && typeof error.code === "string" ? error.code : error.name);
  });
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting === "" || broken) return;
    stream.write(waiting);
    waiting = "";
  };

  return {
    get dropped() {
      return dropped;
    },
    write(line) {
      if (broken) return lose(1, "it failed before");
      if (waiting.length + stream.writableLength > mostWaiting) return lose(1, "it is too slow");
      waiting += `${line}\n`;
      timer ??= setTimeout(flush, gathering).unref();
    },
    async close() {
      flush();
      if (!own || broken) return;
      await new Promise<void>((resolve) => {
        stream.on("error", () => resolve());
        stream.end(() => resolve());
      });
    },
  };
}

/**
 * Appends lines to a file, which is made 0600; one that is there keeps its mode.
 * Rejects with the system's error where it cannot be opened.
 */
export async function openLineFile(path: string, onLoss: (why: string) => void): Promise<LineSink> {
  const handle = await open(path, "a", 0o600);
  return lineSink(handle.createWriteStream({ autoClose: true }), onLoss, true);
}
