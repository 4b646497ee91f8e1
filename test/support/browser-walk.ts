/** A browser without a screen: cookies per host, redirects by hand, forms by their markup. For flows, not for pages. */
export interface Walker {
  /** Requests a URL and follows redirects until a page, or until `until` holds for a location. */
  get(url: string, until?: (location: string) => boolean): Promise<Page>;
  /** Submits the one form of a page. */
  submit(page: Page, fields: Readonly<Record<string, string>>, until?: (location: string) => boolean): Promise<Page>;
  readonly cookies: ReadonlyMap<string, string>;
}

export interface Page {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
  /** Where it would have gone on to, if `until` stopped it. */
  readonly location?: string;
}

const plain = (text: string): string =>
  text
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");

/**
 * @param cookies what it begins with, as in {@link Walker.cookies}
 * @param send how its requests leave it
 */
export function createWalker(
  cookies: Iterable<readonly [string, string]> = [],
  send: (url: URL, init: RequestInit) => Promise<Response> = fetch,
): Walker {
  const jar = new Map<string, string>(cookies);

  const keep = (url: URL, headers: Headers): void => {
    for (const line of headers.getSetCookie()) {
      const [pair = ""] = line.split(";");
      const [name = "", ...value] = pair.split("=");
      // Cookies are shared by all ports of a host.
      const key = `${url.hostname} ${name.trim()}`;
      if (/max-age=0/i.test(line) || /expires=thu, 01 jan 1970/i.test(line)) jar.delete(key);
      else jar.set(key, value.join("="));
    }
  };

  const cookieHeader = (url: URL): string =>
    [...jar]
      .flatMap(([key, value]) => (key.startsWith(`${url.hostname} `) ? [`${key.split(" ")[1]}=${value}`] : []))
      .join("; ");

  const follow = async (start: URL, init: RequestInit, until: (location: string) => boolean): Promise<Page> => {
    let url = start;
    let request = init;
    for (let hops = 0; hops < 20; hops += 1) {
      const headers = new Headers(request.headers);
      headers.set("cookie", cookieHeader(url));
      headers.set("accept", "text/html");
      const response = await send(url, { ...request, headers, redirect: "manual" });
      keep(url, response.headers);
      const location = response.headers.get("location");
      if (response.status < 300 || response.status >= 400 || location === null) {
        return { url: url.href, status: response.status, headers: response.headers, body: await response.text() };
      }
      await response.body?.cancel();
      const next = new URL(location, url).href;
      if (until(next))
        return { url: url.href, status: response.status, headers: response.headers, body: "", location: next };
      url = new URL(next);
      request = {};
    }
    throw new Error("too many redirects");
  };

  const never = () => false;
  return {
    cookies: jar,
    get: (url, until = never) => follow(new URL(url), {}, until),
    submit(page, fields, until = never) {
      const form = /<form\b([^>]*)>([\s\S]*?)<\/form>/i.exec(page.body);
      if (!form) throw new Error(`no form on ${page.url} (${page.status})`);
      const action = /action="([^"]*)"/i.exec(form[1] ?? "")?.[1];
      const url = new URL(action === undefined ? page.url : plain(action), page.url);
      const body = new URLSearchParams();
      for (const [input] of (form[2] ?? "").matchAll(/<input\b[^>]*type="hidden"[^>]*>/gi)) {
        const name = /name="([^"]*)"/i.exec(input)?.[1];
        if (name !== undefined) body.set(name, plain(/value="([^"]*)"/i.exec(input)?.[1] ?? ""));
      }
      for (const [name, value] of Object.entries(fields)) body.set(name, value);
      return follow(url, { method: "POST", body, headers: { origin: url.origin } }, until);
    },
  };
}

/** Walks the whole sign-in as a user would: approve, user name and password; answers the location at the client. */
export async function signIn(
  authorizeUrl: string,
  user: { readonly username: string; readonly password: string },
  options: { readonly walker?: Walker; readonly decision?: "approve" | "deny" } = {},
): Promise<string> {
  const walker = options.walker ?? createWalker();
  const redirectUri = new URL(authorizeUrl).searchParams.get("redirect_uri") ?? "";
  const atClient = (location: string) => redirectUri !== "" && location.startsWith(redirectUri);
  const consent = await walker.get(authorizeUrl, atClient);
  if (consent.location) return consent.location;
  const next = await walker.submit(consent, { decision: options.decision ?? "approve" }, atClient);
  if (next.location) return next.location;
  const done = await walker.submit(next, { username: user.username, password: user.password }, atClient);
  if (!done.location) throw new Error(`sign-in ended at ${done.url} with ${done.status}`);
  return done.location;
}
