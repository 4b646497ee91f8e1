import { createLogger, createSallyport, type EpochScope, IdentityProviderError } from "sallyport";
import { openAudit } from "../audit/open-audit.ts";
import { secretRule } from "../config/gateway-rules.ts";
import { configFailure, type GatewaySettings, loadGatewayConfig } from "../config/load-gateway-config.ts";
import { CommandFailure } from "../process/failure.ts";
import { writeError, writeLine } from "../process/output.ts";
import { serverResources } from "../serve/server-resources.ts";
import { requireSharedStore } from "../store/require-shared-store.ts";

/** Options of `sallyport grants end`. */
export interface EndGrantsOptions {
  readonly all?: true;
  /** Cognito's `sub`. */
  readonly user?: string;
  readonly client?: string;
  readonly config?: string;
  /** A file, or `-` for stdout. */
  readonly audit?: string;
}

/**
 * `sallyport grants end`: throws a kill switch in the store that the running replicas share.
 * @returns the exit status
 * @throws CommandFailure for settings that cannot be used, a store that no other process shares, and where Cognito did
 * not sign the user out
 */
export async function endGrants(options: EndGrantsOptions): Promise<number> {
  const { scope, whose } = chosen(options);
  const { config } = await loadGatewayConfig({
    ...(options.config === undefined ? {} : { file: options.config }),
    env: process.env,
    rules: [secretRule],
  });
  requireSharedStore(config.store, "restarting it ends every grant");
  const resources = [...config.resources, ...serverResources(config)];
  const logger = createLogger({ level: "warn", format: config.logFormat, write: writeError });
  const audit = await openAudit(options.audit, { secret: config.secret, logger });
  const auth = await createSallyport({ ...config, resources }, { logger, audit }).catch((error: unknown) => {
    throw configFailure(error, options.config);
  });
  try {
    await auth.endGrants(scope);
  } catch (error) {
    if (!(error instanceof IdentityProviderError)) throw error;
    throw new CommandFailure(
      `${ended(whose, config)}; but Cognito did not sign the user out everywhere: ${error.message}`,
    );
  } finally {
    await auth.close();
  }
  writeLine(ended(whose, config));
  if (options.user !== undefined && config.cognito.globalSignOut) {
    writeLine("signed out: every session of the user at Cognito, those of other applications among them");
  }
  return 0;
}

function chosen({ all, user, client }: EndGrantsOptions): { readonly scope: EpochScope; readonly whose: string } {
  const given = [all, user, client].filter((choice) => choice !== undefined);
  if (given.length !== 1) throw new CommandFailure("say whose grants are to end: one of --all, --user and --client");
  if (user === "" || client === "") throw new CommandFailure(`--${user === "" ? "user" : "client"} is empty`);
  if (user !== undefined) return { scope: { user }, whose: `of the user ${user}` };
  if (client !== undefined) return { scope: { client }, whose: `of the client ${client}` };
  return { scope: { all: true }, whose: "of everyone" };
}

const ended = (whose: string, { tokens }: GatewaySettings): string =>
  `ended: every grant ${whose} that has begun until now; it holds everywhere within ${tokens.grantCheckInterval / 1000} s`;
