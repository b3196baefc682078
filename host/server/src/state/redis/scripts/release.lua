-- Gives a place back. KEYS[1] as in `lease.lua`. ARGV: lease.
return redis.call('ZREM', KEYS[1], ARGV[1])
