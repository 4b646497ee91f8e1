import { stat } from "node:fs/promises";
import type { Clock, Logger } from "sallyport";
import { failureLines } from "../process/failure.ts";
import { type KeyPair, type KeyPairFiles, pairWarnings, readKeyPair } from "./certificate.ts";

/** Looks after the files of a certificate while it is in use. */
export interface CertificateWatch {
  /** Reads the files now if they have changed. Calls at the same time share one look. Never rejects. */
  look(): Promise<void>;
  stop(): void;
}

/** How often the files are looked at, in milliseconds. Followed by name, so that links and renamed files count too. */
const lookEvery = 10_000;

/** How often a line says that the certificate in use ends soon, in milliseconds. */
const remindEvery = 86_400_000;

/**
 * Takes over a new pair as soon as one is there, whole. Tools write one file after the other, so what cannot be used
 * at the first look is only told about at the second; the pair in use stays meanwhile.
 * @param options.hosts the names that the certificate has to hold
 * @param options.use told the new pair
 */
export function watchCertificate(options: {
  readonly files: KeyPairFiles;
  /** The pair in use, as it was read. */
  readonly pair: KeyPair;
  readonly hosts: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly use: (pair: KeyPair) => void;
}): CertificateWatch {
  const { files, hosts, clock, logger } = options;
  let pair = options.pair;
  /** How the files looked when `pair` was found in them. */
  let known: string | undefined;
  /** How they looked when they could not be used. */
  let faulty: { readonly marks: string; told: boolean } | undefined;
  let remindedAt = clock.monotonic();
  const stopped = new AbortController();

  const takeOver = async (marks: string): Promise<void> => {
    const found = await readKeyPair(files);
    known = marks;
    faulty = undefined;
    if (found.certificate === pair.certificate && found.key === pair.key) return;
    pair = found;
    options.use(pair);
    logger.info("another certificate is in use", { file: files.certificate });
    remind();
  };
  const remind = (): void => {
    remindedAt = clock.monotonic();
    for (const warning of pairWarnings(files, pair, hosts, clock.now())) logger.warn(warning);
  };
  const lookOnce = async (): Promise<void> => {
    if (clock.monotonic() - remindedAt >= remindEvery) remind();
    const marks = await marksOf(files);
    if (marks === known) return;
    try {
      await takeOver(marks);
    } catch (error) {
      if (faulty?.marks !== marks) faulty = { marks, told: false };
      else if (!faulty.told) {
        faulty.told = true;
        for (const line of failureLines(error)) logger.error(`the certificate stays as it was: ${line}`);
      }
    }
  };

  let looking: Promise<void> | undefined;
  const look = (): Promise<void> => {
    looking ??= lookOnce().finally(() => {
      looking = undefined;
    });
    return looking;
  };
  const watch = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await look();
      await clock.sleep(lookEvery, stopped.signal);
    }
  };
  void watch();
  return { look, stop: () => stopped.abort() };
}

/** Changes whenever a file is written, replaced, or another one is linked to. */
async function marksOf({ certificate, key }: KeyPairFiles): Promise<string> {
  const marks = await Promise.all(
    [certificate, key].map(async (path) => {
      try {
        const { dev, ino, size, mtimeMs, ctimeMs } = await stat(path);
        return [dev, ino, size, mtimeMs, ctimeMs].join(":");
      } catch {
        return "none";
      }
    }),
  );
  return marks.join(" ");
}
