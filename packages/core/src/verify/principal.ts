/** Claims as they come: nothing is known of them. */
export type AnyClaims = Readonly<Record<string, unknown>>;

/**
 * Who makes a request, once both doors have been asked.
 * @typeParam Claims what the pool puts into its tokens, such as `{ "custom:department"?: string }`. It is the caller's
 *   word and nothing checks it: a user need not have an attribute, and a machine has none, so make every one optional.
 */
export interface Principal<Claims extends object = AnyClaims> {
  readonly kind: "user" | "machine";
  /** Cognito's `sub`; for a machine its Cognito client id. */
  readonly subject: string;
  /** Absent for a machine. */
  readonly username?: string;
  /** Cognito groups as last seen; at most `upstream_max_age` old. Empty for a machine. */
  readonly groups: readonly string[];
  readonly email?: string;
  /** Whether Cognito has verified the address; absent where it does not say. */
  readonly emailVerified?: boolean;
  /** Further claims of the sign-in (custom attributes among them). */
  readonly claims: Readonly<Claims>;
  /** The MCP client; for a machine the same as `subject`. */
  readonly clientId: string;
  /** The grant behind the token. Absent for a token that Cognito itself issued. */
  readonly grantId?: string;
  /** The one resource that the token is for. */
  readonly resource: string;
  /** The scopes that the token itself names. */
  readonly tokenScopes: readonly string[];
  /** What counts now: the token's scopes ∩ what groups and claims (or the machine's settings) give, included scopes spelled out. */
  readonly scopes: readonly string[];
  /** What a new sign-in could give at most: everything that groups and claims (or the machine's settings) give here. */
  readonly entitled: readonly string[];
  /** End of the token, milliseconds since the Unix epoch. */
  readonly expiresAt: number;
  /** Which doors held: the token's own, and the grant behind it. */
  readonly doors: { readonly token: true; readonly grant: boolean };
}
