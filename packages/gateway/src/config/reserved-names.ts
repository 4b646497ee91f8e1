import { reservedSegments } from "sallyport";

/** Server names that would hide a path of the authorization server or of the gateway itself. */
export const reservedNames: ReadonlySet<string> = new Set(
  [...reservedSegments, "mcp"].filter((segment) => /^[a-z0-9-]+$/.test(segment)),
);
