-- Begin and end of the calendar period of a moment, by UTC, in seconds since 1970. `state/period.rs` does the same.
local function bounds(period, now)
  local length = ({ hour = 3600, day = 86400, week = 604800 })[period]
  if length then
    -- 1970-01-01 was a Thursday, four days after a Sunday.
    local shift = period == 'week' and 345600 or 0
    local start = now - (now + shift) % length
    return math.max(start, 0), start + length
  end
  -- Years that begin in March have their leap day at the end: then months have the same lengths in each of them, and
  -- 400 of them always as many days.
  local days = math.floor(now / 86400) + 719468
  local era = math.floor(days / 146097)
  local of_era = days - era * 146097
  local year = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524) - math.floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local month = math.floor((5 * of_year + 2) / 153)
  local function first(which)
    local years = era * 400 + year
    if which == 12 then years, which = years + 1, 0 end
    local before = math.floor(years / 4) - math.floor(years / 100) + math.floor(years / 400)
    return (365 * years + before + math.floor((153 * which + 2) / 5) - 719468) * 86400
  end
  return first(month), first(month + 1)
end
