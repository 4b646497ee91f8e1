import { type FileHandle, open } from "node:fs/promises";
import type { AuditSink } from "sallyport";
import { CommandFailure, systemReason } from "../process/failure.ts";

/** Characters that may wait for a slow disk; more are dropped, as memory must not fill up for them. */
const mostWaiting = 8 * 1024 * 1024;

/**
 * Appends events to a file, one JSON object a line. The file is made 0600; a file that is there keeps its mode.
 * Events that come while a write is under way go out together with the next one.
 *
 * @param options.path relative to the working directory
 * @param options.warn told once when a write fails or events are dropped; requests go on
 * @throws CommandFailure if the file cannot be opened
 */
export async function openAuditFile(options: {
  readonly path: string;
  readonly warn: (message: string) => void;
}): Promise<AuditSink> {
  const { path } = options;
  let file: FileHandle;
  try {
    file = await open(path, "a", 0o600);
  } catch (error) {
    throw new CommandFailure(`the audit file ${path} cannot be written: ${systemReason(error)}`);
  }
  let waiting: string[] = [];
  let waitingLength = 0;
  let writing: Promise<void> | undefined;
  let warned = false;
  let closed = false;

  const lose = (why: string): void => {
    if (warned) return;
    warned = true;
    options.warn(`audit events are lost: ${path} cannot be written: ${why}`);
  };
  const writeAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting.join("");
      waiting = [];
      waitingLength = 0;
      try {
        await file.appendFile(batch);
      } catch (error) {
        lose(systemReason(error));
      }
    }
    writing = undefined;
  };

  return {
    write(event) {
      if (closed) return;
      const line = `${JSON.stringify(event)}\n`;
      if (waitingLength + line.length > mostWaiting) return lose("the disk is too slow");
      waiting.push(line);
      waitingLength += line.length;
      writing ??= writeAll();
    },
    async close() {
      if (closed) return;
      closed = true;
      await writing;
      await file.close();
    },
  };
}
