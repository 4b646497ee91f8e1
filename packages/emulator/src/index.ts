/**
 * A local Amazon Cognito user pool: hosted UI, OAuth endpoints and tokens, with their oddities.
 * @packageDocumentation
 */
export { ConfigError, type ConfigProblem } from "./config/config-error.ts";
export { type ConfigFile, loadConfigFile } from "./config/load-config-file.ts";
export type { PoolConfig } from "./config/pool-config.ts";
export type { Fault, Faults } from "./faults/faults.ts";
export type { RequestEntry } from "./http/request-log.ts";
export type { ClientView, LivePool } from "./live-pool.ts";
export type { Clock, LogFields, Logger, Random } from "./runtime.ts";
export { type CognitoEmulator, type CognitoEmulatorOptions, startCognitoEmulator } from "./start-cognito-emulator.ts";
export type { User } from "./state/user-directory.ts";
