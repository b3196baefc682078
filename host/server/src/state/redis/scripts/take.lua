-- Takes tokens from a bucket, all or none, by the generic cell rate algorithm and by this server's clock.
-- KEYS[1]: "AT MISSING", when it was last taken from (microseconds), and what was missing then (nanoseconds).
-- ARGV: interval (nanoseconds a token), burst, tokens.
-- Answers: allowed, remaining tokens, microseconds until so many tokens are there, microseconds until it is full.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, burst, tokens = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local capacity = interval * burst

local missing = 0
local at, before = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+)$')
if at then
  -- A clock that went back refills nothing, and what an earlier configuration let be missing is at most all.
  missing = math.min(capacity, math.max(0, tonumber(before) - math.max(0, now - tonumber(at)) * 1000))
end

local function microseconds(nanoseconds) return math.ceil(nanoseconds / 1000) end

local after = missing + interval * tokens
-- A microsecond's grace for numbers that are too large to be exact.
if after > capacity + 1000 then
  return {0, math.floor((capacity - missing) / interval), microseconds(after - capacity), microseconds(missing)}
end
if tokens > 0 then
  redis.call('SET', KEYS[1], string.format('%.0f %.0f', now, after), 'PX', math.ceil(after / 1000000) + 1)
end
return {1, math.max(0, math.floor((capacity - after) / interval)), 0, microseconds(after)}
