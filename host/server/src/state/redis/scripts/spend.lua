-- Spends from a quota. Comes after `quota.lua`.
-- ARGV[3]: requests; then what the gateway knows: ARGV[4]: when the period began of which it knows; ARGV[5]: what was spent
-- in it; ARGV[6]: how much of that it counted alone while this server was away; ARGV[7]: corrections.
local requests, known_start, known = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local untold, known_corrections = tonumber(ARGV[6]), tonumber(ARGV[7])
local restored = 0
if known_start == start then
  -- This server was emptied, or began again with less than it had.
  if known_corrections >= corrections and used < known - untold then
    used, corrections, restored = known - untold, known_corrections, 1
  end
  used = used + untold
end
local allowed = used + requests <= limit and 1 or 0
if allowed == 1 then used = used + requests end
if used > 0 or corrections > 0 then keep() end
return answer(allowed, restored)
