-- Puts a value under a key if what is expected holds. ARGV[4]: "any", "absent" or a revision; ARGV[5]: value;
-- ARGV[6]: milliseconds it is kept, or "" for ever.
-- Answers the new revision as text, 0 when it did not hold, or nothing when there is no room.
local found = find(key)
local revision = found and string.match(found, '^(%d+):')
local expected = ARGV[4]
if expected == 'absent' and revision then return '0' end
if expected ~= 'absent' and expected ~= 'any' and expected ~= revision then return '0' end
redis.call('HINCRBY', facts, 'revision', 1)
local next_revision = redis.call('HGET', facts, 'revision')
local over = ARGV[6] == '' and 'inf' or now + tonumber(ARGV[6])
if not put(key, next_revision .. ':' .. ARGV[5], over) then return false end
return next_revision
