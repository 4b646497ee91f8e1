import type { Emulation } from "./state/emulation.ts";
import type { User } from "./state/user-directory.ts";

/** An app client as callers see it: without its secrets. */
export interface ClientView {
  readonly id: string;
  readonly name: string;
  readonly confidential: boolean;
  readonly scopes: readonly string[];
  readonly callbackUrls: readonly string[];
  readonly logoutUrls: readonly string[];
}

/**
 * The running pool. Users are named by sign-in name, token user name or sub. Every function that changes a user throws
 * an Error if there is none of that name.
 */
export interface LivePool {
  readonly id: string;
  /** Snapshots of this moment. */
  users(): User[];
  user(name: string): User | undefined;
  clients(): ClientView[];
  /** No sign-in, no refresh, no userInfo from now on. As AdminDisableUser. */
  disableUser(name: string): void;
  enableUser(name: string): void;
  /** Tokens issued from now on carry these groups. @throws Error for a group the pool does not have */
  setGroups(name: string, groups: readonly string[]): void;
  /** Changes these attributes, takes away those that are `undefined`. As AdminUpdateUserAttributes. */
  setAttributes(name: string, attributes: Readonly<Record<string, string | undefined>>): void;
  deleteUser(name: string): void;
  /**
   * Global sign-out: refresh and userInfo refuse every token issued so far. Browser sessions survive, as at Cognito. As
   * AdminUserGlobalSignOut.
   */
  revokeAllTokens(name: string): void;
  /** Takes a scope, `<resource server>/<name>`, out of its resource server: clients keep it, tokens lose it. */
  removeScope(scope: string): void;
  /**
   * New keys sign from now on. The ones before stay in the JWKS for one more rotation, unless `dropPrevious` is true:
   * then the tokens they signed no longer verify.
   */
  rotateKeys(options?: { dropPrevious?: boolean }): Promise<void>;
}

/** The face of a pool for tests and tools. */
export function createLivePool({ settings, users, clients, signIns, scopes, keys }: Emulation): LivePool {
  const groupNames = new Set(settings.groups.map(({ name }) => name));
  const find = (name: string): User => {
    const user = users.find(name);
    if (user === undefined) throw new Error(`The pool has no user ${name}`);
    return user;
  };
  return {
    id: settings.id,
    users: () => users.list(),
    user: (name) => users.find(name),
    clients: () =>
      [...clients.values()].map(({ id, name, secrets, scopes: held, callbackUrls, logoutUrls }) => ({
        id,
        name,
        confidential: secrets.length > 0,
        scopes: held,
        callbackUrls,
        logoutUrls,
      })),
    disableUser: (name) => users.update(find(name).sub, { enabled: false }),
    enableUser: (name) => users.update(find(name).sub, { enabled: true }),
    setGroups(name, groups) {
      const unknown = groups.find((group) => !groupNames.has(group));
      if (unknown !== undefined) throw new Error(`The pool has no group ${unknown}`);
      users.update(find(name).sub, { groups: [...new Set(groups)] });
    },
    setAttributes(name, attributes) {
      const user = find(name);
      const changed = Object.entries({ ...user.attributes, ...attributes });
      const kept = changed.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
      users.update(user.sub, { attributes: Object.fromEntries(kept) });
    },
    deleteUser(name) {
      const { sub } = find(name);
      users.delete(sub);
      signIns.revokeUser(sub);
    },
    revokeAllTokens: (name) => signIns.revokeUser(find(name).sub),
    removeScope(scope) {
      if (!scopes.remove(scope)) throw new Error(`The pool has no custom scope ${scope}`);
    },
    rotateKeys: (options = {}) => keys.rotate({ dropPrevious: options.dropPrevious ?? false }),
  };
}
