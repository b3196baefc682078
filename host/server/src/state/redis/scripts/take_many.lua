-- Takes tokens from a bucket of a space, as `take.lua` does; its value and its answer are the same.
-- ARGV[4]: interval (nanoseconds a token); ARGV[5]: burst; ARGV[6]: tokens.
local precise = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, burst, tokens = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local capacity = interval * burst

local missing = 0
local at, before = string.match(find(key) or '', '^(%d+) (%d+)$')
if at then
  missing = math.min(capacity, math.max(0, tonumber(before) - math.max(0, precise - tonumber(at)) * 1000))
end

local function microseconds(nanoseconds) return math.ceil(nanoseconds / 1000) end

local after = missing + interval * tokens
if after > capacity + 1000 then
  return {0, math.floor((capacity - missing) / interval), microseconds(after - capacity), microseconds(missing)}
end
if tokens > 0 and not put(key, string.format('%.0f %.0f', precise, after), now + math.ceil(after / 1000000) + 1) then
  return false
end
return {1, math.max(0, math.floor((capacity - after) / interval)), 0, microseconds(after)}
