/** The values of `prompt`, which are separated by spaces. */
export function promptValues(prompt: string | undefined): ReadonlySet<string> {
  return new Set((prompt ?? "").split(" ").filter((value) => value !== ""));
}
