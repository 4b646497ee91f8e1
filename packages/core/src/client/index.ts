/**
 * The client's side: identities for MCP SDK v2, for people and for machines.
 * @packageDocumentation
 */
export type { Clock, Fetch, Random } from "../runtime/index.ts";
export type { Browser } from "./browser-sign-in.ts";
export type { ClientOptions, ClientRuntime } from "./client-options.ts";
export type { MachineOptions } from "./machine-provider.ts";
export { machineProvider } from "./machine-provider.ts";
export { SignInError } from "./sign-in-error.ts";
export type { SignInOptions, SignInProvider } from "./sign-in-provider.ts";
export { signInProvider } from "./sign-in-provider.ts";
export { manualBrowser, systemBrowser } from "./system-browser.ts";
