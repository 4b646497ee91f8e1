import { z } from "zod";
import { type Fetch, withDeadline } from "../runtime/index.ts";
import type { SettingsView } from "./settings-view.ts";

/** How long one answer may take, ms. */
const longestWait = 5_000;

const issuerDocument = z.object({ issuer: z.string() });
const resourceDocument = z.object({ resource: z.string(), authorization_servers: z.array(z.string()) });
const keySet = z.object({ keys: z.array(z.unknown()) });

/**
 * Asks for everything that a client needs before its first sign-in, through the public URLs of the settings. What lies
 * between (proxies, stages, mounts) so shows itself at the start, and not at a user's client.
 * @returns one text for each fault; empty: none. Never rejects.
 */
export async function selfCheck(view: SettingsView, fetch: Fetch): Promise<readonly string[]> {
  const { origin, pathname } = new URL(view.issuer);
  const issuerPath = pathname.replace(/\/$/, "");
  const describesIssuer = (body: unknown): string | undefined => {
    const { data } = issuerDocument.safeParse(body);
    if (data?.issuer === view.issuer) return undefined;
    return `it does not describe the issuer ${view.issuer}: another server answers here`;
  };
  const documents = [
    look(fetch, `${origin}/.well-known/oauth-authorization-server${issuerPath}`, describesIssuer),
    look(fetch, `${view.issuer}/.well-known/openid-configuration`, describesIssuer),
    look(fetch, `${view.issuer}/.well-known/jwks.json`, (body) =>
      keySet.safeParse(body).success ? undefined : "it is no key set: another server answers here",
    ),
  ];
  const resources = view.resources.all.flatMap(({ url, metadataUrl }) => [
    look(fetch, metadataUrl, (body) => {
      const { data } = resourceDocument.safeParse(body);
      if (data?.resource === url && data.authorization_servers.includes(view.issuer)) return undefined;
      return `it does not describe ${url}: another server answers here`;
    }),
    lookAtResource(fetch, url, metadataUrl),
  ]);
  return (await Promise.all([...documents, ...resources])).filter((fault) => fault !== undefined);
}

async function look(
  fetch: Fetch,
  url: string,
  judge: (body: unknown) => string | undefined,
): Promise<string | undefined> {
  return ask(fetch, url, "GET", async (answer) => {
    if (answer.status === 200) return judge(await answer.json().catch(() => undefined));
    if (answer.status >= 300 && answer.status < 400) {
      return `it redirects (${answer.status}), and clients need not follow: answer it here`;
    }
    return `it answers ${answer.status}: whatever serves this origin must pass this path on, unchanged, to the app`;
  });
}

/** A request without a token must come back with the challenge that names the metadata (RFC 9728 §5.1). */
async function lookAtResource(fetch: Fetch, url: string, metadataUrl: string): Promise<string | undefined> {
  return ask(fetch, url, "POST", async (answer) => {
    if (answer.status !== 401) {
      return `without a token it answers ${answer.status} instead of 401: put it behind protect, and pass this path on to the app`;
    }
    const challenge = answer.headers.get("www-authenticate");
    if (challenge?.includes(`resource_metadata="${metadataUrl}"`)) return undefined;
    return challenge === null
      ? "its 401 has no WWW-Authenticate header: let the proxy pass it on"
      : `its challenge does not name ${metadataUrl}: another check answers first`;
  });
}

async function ask(
  fetch: Fetch,
  url: string,
  method: "GET" | "POST",
  judge: (answer: Response) => Promise<string | undefined>,
): Promise<string | undefined> {
  const fault = await withDeadline(longestWait, async (signal) => {
    const answer = await fetch(url, {
      method,
      redirect: "manual",
      signal,
      headers: { accept: "application/json, text/event-stream" },
    });
    const judged = await judge(answer);
    if (!answer.bodyUsed) await answer.body?.cancel();
    return judged;
  }).catch((error: unknown) => {
    if (error instanceof Error && error.name === "TimeoutError") return `no answer within ${longestWait} ms`;
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : "";
    return `it cannot be reached from here${cause === "" ? "" : ` (${cause})`}: check base_url, DNS and TLS`;
  });
  return fault === undefined ? undefined : `${method} ${url}: ${fault}`;
}
