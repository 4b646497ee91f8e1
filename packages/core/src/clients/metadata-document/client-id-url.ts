/** Far longer than any that is published; an id goes into every request, seal and audit event. */
const longest = 1024;

/** Whether a `client_id` means to be the URL of a metadata document. No id that is given out here looks like one. */
export const isClientIdUrl = (clientId: string): boolean => /^https?:/i.test(clientId);

/**
 * Why a `client_id` cannot be the URL of a metadata document, in words for its developer; undefined if it can
 * (draft-ietf-oauth-client-id-metadata-document §3). The text itself is judged, before any parser tidies it: two texts
 * that lead to one document would be two clients.
 *
 * A query is refused, where the draft only advises against it, and so is a port: an id names one document of one host.
 */
export function clientIdUrlFault(text: string): string | undefined {
  if (text.length > longest) return `it is longer than ${longest} characters`;
  if (!text.startsWith("https://")) return "it does not begin with https://";
  if (/[^\x21-\x7e]/.test(text)) return "it holds white space, a control character or a character that is not ASCII";
  if (text.includes("\\")) return "it holds a backslash";
  if (/["<>^`{|}]/.test(text)) return "it holds a character that must be percent-encoded";
  if (text.includes("#")) return "it has a fragment";
  if (text.includes("?")) return "it has a query";
  const rest = text.slice("https://".length);
  const slash = rest.indexOf("/");
  const host = slash < 0 ? rest : rest.slice(0, slash);
  const path = slash < 0 ? "" : rest.slice(slash);
  return hostFault(host) ?? pathFault(path) ?? canonicalFault(text);
}

function hostFault(host: string): string | undefined {
  if (host.includes("@")) return "it holds a user name or password";
  if (/^\[|^[\d.]+$/.test(host)) return "its host is an address; use a name";
  if (host.includes(":")) return "it has a port; leave it out";
  if (!/^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/.test(host)) return "its host is not a full domain name in lower case";
  return undefined;
}

function pathFault(path: string): string | undefined {
  if (/^\/*$/.test(path)) return "it has no path besides /";
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) return "its percent-encoding is broken";
  if (/%(?:2[ef]|5c|[01][0-9a-f]|7f)/i.test(path))
    return "it holds an encoded dot, slash, backslash or control character";
  if (path.split("/").some((segment) => segment === "." || segment === "..")) return "it holds a dot segment";
  return undefined;
}

const canonicalFault = (text: string): string | undefined =>
  URL.canParse(text) && new URL(text).href === text ? undefined : "it is not in canonical form";
