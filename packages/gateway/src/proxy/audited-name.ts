/** Methods and names come from outside: the trail keeps no more of them than this. */
const maxLength = 128;

/** What the trail keeps of a text from outside. */
export const bounded = (text: string): string => (text.length <= maxLength ? text : `${text.slice(0, maxLength)}…`);

/**
 * What the trail keeps of what a method names. Of a resource's URI neither what stands before an `@` nor a query or
 * fragment: signed links have their secret there. Of a task nothing: at a server that does not know its callers,
 * whoever knows the id of a task may have its result (MCP, Tasks › Security Considerations).
 */
export function auditedName(method: string, name: string): string | undefined {
  if (method.startsWith("tasks/")) return undefined;
  if (!method.startsWith("resources/")) return bounded(name);
  const shown = name.replace(/^([^/]*:\/\/)[^/]*@/, "$1…@").replace(/[?#].*$/s, (rest) => `${rest[0]}…`);
  return bounded(shown);
}
