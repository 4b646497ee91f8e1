import { fstatSync, type Stats, write } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import type { AuditTarget } from "sallyport";
import { CommandFailure, systemReason } from "../process/failure.ts";

type Appended = Awaited<ReturnType<AuditTarget["append"]>>;

/**
 * A file that lines are appended to, made 0600; one that is there keeps its mode. When something else stands at its
 * path (it was moved away, as rotation of logs does), the next lines go to a new file there.
 * @param path relative to the working directory
 * @returns the target, and whether the file ends in the middle of a line
 * @throws CommandFailure if the file cannot be opened
 */
export async function openFileTarget(path: string): Promise<{ readonly target: AuditTarget; readonly cut: boolean }> {
  let file: FileHandle;
  /** The file that is written to, which a path may lose but a handle never. */
  let ours: Stats;
  let cut: boolean;
  try {
    file = await open(path, "a", 0o600);
    ours = await file.stat();
    cut = await endsInsideLine(path, file);
  } catch (error) {
    throw new CommandFailure(`the audit file ${path} cannot be written: ${systemReason(error)}`);
  }
  const follow = async (): Promise<void> => {
    const here = await stat(path).catch(() => undefined);
    if (here?.ino === ours.ino && here.dev === ours.dev) return;
    const moved = file;
    file = await open(path, "a", 0o600);
    ours = await file.stat();
    await moved.close();
  };
  return {
    cut,
    target: {
      async append(bytes) {
        try {
          await follow();
        } catch (error) {
          return { taken: 0, failure: systemReason(error) };
        }
        return appendAll(bytes, async (rest) => (await file.write(rest)).bytesWritten);
      },
      close: () => file.close().catch(() => {}),
    },
  };
}

/**
 * Standard output or error. A pipe that nobody reads takes nothing, and holds up nobody.
 * @param stream stays open
 */
export function streamTarget(stream: NodeJS.WriteStream & { readonly fd: number }): AuditTarget {
  // Node writes to a file behind such a stream on the spot, and everybody would wait for the disk.
  const append: AuditTarget["append"] = fstatSync(stream.fd).isFile()
    ? (bytes) => appendAll(bytes, (rest) => writeTo(stream.fd, rest))
    : (bytes) =>
        new Promise((resolve) => {
          stream.write(bytes, (error) => {
            resolve(error ? { taken: 0, failure: systemReason(error) } : { taken: bytes.length });
          });
        });
  return { append, close: async () => {} };
}

/** Writes until everything is taken: a disk that fills up takes a part, and refuses the rest. */
async function appendAll(bytes: Uint8Array, writeSome: (rest: Uint8Array) => Promise<number>): Promise<Appended> {
  let taken = 0;
  try {
    while (taken < bytes.length) taken += await writeSome(bytes.subarray(taken));
    return { taken };
  } catch (error) {
    return { taken, failure: systemReason(error) };
  }
}

const writeTo = (fd: number, bytes: Uint8Array): Promise<number> =>
  new Promise((resolve, reject) => {
    write(fd, bytes, (error, taken) => (error ? reject(error) : resolve(taken)));
  });

async function endsInsideLine(path: string, file: FileHandle): Promise<boolean> {
  const stats = await file.stat();
  if (!stats.isFile() || stats.size === 0) return false;
  const last = Buffer.alloc(1);
  const reader = await open(path, "r");
  try {
    await reader.read(last, 0, 1, stats.size - 1);
  } finally {
    await reader.close();
  }
  return last[0] !== 0x0a;
}
