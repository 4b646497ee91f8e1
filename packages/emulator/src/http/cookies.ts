/**
 * Every value that came under a cookie's name. All ports of localhost share cookies, so there may be several, and
 * some may be another app's.
 */
export function cookieValues(header: string | undefined, name: string): string[] {
  return (header ?? "")
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
}

/** A `Set-Cookie` line: HttpOnly, SameSite=Lax, and Secure where the emulator is reached by https. */
export function setCookie(
  name: string,
  value: string,
  options: { path: string; secure: boolean; maxAge?: number },
): string {
  const age = options.maxAge === undefined ? "" : `; Max-Age=${options.maxAge}`;
  return `${name}=${value}; Path=${options.path}${age}; HttpOnly; SameSite=Lax${options.secure ? "; Secure" : ""}`;
}
