/** Where a Redis is, and in which of its three shapes. */
export type RedisPlace =
  | {
      readonly kind: "single";
      readonly host: string;
      readonly port: number;
      readonly db: number;
      readonly login: RedisLogin;
    }
  | {
      readonly kind: "sentinel";
      readonly sentinels: HostAndPort[];
      readonly master: string;
      readonly login: RedisLogin;
    }
  | { readonly kind: "cluster"; readonly nodes: HostAndPort[]; readonly login: RedisLogin };

/** How to be let in. The members are those of ioredis. */
export interface RedisLogin {
  readonly username?: string;
  readonly password?: string;
  readonly tls?: Record<string, never>;
}

interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** What comes before every key, so that one Redis may serve others too. */
export interface RedisAddress {
  readonly place: RedisPlace;
  readonly prefix: string;
}

const forms =
  "redis://user:password@host:6379/0, rediss:// for TLS, redis+sentinel://host:26379,host:26379/master-name, redis+cluster://host:6379,host:6379";
const defaultPrefix = "sallyport:";

/**
 * Reads the URL of a Redis: `redis://`, `rediss://` (TLS), `redis+sentinel://` and `redis+cluster://` with a list of hosts
 * (`rediss+…` with TLS). User and password are percent-encoded; `?prefix=` changes what keys begin with (default
 * `sallyport:`).
 * @throws Error that says what is wrong and repeats nothing of the URL: it may hold a password
 */
export function parseRedisUrl(url: string): RedisAddress {
  const match =
    /^redis(s?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/?#]*)@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/i.exec(url);
  if (!match) throw wrong(`is not the URL of a Redis; write ${forms}`);
  const [, tls, shape, userinfo, hosts = "", path = "", query = ""] = match;
  const prefix = prefixOf(query);
  const secure = tls ? { tls: {} } : {};
  const login: RedisLogin = { ...secure, ...credentials(userinfo) };
  const list = hosts.split(",").map((text) => hostAndPort(text, shape?.toLowerCase() === "sentinel" ? 26_379 : 6379));
  const [first] = list;
  if (!first) throw wrong("names no host");
  switch (shape?.toLowerCase()) {
    case "sentinel": {
      if (!/^[A-Za-z0-9._-]+$/.test(path))
        throw wrong("names no master; write redis+sentinel://host:26379/master-name");
      return { prefix, place: { kind: "sentinel", sentinels: list, master: path, login } };
    }
    case "cluster":
      if (path !== "") throw wrong("has a database number; a cluster has only one database");
      return { prefix, place: { kind: "cluster", nodes: list, login } };
    default:
      if (list.length > 1) throw wrong("names several hosts; write redis+sentinel:// or redis+cluster://");
      if (!/^\d{0,4}$/.test(path)) throw wrong("has a path that is no database number");
      return { prefix, place: { kind: "single", ...first, db: Number(path), login } };
  }
}

const wrong = (what: string): Error => new Error(`store: the setting ${what}`);

function prefixOf(query: string): string {
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys())
    if (name !== "prefix") throw wrong("has an unknown option; there is only prefix");
  const prefix = parameters.get("prefix") ?? defaultPrefix;
  if (!/^[\w.:-]{1,64}$/.test(prefix)) throw wrong("has a prefix with other characters than A-Z a-z 0-9 _ . : -");
  return prefix;
}

function credentials(userinfo: string | undefined): RedisLogin {
  if (userinfo === undefined || userinfo === "") return {};
  const colon = userinfo.indexOf(":");
  const [username, password] = colon < 0 ? [userinfo, ""] : [userinfo.slice(0, colon), userinfo.slice(colon + 1)];
  try {
    return {
      ...(username === "" ? {} : { username: decodeURIComponent(username) }),
      ...(password === "" ? {} : { password: decodeURIComponent(password) }),
    };
  } catch {
    throw wrong("has a user name or password that is not percent-encoded");
  }
}

function hostAndPort(text: string, defaultPort: number): HostAndPort {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = bracketed ?? plain;
  const number = port === undefined ? defaultPort : Number(port);
  if (host === undefined || number < 1 || number > 65_535) throw wrong("has a host that is not written as host:port");
  return { host, port: number };
}
