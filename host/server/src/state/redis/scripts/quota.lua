-- What was spent of a quota, by this server's clock and calendar. Comes after `period.lua`, before the script of each operation.
-- KEYS[1]: "START USED CORRECTIONS": when the period began that was counted last, what was spent in it, and how often an
-- operator has said so. ARGV[1]: limit; ARGV[2]: period.
local limit, period = tonumber(ARGV[1]), ARGV[2]
local time = redis.call('TIME')
local now = tonumber(time[1])
local start, over = bounds(period, now)

local used, corrections = 0, 0
local at, before, times = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+) (%d+)$')
-- A clock that was set back does not give a period again: the one that had begun goes on.
if tonumber(at) == over then start, over = bounds(period, over) end
if tonumber(at) == start then used, corrections = tonumber(before), tonumber(times) end

local function keep()
  -- An hour longer, for clocks that are set back.
  local value = string.format('%.0f %.0f %.0f', start, used, corrections)
  redis.call('SET', KEYS[1], value, 'PX', (over - now + 3600) * 1000)
end

-- Whether it was allowed, what was spent, start, end, milliseconds until the end, corrections, and whether the gateway knew
-- of more than this server.
local function answer(allowed, restored)
  return {allowed, used, start, over, (over - now) * 1000 - math.floor(tonumber(time[2]) / 1000), corrections, restored}
end
