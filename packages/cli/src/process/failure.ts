/** A command cannot go on, for a reason that its user can mend. Each line is shown as it is. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly lines: readonly string[];

  constructor(...lines: readonly string[]) {
    super(lines.join("\n"));
    this.lines = lines;
  }
}

/** What to show of an error: never a stack trace, one line for whatever was not foreseen. */
export function failureLines(error: unknown): readonly string[] {
  if (error instanceof CommandFailure) return error.lines;
  return [error instanceof Error ? error.message.replace(/\s*\n\s*/g, " ") : "failed for an unknown reason"];
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  ENOENT: "there is no such file or folder",
  ENOTDIR: "a part of the path is no folder",
  EEXIST: "it is a file",
  EISDIR: "it is a folder",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EADDRINUSE: "it is taken",
  EADDRNOTAVAIL: "this machine has no such address",
  ENOTFOUND: "there is no such host",
};

/** The system's reason for a failed call, in plain words; its code where there are none. */
export function systemReason(error: unknown): string {
  const code = errorCode(error);
  return code === undefined ? "it failed" : (reasons[code] ?? code);
}

/** `ENOENT` and the like. */
export const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
