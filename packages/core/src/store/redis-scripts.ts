import { hash } from "node:crypto";

/** A script that Redis runs without giving way to anyone, on one key. */
export interface RedisScript {
  readonly lua: string;
  /** By which Redis knows it once it has seen it. */
  readonly sha: string;
}

const script = (lua: string): RedisScript => ({ lua, sha: hash("sha1", lua, "hex") });

// An entry is `<version> <expiresAt> <user hint> <client hint>\n<value>`. Its end is compared by the caller's clock; the
// time to live at Redis is longer by a margin and only removes what is over.

/** ARGV: now, time to live, entry. Answers 1 if it wrote. */
export const putIfAbsent = script(`
local held = redis.call('GET', KEYS[1])
if held and tonumber(string.match(held, '^%S+ (%d+)')) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
return 1`);

/** ARGV: now, expected version, time to live, entry. Answers 1 if it wrote. */
export const swap = script(`
local held = redis.call('GET', KEYS[1])
if not held then return 0 end
local version, ends = string.match(held, '^(%S+) (%d+)')
if version ~= ARGV[2] or tonumber(ends) <= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[3])
return 1`);

/** ARGV: now, step, limit or the empty text, end of a new counter, margin. Answers whether it was allowed, and the value. */
export const count = script(`
local now, value, ends = tonumber(ARGV[1]), 0, ARGV[4]
local held = redis.call('GET', KEYS[1])
if held then
  local known, knownEnds = string.match(held, '^(%d+) (%d+)$')
  if tonumber(knownEnds) > now then value, ends = tonumber(known), knownEnds end
end
local sum = value + tonumber(ARGV[2])
if ARGV[3] ~= '' and sum > tonumber(ARGV[3]) then return {0, value} end
if sum > value then
  redis.call('SET', KEYS[1], string.format('%.0f %s', sum, ends), 'PX', string.format('%.0f', tonumber(ends) - now + tonumber(ARGV[5])))
end
return {1, sum}`);

/**
 * Adds a hint to its set, ordered by end, and takes out some that are over: the set stays about as large as what is live.
 * ARGV: now, end, key of the record, time to live.
 */
export const hint = script(`
local over = redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, 50)
if #over > 0 then redis.call('ZREM', KEYS[1], unpack(over)) end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return 1`);
