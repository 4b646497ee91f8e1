import { isLoopbackHost } from "../config/values.ts";
import { OAuthError } from "../errors/index.ts";

/** What decides which redirect URIs may be registered. */
export interface RedirectPolicy {
  /** Our own callback at the identity provider: a client that had it would be sent its own answers back to us. */
  readonly callbackUrl: string;
  /** Schemes allowed besides https, http on loopback, and reverse-DNS names. */
  readonly customSchemes: readonly string[];
}

const longest = 2048;

/** Schemes that a browser acts upon itself or that name another protocol. Never allowed, even if configured. */
const dangerousSchemes = new Set(
  `about blob chrome content data feed file filesystem ftp ftps gopher intent jar javascript ldap ldaps livescript mailto
  mhtml mocha resource sftp sms smb ssh tel telnet urn vbscript view-source ws wss wyciwyg`.split(/\s+/),
);

/** Parameters of our own answers: there must be one of each. */
const answerParameters = new Set(["code", "state", "iss", "error", "error_description", "error_uri"]);

/**
 * Checks a redirect URI that a client wants to register (RFC 7591 §2, RFC 8252 §7, OAuth 2.1 §2.3.1). The text is
 * checked before it is parsed, because parsing would tidy away what must be refused.
 *
 * Allowed: https on any host; http on localhost, 127.0.0.0/8 and [::1]; custom schemes in reverse-DNS form or listed.
 * `*.localhost` is refused: whether it stays on this machine is up to the resolver.
 * @returns the text itself, unchanged
 * @throws OAuthError invalid_redirect_uri, saying which rule failed
 */
export function parseRedirectUri(text: string, policy: RedirectPolicy): string {
  const fault = textFault(text) ?? schemeFault(text, policy) ?? hostFault(text) ?? queryFault(text);
  if (fault !== undefined) throw invalid(fault);
  if (isOwnCallback(text, policy.callbackUrl)) throw invalid("it is this server's own callback");
  return text;
}

const invalid = (fault: string): OAuthError =>
  new OAuthError("invalid_redirect_uri", "redirect_uri_invalid", `redirect_uris: not allowed, ${fault}`);

/** Rules for the text as it stands. They hold for every redirect that is ever followed, configured ones too. */
export function textFault(text: string): string | undefined {
  if (text.length > longest) return `it is longer than ${longest} characters`;
  if (/[^\x21-\x7e]/.test(text)) return "it holds white space, a control character or a character that is not ASCII";
  if (text.includes("\\")) return "it holds a backslash";
  if (text.includes("*")) return "it holds a wildcard; name each address in full";
  if (text.includes("#")) return "it has a fragment";
  if (/["<>^`{|}]/.test(text)) return "it holds a character that must be percent-encoded";
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return "its percent-encoding is broken";
  if (/%(?:[01][0-9a-f]|7f)/i.test(text)) return "it holds an encoded control character";
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1];
  if (scheme === undefined) return "it has no scheme; write it in full";
  if (scheme !== scheme.toLowerCase()) return "its scheme is not in lower case";
  if (dangerousSchemes.has(scheme)) return `the scheme ${scheme} is never allowed`;
  const { authority, path } = split(text);
  if (authority.includes("@")) return "it holds a user name or password";
  if (authority.includes("%")) return "its host is percent-encoded";
  if (/%(?:2e|5c)/i.test(path)) return "its path holds an encoded dot or backslash";
  if (path.split("/").some((segment) => segment === "." || segment === "..")) return "its path holds a dot segment";
  if (!URL.canParse(text)) return "it is not a valid URL";
  return undefined;
}

function schemeFault(text: string, policy: RedirectPolicy): string | undefined {
  const { scheme, rest } = split(text);
  if (scheme === "https" || scheme === "http") {
    return rest.startsWith("//") ? undefined : `write ${scheme}://`;
  }
  const reverseDns = /^[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+$/.test(scheme);
  if (!reverseDns && !policy.customSchemes.includes(scheme)) {
    return `the scheme ${scheme.slice(0, 64)} is neither https, a reverse-DNS name nor one that is listed here`;
  }
  return rest.startsWith("/") && rest !== "//" ? undefined : `write ${scheme.slice(0, 64)}:/ and a path`;
}

function hostFault(text: string): string | undefined {
  const { scheme, authority } = split(text);
  if (scheme !== "https" && scheme !== "http") return undefined;
  const { hostname, port } = new URL(text);
  if (isEmbeddedIpv4(hostname)) return "its host is an IPv4 address inside an IPv6 one";
  const written = authority.replace(/:\d*$/, "");
  if (hostname !== written) return "its host is not in canonical form (lower case, plain numbers)";
  if (hostname.endsWith(".")) return "its host ends with a dot";
  if (port === "0" || /:$|:0\d/.test(authority.slice(written.length)))
    return "its port is not a number from 1 to 65535";
  if (scheme === "http" && !isLoopbackHost(hostname)) {
    return "http is for localhost, 127.0.0.1 and [::1] only; use https";
  }
  return undefined;
}

function queryFault(text: string): string | undefined {
  const name = [...new URL(text).searchParams.keys()].find((key) => answerParameters.has(key));
  return name === undefined ? undefined : `its query already has ${name}, which is part of our answer`;
}

/**
 * Whether a host, as `URL.hostname` gives it, is an IPv6 address that carries an IPv4 one: mapped (::ffff:0:0/96), NAT64
 * (64:ff9b::/96) or compatible (::/96, which also holds the unspecified address). `[::1]` is not one.
 */
const isEmbeddedIpv4 = (hostname: string): boolean =>
  hostname !== "[::1]" && /^\[(?:::ffff:|64:ff9b::|::(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})?)?\])/.test(hostname);

/**
 * Our callback, whatever its query. On loopback another name is the same machine, and a redirect without a port would
 * match ours.
 */
function isOwnCallback(text: string, callbackUrl: string): boolean {
  const url = new URL(text);
  const own = new URL(callbackUrl);
  const path = (of: URL) => of.pathname.toLowerCase().replace(/\/+$/, "");
  if (url.protocol !== own.protocol || path(url) !== path(own)) return false;
  if (url.host === own.host) return true;
  const bothLoopback = isLoopbackHost(url.hostname) && isLoopbackHost(own.hostname);
  return bothLoopback && (url.port === own.port || (url.protocol === "http:" && url.port === ""));
}

/** The parts of a URI as written, nothing decoded or tidied. Scheme and fragment have been checked before. */
function split(text: string): { scheme: string; rest: string; authority: string; path: string } {
  const colon = text.indexOf(":");
  const rest = text.slice(colon + 1);
  const authority = /^\/\/([^/?]*)/.exec(rest)?.[1] ?? "";
  const afterAuthority = rest.startsWith("//") ? rest.slice(2 + authority.length) : rest;
  return { scheme: text.slice(0, colon), rest, authority, path: afterAuthority.split("?", 1)[0] ?? "" };
}
