import type { Random } from "../runtime/index.ts";
import { openText, sealText } from "./envelope.ts";
import type { RootKeys } from "./root-keys.ts";

/**
 * A value that travels through a browser or a client and comes back unread and unchanged: `<kid>.<sealed>`.
 * @param purpose what the handle is; one sealed for one purpose never opens for another
 */
export const sealHandle = (keys: RootKeys, purpose: string, value: unknown, random: Random): string =>
  `${keys.active.kid}.${sealText(keys.active.seal, `handle ${purpose}`, JSON.stringify(value), random)}`;

/** The value of a handle, or undefined if it was not sealed here for this purpose. The caller parses it by a schema. */
export function openHandle(keys: RootKeys, purpose: string, handle: string): unknown {
  const dot = handle.indexOf(".");
  const key = dot > 0 ? keys.find(handle.slice(0, dot)) : undefined;
  const text = key && openText(key.seal, `handle ${purpose}`, handle.slice(dot + 1));
  return text === undefined ? undefined : JSON.parse(text.toString("utf8"));
}
