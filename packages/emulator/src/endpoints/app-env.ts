import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";

/** What Hono carries for a request: Node's own request and response. */
export interface AppEnv {
  Bindings: HttpBindings;
}

export type AppContext = Context<AppEnv>;
