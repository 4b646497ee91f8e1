import { liveGatewaySettings } from "@sallyport/gateway";
import {
  type AuditEvent,
  type AuditSink,
  type ChangedSetting,
  type Clock,
  ConfigError,
  changedSettings,
  formatProblem,
  type Loaded,
  type Logger,
  liveCoreSettings,
  needRestart,
  type ReadFile,
} from "sallyport";
import type { GatewaySettings } from "../config/load-gateway-config.ts";
import { failureLines } from "../process/failure.ts";
import { describeChange } from "./describe-change.ts";
import { createFilesRead, type FilesRead } from "./files-read.ts";
import { watchFiles } from "./watch-files.ts";

/** Settings as they were read. */
type LoadedSettings = Pick<Loaded<GatewaySettings>, "config" | "warnings" | "schema" | "sourceOf">;

/** Keeps a running server to what is in the files of its settings. */
export interface SettingsReload {
  /**
   * Reads the settings again, after whatever is under way. What comes meanwhile is one more reading: the last word
   * counts. Never rejects: what is wrong is logged, and everything stays as it was.
   */
  reload(): Promise<void>;
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>;
}

/** How often a line says that the settings in use are not those in the file, in milliseconds. */
const remindEvery = 600_000;

/**
 * Follows the files of the settings.
 * @param options.loaded what runs
 * @param options.read the files that it came from
 * @param options.load reads the settings; rejects with CommandFailure, a line for every problem
 * @param options.use takes over other settings as a whole, or throws and changes nothing
 */
export function followSettings(options: {
  readonly loaded: LoadedSettings;
  readonly read: FilesRead;
  readonly load: (readFile: ReadFile) => Promise<LoadedSettings>;
  readonly use: (config: GatewaySettings) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly audit: AuditSink;
}): SettingsReload {
  const { clock, logger, audit } = options;
  let inUse = options.loaded.config;
  let refused = false;
  let reading: Promise<void> | undefined;
  let again = false;
  let reminding = false;
  const stopped = new AbortController();

  const report = (event: Pick<AuditEvent, "action" | "reason">): void =>
    audit.write({ time: new Date(clock.now()).toISOString(), ...event });

  const refuse = (lines: readonly string[], reason: "settings_invalid" | "settings_need_restart"): void => {
    for (const line of lines) logger.error(`the settings in use stay as they are: ${line}`);
    report({ action: "config.reload_refused", reason });
    refused = true;
    void remind();
  };

  const remind = async (): Promise<void> => {
    if (reminding) return;
    reminding = true;
    while (refused && !stopped.signal.aborted) {
      await clock.sleep(remindEvery, stopped.signal);
      if (refused && !stopped.signal.aborted) logger.error("the settings in use are not those in the file, still");
    }
    reminding = false;
  };

  const readOnce = async (): Promise<void> => {
    const read = createFilesRead();
    let loaded: LoadedSettings;
    try {
      loaded = await options.load(read.readFile);
    } catch (error) {
      return refuse(failureLines(error), "settings_invalid");
    } finally {
      watching.follow(read.paths(), read.mark());
    }
    const { config, schema, sourceOf, warnings } = loaded;
    const changed = changedSettings(schema, inUse, config);
    const locked = needRestart(changed, [...liveCoreSettings, ...liveGatewaySettings]);
    if (locked.length > 0) {
      const placeOf = new Map(changed.map(({ name, path }: ChangedSetting) => [name, sourceOf(path)]));
      const lines = locked.map((problem) =>
        formatProblem({ ...problem, source: placeOf.get(problem.setting) ?? problem.source }),
      );
      return refuse(lines, "settings_need_restart");
    }
    if (changed.length > 0) {
      try {
        options.use(config);
      } catch (error) {
        const lines = error instanceof ConfigError ? error.problems.map(formatProblem) : failureLines(error);
        return refuse(lines, "settings_invalid");
      }
    }
    const what = describeChange(inUse, config, changed);
    inUse = config;
    if (changed.length === 0 && !refused) return logger.info("the settings were read again; nothing has changed");
    for (const warning of warnings) logger.warn(formatProblem(warning));
    logger.info("the settings were reloaded", { changes: what.length === 0 ? "none" : what.join("; ") });
    report({ action: "config.reloaded" });
    refused = false;
  };

  const readAll = async (): Promise<void> => {
    do {
      again = false;
      await readOnce();
    } while (again && !stopped.signal.aborted);
  };

  const reload = (): Promise<void> => {
    again = true;
    reading ??= readAll().finally(() => {
      reading = undefined;
    });
    return reading;
  };

  const watching = watchFiles({
    clock,
    onChange: reload,
    onDeaf: (folder) => logger.info("changes of settings are looked for every 5 s", { folder }),
  });
  watching.follow(options.read.paths(), options.read.mark());

  return {
    reload,
    async stop() {
      stopped.abort();
      await Promise.all([watching.stop(), reading]);
    },
  };
}
