-- Adds to a count; the first one begins a window. ARGV[4]: delta; ARGV[5]: window in milliseconds.
-- Answers the count as text, since scripts' numbers are not exact beyond 2^53; or nothing when there is no room.
local count, over = find(key)
local delta, sum = ARGV[4], nil
if count then
  -- The server adds exactly, and refuses what does not fit, which then stays at its bound.
  sum = redis.pcall('HINCRBY', values, key, delta)
  if type(sum) == 'table' and sum.err then
    sum = string.sub(delta, 1, 1) == '-' and '-9223372036854775808' or '9223372036854775807'
  else
    sum = redis.call('HGET', values, key)
  end
  redis.call('HINCRBY', facts, 'bytes', -cost(key, count) + cost(key, sum))
  redis.call('HSET', values, key, sum)
  return sum
end
if not put(key, delta, now + tonumber(ARGV[5])) then return false end
return delta
