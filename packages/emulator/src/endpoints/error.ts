import { readParameters } from "../http/parameters.ts";
import { errorPageBody } from "../pages/error-page.ts";
import { pageHeaders } from "../pages/layout.ts";
import type { AppContext } from "./app-env.ts";

/** GET /error: always status 400. */
export async function errorEndpoint(c: AppContext): Promise<Response> {
  const { error, client_id: clientId } = readParameters(new URL(c.req.url).searchParams).values;
  return c.html(await errorPageBody(error, clientId), 400, pageHeaders);
}
