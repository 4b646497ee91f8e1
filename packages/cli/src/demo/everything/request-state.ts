import { createRequestStateCodec, type ServerContext } from "@modelcontextprotocol/server";
import { z } from "zod";

const stateSchema = z.object({
  /** The tool it was made for; another tool does not take it. */
  tool: z.string(),
  /** How many answers have come. */
  step: z.number().int(),
  /** What earlier rounds brought. */
  name: z.string().optional(),
});

/** What a call remembers from round to round. It travels through the client, signed but readable. */
export type RoundState = z.infer<typeof stateSchema>;

/** Makes and reads `requestState` (SEP-2322). */
export interface RequestStates {
  mint(state: RoundState, context: ServerContext): Promise<string>;
  /** The state of this round if it was made for `tool`. A forged one never gets here: `verify` has refused it. */
  read(context: ServerContext, tool: string): RoundState | undefined;
  /** For the server's `requestState.verify`. */
  verify(state: string, context: ServerContext): Promise<RoundState>;
}

/** @param key at least 32 bytes */
export function createRequestStates(key: Uint8Array): RequestStates {
  const codec = createRequestStateCodec<RoundState>({ key, bind: ({ mcpReq }) => mcpReq.method });
  return {
    mint: (state, context) => codec.mint(state, context),
    verify: (state, context) => codec.verify(state, context),
    read(context, tool) {
      const state = stateSchema.safeParse(context.mcpReq.requestState());
      return state.success && state.data.tool === tool ? state.data : undefined;
    },
  };
}
