/** How many keys one page of `list` holds at most. */
export const pageSize = 100;

/** A cursor that continues after `key`. */
export const cursorAfter = (key: string): string => Buffer.from(key, "utf8").toString("base64url");

/**
 * The key after which a page starts; the empty text, which is below every key, without a cursor.
 * @throws RangeError for a cursor that no store gave out: it may come from a query parameter
 */
export function keyBefore(cursor: string | undefined): string {
  if (cursor === undefined) return "";
  const key = Buffer.from(cursor, "base64url").toString("utf8");
  if (cursor === "" || cursorAfter(key) !== cursor) {
    throw new RangeError("store: the cursor is not one that a page of this store gave; start again without it");
  }
  return key;
}
