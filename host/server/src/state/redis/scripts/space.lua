-- A space: entries that are bounded together. Comes before the script of each operation on one.
-- KEYS: values (hash), ends in milliseconds (sorted set), facts (hash: bytes, revision). All in one slot.
-- ARGV[1]: key; ARGV[2]: bytes that all entries may take; ARGV[3]: 1 when entries whose time is not over may go.
local values, ends, facts = KEYS[1], KEYS[2], KEYS[3]
local key, room, evicts = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- What a server needs for an entry besides its text.
local ENTRY = 128
-- Entries that one operation takes away at most: others wait for it.
local SWEEP, EVICTIONS = 16, 256

local function cost(name, value) return #name + #value + ENTRY end

local function drop(name)
  local value = redis.call('HGET', values, name)
  if value then
    redis.call('HDEL', values, name)
    redis.call('HINCRBY', facts, 'bytes', -cost(name, value))
  end
  redis.call('ZREM', ends, name)
end

-- The value of a key whose time is not over, and when it is.
local function find(name)
  local value = redis.call('HGET', values, name)
  if not value then return nil end
  local over = redis.call('ZSCORE', ends, name)
  if over and (over == 'inf' or tonumber(over) > now) then return value, over end
  drop(name)
  return nil
end

local function add(name, value, over)
  redis.call('HSET', values, name, value)
  redis.call('ZADD', ends, over, name)
  redis.call('HINCRBY', facts, 'bytes', cost(name, value))
end

-- Takes others away until there is room for so much. Whether there is.
local function make_room(need)
  if need > room then return false end
  for _ = 0, EVICTIONS do
    if (tonumber(redis.call('HGET', facts, 'bytes')) or 0) + need <= room then return true end
    local first = redis.call('ZRANGE', ends, 0, 0, 'WITHSCORES')
    if not first[1] then return false end
    if not evicts and (first[2] == 'inf' or tonumber(first[2]) > now) then return false end
    drop(first[1])
  end
  return false
end

-- Whether there was room for it; if not, what was there still is.
local function put(name, value, over)
  if redis.call('HLEN', values) == 0 or redis.call('ZCARD', ends) == 0 then
    -- Also when the server itself took one of them away for want of memory.
    redis.call('DEL', values, ends)
    redis.call('HDEL', facts, 'bytes')
  end
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, SWEEP)) do drop(old) end
  local before, ended = find(name)
  drop(name)
  local fits = make_room(cost(name, value))
  if fits then
    add(name, value, over)
  elseif before then
    add(name, before, ended)
  end
  return fits
end
