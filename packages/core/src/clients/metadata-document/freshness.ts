const minute = 60_000;
const day = 86_400_000;
/** Where the answer does not say, ms. */
const unsaid = 60 * minute;

/** What an answer says of its own reuse, and how to ask whether it still stands. */
export interface Freshness {
  /** How long it may be used without asking, ms; between a minute and a day. */
  readonly lifetime: number;
  readonly etag?: string;
  readonly lastModified?: string;
}

/**
 * Reads the caching headers of an answer as a private cache (RFC 9111 §4.2, §5.2.2): `s-maxage` and `public` are not for
 * it. The lifetime is kept between a minute and a day, also where the headers forbid to keep anything: without bounds one
 * client could make us fetch at every request, and another would never be looked at again.
 * @param before what held until now, for an answer 304: headers that it leaves out stand (RFC 9111 §4.3.4)
 */
export function freshnessOf(headers: Headers, before?: Freshness): Freshness {
  const etag = validator(headers.get("etag"), /^(?:W\/)?"[\x21\x23-\x7e]*"$/) ?? before?.etag;
  const lastModified = validator(headers.get("last-modified"), /^[A-Za-z0-9,: -]+$/) ?? before?.lastModified;
  const said = saidLifetime(headers);
  return {
    lifetime: Math.min(day, Math.max(minute, said ?? before?.lifetime ?? unsaid)),
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified }),
  };
}

/** Headers that ask whether a document still stands (RFC 9110 §13.1). */
export const revalidation = ({ etag, lastModified }: Partial<Freshness>): Readonly<Record<string, string>> => ({
  ...(etag === undefined ? {} : { "If-None-Match": etag }),
  ...(lastModified === undefined ? {} : { "If-Modified-Since": lastModified }),
});

/** It is sent back as it came, so only in its own form and length. */
const validator = (value: string | null, form: RegExp): string | undefined =>
  value !== null && value.length <= 256 && form.test(value) ? value : undefined;

/** Milliseconds that are left of it; undefined where the headers say nothing. */
function saidLifetime(headers: Headers): number | undefined {
  const age = seconds(headers.get("age") ?? "0") ?? 0;
  const control = headers.get("cache-control");
  if (control !== null) {
    const directives = control.split(",").map((directive) => directive.trim().toLowerCase());
    if (directives.some((directive) => /^(?:no-store|no-cache)(?:=|$)/.test(directive))) return 0;
    const ages = directives.flatMap((directive) => /^max-age=(.*)$/.exec(directive)?.[1] ?? []);
    // RFC 9111 §4.2.1: a malformed one counts as stale; of two that differ the shorter one.
    if (ages.length > 0) return (Math.min(...ages.map((text) => seconds(text) ?? 0)) - age) * 1000;
  }
  const expires = headers.get("expires");
  if (expires === null) return undefined;
  const date = headers.get("date");
  const life = Date.parse(expires) - (date === null ? Number.NaN : Date.parse(date));
  // RFC 9111 §5.3: what cannot be read, such as 0, lies in the past.
  return Number.isNaN(life) ? 0 : life - age * 1000;
}

const seconds = (text: string): number | undefined => {
  const digits = /^"?(\d{1,10})"?$/.exec(text.trim())?.[1];
  return digits === undefined ? undefined : Number(digits);
};
