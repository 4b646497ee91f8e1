import type { PoolSettings } from "../config/pool-config.ts";
import { type Random, secretEqual, uuid } from "../runtime.ts";

/** A user as the rest of the emulator and its callers see one: a snapshot, without the password. */
export interface User {
  readonly sub: string;
  /** As in tokens: with e-mail sign-in this is the sub. */
  readonly username: string;
  /** What the person types. */
  readonly signInName: string;
  /** Where the person signs in; undefined: the pool's own directory. */
  readonly identityProvider: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
  readonly groups: readonly string[];
  readonly enabled: boolean;
  readonly status: "CONFIRMED" | "UNCONFIRMED" | "RESET_REQUIRED";
}

/** The pool's users. Names are matched without regard to case. */
export interface UserDirectory {
  list(): User[];
  /** @param name the sign-in name, the user name in tokens, or the sub */
  find(name: string): User | undefined;
  bySub(sub: string): User | undefined;
  /** The user, if the password is right; says nothing about `enabled` and `status`. */
  withPassword(signInName: string, password: string): User | undefined;
  update(sub: string, change: Partial<Pick<User, "enabled" | "groups" | "attributes">>): void;
  delete(sub: string): void;
}

export function createUserDirectory(settings: PoolSettings, random: Random): UserDirectory {
  const bySub = new Map<string, User>();
  const passwords = new Map<string, string>();
  const subOfName = new Map<string, string>();
  const subOfToken = new Map<string, string>();

  for (const user of settings.users) {
    const sub = user.sub ?? uuid(random);
    const provider = user.identityProvider;
    const byEmail = settings.signInWith === "email" && provider === undefined;
    const username = provider === undefined ? (byEmail ? sub : user.username) : `${provider}_${user.username}`;
    bySub.set(sub, {
      sub,
      username,
      signInName: user.username,
      identityProvider: provider,
      attributes: byEmail ? { email: user.username, ...user.attributes } : user.attributes,
      groups: [...new Set(user.groups)],
      enabled: user.enabled,
      status: user.status,
    });
    passwords.set(sub, user.password);
    subOfName.set(user.username.toLowerCase(), sub);
    subOfToken.set(username.toLowerCase(), sub);
  }

  const bySignInName = (name: string): User | undefined => bySub.get(subOfName.get(name.toLowerCase()) ?? "");

  return {
    list: () => [...bySub.values()],
    find: (name) => bySignInName(name) ?? bySub.get(subOfToken.get(name.toLowerCase()) ?? name),
    bySub: (sub) => bySub.get(sub),
    withPassword(signInName, password) {
      const user = bySignInName(signInName);
      // Compared also for an unknown name, so that both take the same time.
      const right = secretEqual(passwords.get(user?.sub ?? "") ?? "", password);
      return right && user !== undefined ? user : undefined;
    },
    update(sub, change) {
      const user = bySub.get(sub);
      if (user !== undefined) bySub.set(sub, { ...user, ...change });
    },
    delete(sub) {
      const user = bySub.get(sub);
      bySub.delete(sub);
      passwords.delete(sub);
      if (user === undefined) return;
      subOfName.delete(user.signInName.toLowerCase());
      subOfToken.delete(user.username.toLowerCase());
    },
  };
}
