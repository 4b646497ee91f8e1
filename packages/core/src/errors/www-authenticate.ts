/**
 * A `WWW-Authenticate: Bearer` challenge (RFC 6750 §3, RFC 9728 §5.1).
 * Values become quoted-strings; a character that RFC 6750 does not allow in them is left out, so nothing can break out of the quotes.
 */
export function bearerChallenge(
  params: Readonly<{
    error?: string | undefined;
    errorDescription?: string | undefined;
    scope?: string | undefined;
    resourceMetadata?: string | undefined;
  }>,
): string {
  const pairs: [string, string | undefined][] = [
    ["error", params.error],
    ["error_description", params.errorDescription],
    ["scope", params.scope],
    ["resource_metadata", params.resourceMetadata],
  ];
  const written = pairs
    .filter((pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== "")
    .map(([name, value]) => `${name}="${value.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, "")}"`);
  return written.length === 0 ? "Bearer" : `Bearer ${written.join(", ")}`;
}
