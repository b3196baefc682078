-- Sets what was spent. Comes after `quota.lua`. ARGV[3]: what was spent; then what the gateway knows: ARGV[4]: when the period
-- began of which it knows; ARGV[5]: corrections.
if tonumber(ARGV[4]) == start then corrections = math.max(corrections, tonumber(ARGV[5])) end
used, corrections = tonumber(ARGV[3]), corrections + 1
keep()
return answer(1, 0)
