/** What a body parser has left of a request's body. */
export interface GivenBody {
  readonly body: string | Uint8Array<ArrayBuffer>;
  /** Content-Type that goes with it: what was in the body is UTF-8 now. */
  readonly type: string;
}

/**
 * Writes down again what a body parser has read, for who needs the body itself. Repeated form fields stay repeated, so
 * that they are refused as ever.
 * @param parsed what the parser made of it
 * @param contentType the request's header
 * @throws Error that says which parser is in the way
 */
export function givenBody(parsed: unknown, contentType: string | undefined): GivenBody {
  const type = contentType?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (typeof parsed === "string") return { body: parsed, type };
  if (parsed instanceof Uint8Array) return { body: new Uint8Array(parsed), type };
  if (parsed !== undefined && (type === "application/json" || type.endsWith("+json"))) {
    return { body: JSON.stringify(parsed), type };
  }
  if (typeof parsed === "object" && parsed !== null && type === "application/x-www-form-urlencoded") {
    const form = new URLSearchParams();
    for (const [name, value] of Object.entries(parsed))
      for (const text of formValues(name, value)) form.append(name, text);
    return { body: form.toString(), type };
  }
  throw new Error(
    `a body parser has read this request (${type === "" ? "no Content-Type" : type}) and left nothing to read: put sallyport's endpoints before it`,
  );
}

function formValues(name: string, value: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.map((text) => {
    if (typeof text === "string") return text;
    throw new Error(
      `a body parser has made an object of the form field ${JSON.stringify(name.slice(0, 50))}: put sallyport's endpoints before it, or parse with { extended: false }`,
    );
  });
}
