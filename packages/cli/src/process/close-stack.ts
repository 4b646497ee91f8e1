/** What has been opened and must be closed, the newest first. */
export interface CloseStack {
  add(close: () => Promise<void> | void): void;
  /** Closes everything, also where one part fails; then rejects with the first failure. */
  close(): Promise<void>;
}

export function createCloseStack(): CloseStack {
  const closers: (() => Promise<void> | void)[] = [];
  return {
    add: (close) => void closers.push(close),
    async close() {
      const failures: unknown[] = [];
      for (let next = closers.pop(); next; next = closers.pop()) {
        try {
          await next();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}
