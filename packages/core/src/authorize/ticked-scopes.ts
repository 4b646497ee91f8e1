import type { Parameters } from "../http/index.ts";
import type { ScopeCatalog } from "../scopes/index.ts";

/** A form has at most 64 parameters; longer lists have no boxes. */
const mostBoxes = 48;

/** Whether the user may choose: of a single scope there is nothing to leave out but everything, and for that there is Deny. */
export const hasBoxes = (offered: readonly string[]): boolean => offered.length > 1 && offered.length <= mostBoxes;

/**
 * What the user left of the offered scopes. Only what was offered can come out, whatever else is posted. A scope that a
 * ticked one includes comes with it, ticked or not: the page says so.
 * @param fromBoxes whether the page's own button sent the form: then no box means that none was ticked. Without, it comes
 * from somebody who answers with the decision alone, and that is about the whole list
 */
export function tickedScopes(
  catalog: ScopeCatalog,
  offered: readonly string[],
  form: Parameters,
  fromBoxes: boolean,
): readonly string[] {
  if (!hasBoxes(offered)) return offered;
  const ticked = offered.filter((_, index) => form.has(`scope.${index}`));
  if (ticked.length === 0) return fromBoxes ? [] : offered;
  const left = new Set(catalog.expand(ticked));
  return offered.filter((scope) => left.has(scope));
}
