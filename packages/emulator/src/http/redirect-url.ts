/** One query or fragment member; without a value it is left out. */
export type Member = readonly [name: string, value: string | undefined];

function encode(members: readonly Member[]): string {
  const search = new URLSearchParams();
  for (const [name, value] of members) if (value !== undefined) search.append(name, value);
  return search.toString();
}

/** Adds members to a registered URL, which stays exactly as it is written. */
export function withQuery(url: string, members: readonly Member[]): string {
  const query = encode(members);
  return query === "" ? url : `${url}${url.includes("?") ? "&" : "?"}${query}`;
}

/** The same in the fragment, for the implicit flow. Registered URLs have none of their own. */
export function withFragment(url: string, members: readonly Member[]): string {
  return `${url}#${encode(members)}`;
}
