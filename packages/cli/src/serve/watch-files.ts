import { type FSWatcher, watch } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import type { Clock } from "sallyport";
import { markOf } from "./files-read.ts";

/** Looks after files by what is in them. */
export interface FileWatch {
  /** From now on these files count, with this in them. */
  follow(paths: readonly string[], mark: string): void;
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>;
}

/**
 * How often the files are looked at whatever the system tells, in milliseconds: it tells nothing of network file
 * systems, of single files that are mounted, and of links further away.
 */
const lookEvery = 5_000;

/** What is in the files must stay the same for so long, in milliseconds: a writer may be in the middle of it. */
const quiet = 100;

/** A writer that never comes to an end is not waited for. */
const mostLooks = 20;

/**
 * Tells when something else is in the files. Folders are watched, and not the files: editors put a new file in the
 * place of the old one, and Kubernetes turns a link beside it (`..data`) to another folder.
 * @param options.onChange waited for before the next look
 */
export function watchFiles(options: {
  readonly clock: Clock;
  readonly onChange: () => Promise<void>;
  /** Called where the system cannot watch a folder, which is then only looked at. */
  readonly onDeaf: (folder: string) => void;
}): FileWatch {
  const { clock } = options;
  const stopped = new AbortController();
  let followed: { readonly paths: readonly string[]; readonly mark: string } = { paths: [], mark: "[]" };
  let watchers: FSWatcher[] = [];
  const deaf = new Set<string>();
  /** Ended by the system's word, or where everything stops. */
  let nap = new AbortController();
  /** Later calls count, earlier ones that still look for folders do not. */
  let generation = 0;

  const isOurs = (event: string | null, names: ReadonlySet<string>): boolean =>
    event === null || names.has(event) || event.startsWith("..");

  const closeWatchers = (): void => {
    for (const watcher of watchers) watcher.close();
    watchers = [];
  };

  const listen = (folder: string, names: ReadonlySet<string>): void => {
    const fail = (): void => {
      if (deaf.has(folder)) return;
      deaf.add(folder);
      options.onDeaf(folder);
    };
    try {
      const watcher = watch(folder, { persistent: false }, (_kind, name) => {
        if (isOurs(name, names)) nap.abort();
      });
      watcher.on("error", () => {
        watcher.close();
        fail();
      });
      watchers.push(watcher);
    } catch {
      fail();
    }
  };

  const listenAll = async (paths: readonly string[]): Promise<void> => {
    const mine = ++generation;
    const named = paths.map((path) => resolve(path));
    const real = await Promise.all(named.map((path) => realpath(path).catch(() => path)));
    if (mine !== generation || stopped.signal.aborted) return;
    closeWatchers();
    const all = [...new Set([...named, ...real])];
    for (const [folder, files] of Map.groupBy(all, (path) => dirname(path))) {
      listen(folder, new Set(files.map((path) => basename(path))));
    }
  };

  /** What is in the files once nobody writes any more. */
  const settled = async (first: string): Promise<string> => {
    let mark = first;
    for (let looks = 0; looks < mostLooks; looks++) {
      await clock.sleep(quiet, stopped.signal);
      const next = await markOf(followed.paths);
      if (next === mark) return mark;
      mark = next;
    }
    return mark;
  };

  const look = async (): Promise<void> => {
    const { paths, mark } = followed;
    const now = await markOf(paths);
    if (now === mark) return;
    // Those who keep changing back and forth have changed nothing.
    if ((await settled(now)) === mark || stopped.signal.aborted || followed.mark !== mark) return;
    await options.onChange();
  };

  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await clock.sleep(lookEvery, nap.signal);
      nap = new AbortController();
      if (!stopped.signal.aborted) await look();
    }
  };
  const running = run();

  return {
    follow(paths, mark) {
      followed = { paths, mark };
      void listenAll(paths);
    },
    async stop() {
      stopped.abort();
      nap.abort();
      closeWatchers();
      await running;
    },
  };
}
