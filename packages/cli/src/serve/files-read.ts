import { createHash } from "node:crypto";
import { fileSystem, type ReadFile } from "sallyport";
import { errorCode } from "../process/failure.ts";

/** What one reading of the settings has read: the file itself, and those that secrets are in. */
export interface FilesRead {
  /** Reads a file, and remembers what was in it. */
  readonly readFile: ReadFile;
  readonly paths: () => readonly string[];
  /** What was in the files, as one text. */
  readonly mark: () => string;
}

/** @param readFile default: the file system */
export function createFilesRead(readFile: ReadFile = fileSystem): FilesRead {
  const marks = new Map<string, string>();
  return {
    async readFile(path) {
      try {
        const file = await readFile(path);
        marks.set(path, createHash("sha256").update(file.text).digest("hex"));
        return file;
      } catch (error) {
        marks.set(path, errorCode(error) ?? "unreadable");
        throw error;
      }
    },
    paths: () => [...marks.keys()],
    mark: () => JSON.stringify([...marks]),
  };
}

/** What is in these files now, as one text: that of a reading which found the same. */
export async function markOf(paths: readonly string[], readFile: ReadFile = fileSystem): Promise<string> {
  const now = createFilesRead(readFile);
  for (const path of paths) await now.readFile(path).catch(() => {});
  return now.mark();
}
