/**
 * What has to happen in one step in the server, in Lua. KEYS[1] is the namespace's index: a sorted set of its keys by when
 * they expire (server's time, milliseconds), which the bound is held by; KEYS[2] is the entry. Both, and all entries of
 * a namespace, lie in one slot of a cluster by their `{namespace}`. Every key has a life, the index that of its longest entry.
 *
 * A script's first write decides about memory: with a full server and `noeviction` it is refused before anything has changed,
 * and what follows is let through. So the entry comes first, and deleting after it.
 */
const shared = `
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function file(member, life)
  redis.call('ZADD', KEYS[1], now() + life, member)
  if redis.call('PTTL', KEYS[1]) < life + 1000 then redis.call('PEXPIRE', KEYS[1], life + 1000) end
end

local function remove(members, most, except)
  local removed = 0
  for _, member in ipairs(members) do
    if removed < most and member ~= except then
      redis.call('ZREM', KEYS[1], member)
      redis.call('DEL', KEYS[1] .. ':' .. member)
      removed = removed + 1
    end
  end
  return removed
end

-- two that have expired for each that comes, so that they never pile up
local function bound(member, most)
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now(), 'LIMIT', 0, 2)) do
    redis.call('ZREM', KEYS[1], gone)
  end
  local over = math.min(redis.call('ZCARD', KEYS[1]) - most, 1000)
  if over > 0 then remove(redis.call('ZRANGE', KEYS[1], 0, over), over, member) end
end
`;

export const cacheScripts = {
  /** Key, value, life, most entries, condition, expected value. */
  cacheSet: {
    numberOfKeys: 2,
    lua: `${shared}
local life = tonumber(ARGV[3])
if ARGV[5] == 'absent' and redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
if ARGV[5] == 'equal' and redis.call('GET', KEYS[2]) ~= ARGV[6] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', life)
file(ARGV[1], life)
bound(ARGV[1], tonumber(ARGV[4]))
return 1`,
  },
  /** Key. */
  cacheTake: {
    numberOfKeys: 2,
    lua: `
local value = redis.call('GET', KEYS[2])
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[1], ARGV[1])
return value`,
  },
  /** Key. */
  cacheDelete: {
    numberOfKeys: 2,
    lua: `
redis.call('ZREM', KEYS[1], ARGV[1])
return redis.call('DEL', KEYS[2])`,
  },
  /** Key, life. */
  cacheTouch: {
    numberOfKeys: 2,
    lua: `${shared}
local life = tonumber(ARGV[2])
if redis.call('PEXPIRE', KEYS[2], life) == 0 then return 0 end
file(ARGV[1], life)
return 1`,
  },
  /** Key, step, life, most entries; gives the count and its remaining life. */
  cacheIncrement: {
    numberOfKeys: 2,
    lua: `${shared}
local value = redis.call('GET', KEYS[2])
local left = redis.call('PTTL', KEYS[2])
if value and left > 0 and #value <= 15 and (value == '0' or string.match(value, '^%-?[1-9]%d*$')) then
  return { redis.call('INCRBY', KEYS[2], ARGV[2]), left }
end
local life = tonumber(ARGV[3])
redis.call('SET', KEYS[2], ARGV[2], 'PX', life)
file(ARGV[1], life)
bound(ARGV[1], tonumber(ARGV[4]))
return { tonumber(ARGV[2]), life }`,
  },
  /** How many at most; gives how many went: the soonest to expire. */
  cacheMakeRoom: {
    numberOfKeys: 1,
    lua: `${shared}
local most = tonumber(ARGV[1])
return remove(redis.call('ZRANGE', KEYS[1], 0, most - 1), most, nil)`,
  },
} as const;
