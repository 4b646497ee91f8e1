/** Request parameters: every name once, empty ones left out (RFC 6749 section 3.1). */
export interface Parameters {
  readonly values: Readonly<Partial<Record<string, string>>>;
  /** Names that came more than once; their first value is in `values`. */
  readonly repeated: ReadonlySet<string>;
}

/** Reads a query string or a form. */
export function readParameters(search: URLSearchParams): Parameters {
  const values: Partial<Record<string, string>> = Object.create(null);
  const repeated = new Set<string>();
  const seen = new Set<string>();
  for (const [name, value] of search) {
    if (seen.has(name)) repeated.add(name);
    else if (value !== "") values[name] = value;
    seen.add(name);
  }
  return { values, repeated };
}

/** Whether a body is `application/x-www-form-urlencoded`. */
export function isForm(contentType: string | undefined): boolean {
  return /^application\/x-www-form-urlencoded\s*(;|$)/i.test(contentType ?? "");
}
