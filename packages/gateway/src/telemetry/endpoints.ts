import { reservedNames } from "../config/reserved-names.ts";
import { other } from "./metric.ts";

/** Endpoints of the authorization server, which are traced; documents and probes are not. */
const traced: ReadonlySet<string> = new Set([
  "/authorize",
  "/consent",
  "/auth",
  "/token",
  "/register",
  "/revoke",
  "/introspect",
  "/device",
  "/device_authorization",
  "/logout",
]);

/** The first part of a path, where it is one that this server may have; else `other`. */
export function endpointLabel(target: string): string {
  const end = target.slice(1).search(/[/?#]/);
  const first = end < 0 ? target.slice(1) : target.slice(1, end + 1);
  return first === ".well-known" || first === "device_authorization" || reservedNames.has(first) ? `/${first}` : other;
}

export const isTraced = (endpoint: string): boolean => traced.has(endpoint);
