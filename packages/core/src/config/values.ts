import { z } from "zod";

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A length of time as `15s`, `10m`, `8h`, `30d` or `250ms`; milliseconds once parsed. */
export const duration = (bounds: { min?: string; max?: string } = {}) =>
  z
    .string()
    .regex(/^\d{1,9}(ms|s|m|h|d)$/, "write a duration such as 15s, 10m, 8h or 30d")
    .transform(milliseconds)
    .refine((ms) => bounds.min === undefined || ms >= milliseconds(bounds.min), `must be at least ${bounds.min}`)
    .refine((ms) => bounds.max === undefined || ms <= milliseconds(bounds.max), `must be at most ${bounds.max}`)
    .meta({ kind: "duration" });

function milliseconds(text: string): number {
  const unit = /[a-z]+$/.exec(text)?.[0] ?? "ms";
  return Number.parseInt(text, 10) * (units[unit] ?? 1);
}

const sizes: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2 };

/** A size as `512B`, `64KiB` or `4MiB`; bytes once parsed. */
export const byteSize = (bounds: { min?: string; max?: string } = {}) =>
  z
    .string()
    .regex(/^\d{1,6}(B|KiB|MiB)$/, "write a size such as 64KiB or 4MiB")
    .transform(bytes)
    .refine((size) => bounds.min === undefined || size >= bytes(bounds.min), `must be at least ${bounds.min}`)
    .refine((size) => bounds.max === undefined || size <= bytes(bounds.max), `must be at most ${bounds.max}`)
    .meta({ kind: "size" });

const bytes = (text: string): number => Number.parseInt(text, 10) * (sizes[/[A-Za-z]+$/.exec(text)?.[0] ?? "B"] ?? 1);

/** RFC 6749 §3.3 scope-token. */
export const scopeName = () =>
  z
    .string()
    .max(256)
    .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, "a scope has no spaces, quotes or backslashes");

/** A scope of those under `scopes`, by its short or its full name; the name under `scopes` once settings are loaded. */
export const scopeReference = () => scopeName().meta({ kind: "scope" });

const loopbackHosts = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Whether a URL's host (as `URL.hostname` gives it) is this machine itself. */
export const isLoopbackHost = (hostname: string): boolean =>
  loopbackHosts.has(hostname) || /^127(?:\.\d{1,3}){3}$/.test(hostname);

/** An https URL, or http on loopback; without userinfo, query and fragment; without a trailing slash once parsed. */
export const endpointUrl = () => webUrl((url) => url.href.replace(/\/+$/, ""));

/** The same for a URL that somebody else compares character by character: it stays as it is written. */
export const exactUrl = () => webUrl((_url, text) => text.trim());

const webUrl = (form: (url: URL, text: string) => string) =>
  z
    .string()
    .transform((text, context) => {
      const url = URL.canParse(text) ? new URL(text) : undefined;
      const fail = (message: string) => {
        context.addIssue({ code: "custom", message });
        return z.NEVER;
      };
      if (!url || (url.protocol !== "https:" && url.protocol !== "http:")) return fail("write a full URL, https://…");
      if (url.protocol === "http:" && !isLoopbackHost(url.hostname))
        return fail("must be https (http only on loopback)");
      if (url.username || url.password) return fail("must not hold a user name or password");
      if (url.search || url.hash || text.includes("#") || text.includes("?"))
        return fail("must have no query or fragment");
      return form(url, text);
    })
    .meta({ kind: "url" });
