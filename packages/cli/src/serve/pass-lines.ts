import type { Readable, Writable } from "node:stream";

/**
 * Writes what a stream brings to another one, whole lines at a time, so that several can share it. It waits where the
 * other is slow.
 * @param to stays open
 * @returns resolves at the end; what stands there without a line break is written as a line. Never rejects.
 */
export function passLines(from: Readable, to: Writable): Promise<void> {
  return new Promise((resolve) => {
    let rest = "";
    const write = (text: string): void => {
      // Nobody reads a stream that is closed: what comes is lost, and nothing waits for it.
      if (to.write(text) || to.destroyed) return;
      from.pause();
      const goOn = (): void => {
        to.off("drain", goOn).off("close", goOn);
        from.resume();
      };
      to.on("drain", goOn).on("close", goOn);
    };
    from.setEncoding("utf8");
    from.on("data", (chunk: string) => {
      const end = chunk.lastIndexOf("\n") + 1;
      if (end === 0) rest += chunk;
      else {
        write(rest + chunk.slice(0, end));
        rest = chunk.slice(end);
      }
    });
    from.on("error", () => {});
    from.once("close", () => {
      if (rest !== "") write(`${rest}\n`);
      resolve();
    });
  });
}
