import type { ServerEventBus } from "@modelcontextprotocol/server";

/** What all instances of `everything` share, so that a change made by one caller is seen by the others. */
export interface SharedState {
  readonly changes: ServerEventBus;
  /** Whether the tool that comes and goes is there. */
  extraTool: boolean;
  /** Whether the prompt that comes and goes is there. */
  extraPrompt: boolean;
  /** How often the watched resource has changed. */
  watchedRevision: number;
}
