import { type KeyManagement, keyManagement, rotationPolicy } from "sallyport";
import { openAudit } from "../audit/open-audit.ts";
import { CommandFailure } from "../process/failure.ts";
import { serverResources } from "../serve/server-resources.ts";
import { type OpenedStore, withStore } from "../store/with-store.ts";

/** The signing keys of a deployment, while a command works on them. */
export interface OpenKeys extends OpenedStore {
  readonly management: KeyManagement;
  /** Those that sign identity assertions to upstreams; there are none where no server wants any. */
  readonly identity: KeyManagement;
}

/**
 * Opens the store of a deployment, lets `work` have its signing keys, and closes everything.
 * @param options.audit a file, or `-` for stdout; nowhere when left out
 * @throws CommandFailure for settings that cannot be used, and for a store that no server shares with this command
 */
export async function withKeys<T>(
  options: { readonly config?: string; readonly audit?: string },
  work: (keys: OpenKeys) => Promise<T>,
): Promise<T> {
  return withStore({ config: options.config, memory: "its keys are new with every start" }, async (opened) => {
    const { config } = opened;
    const audit = await openAudit(options.audit, { secret: opened.config.secret, logger: opened.logger });
    try {
      const resources = [...config.resources, ...serverResources(config)];
      const policy = rotationPolicy({ ...config, resources });
      const deps = { ...opened, policy, audit };
      const identity = keyManagement({ ...deps, use: "identity_assertion" });
      return await work({ ...opened, management: keyManagement(deps), identity });
    } finally {
      await audit.close();
    }
  });
}

/** What to say where a store holds no keyring. */
export const noKeysYet = (): CommandFailure =>
  new CommandFailure("there are no signing keys in this store yet; the first start of the server makes one");
