/**
 * Whether a host is one of those in a setting: itself, or any host below `*.` and a domain. The domain itself is not below.
 * @param hostname as `URL.hostname` gives it
 */
export const matchesHostPattern = (patterns: readonly string[], hostname: string): boolean =>
  patterns.some((pattern) =>
    pattern.startsWith("*.")
      ? hostname.length > pattern.length - 1 && hostname.endsWith(pattern.slice(1))
      : hostname === pattern,
  );
