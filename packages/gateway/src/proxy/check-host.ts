/** The loopback names a browser or a person may use for this machine, as `Host` gives them without a port. */
const loopbackNames = new Set(["localhost", "127.0.0.1", "[::1]"]);

const isLoopbackAddress = (address: string | undefined): boolean =>
  address !== undefined && (address.startsWith("127.") || address === "::1" || address.startsWith("::ffff:127."));

/** How `Host` may name the host of a URL, in small letters: with and without the default port of its scheme. */
export function hostsOf(url: URL): readonly string[] {
  const defaultPort = url.protocol === "https:" ? "443" : "80";
  return url.port === "" ? [url.host, `${url.hostname}:${defaultPort}`] : [url.host];
}

/**
 * Whether a `Host` header names this gateway: the host of its public URL, or a loopback name on a connection that came
 * in by loopback. Anything else may be a page on a foreign name that was pointed at this machine (DNS rebinding).
 * Nothing is ever built from the header.
 * @param baseUrl the gateway's public URL
 */
export function createHostCheck(baseUrl: string) {
  const own = new Set(hostsOf(new URL(baseUrl)));
  return (host: string | undefined, localAddress: string | undefined): boolean => {
    if (host === undefined) return false;
    const lower = host.toLowerCase();
    if (own.has(lower)) return true;
    return isLoopbackAddress(localAddress) && loopbackNames.has(lower.replace(/:\d{1,5}$/, ""));
  };
}
