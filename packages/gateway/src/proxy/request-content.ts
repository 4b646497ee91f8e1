const json = /^application\/json[ \t]*(?:;[ \t]*charset[ \t]*=[ \t]*"?utf-8"?[ \t]*)?$/i;

/**
 * Whether a body is plain JSON as RFC 8259 has it. Another charset or a packed body would be read in one way here and
 * in another upstream.
 */
export function isJson(contentType: string | undefined, contentEncoding: string | undefined): boolean {
  if (contentEncoding !== undefined && contentEncoding.toLowerCase() !== "identity") return false;
  if (contentType === "application/json") return true;
  return contentType !== undefined && contentType.length <= 100 && json.test(contentType);
}
