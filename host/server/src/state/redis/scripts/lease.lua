-- Takes one of so many places, or keeps one.
-- KEYS[1]: who has places (sorted set: lease, until when in milliseconds).
-- ARGV: lease, milliseconds it is kept unless it is renewed, places; without the last one it is renewed.
-- Answers: 1 when it has a place, and how many are taken.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease, kept, places = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local taken = redis.call('ZCARD', KEYS[1])
if places and taken >= places then return {0, taken} end
-- A place that was renewed too late is taken again, so that what runs is counted: others may be one too many then.
redis.call('ZADD', KEYS[1], now + kept, lease)
redis.call('PEXPIRE', KEYS[1], kept)
return {1, redis.call('ZCARD', KEYS[1])}
