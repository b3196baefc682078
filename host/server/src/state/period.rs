//! Calendar periods by UTC: when the one of a moment begins and ends. `redis/scripts/quota.lua` does the same by the
//! server's clock.

use gatewright_core::Period;

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;
/// 1970-01-01 was a Thursday, four days after a Sunday.
const SUNDAY: u64 = 4 * DAY;

/// Begin and end of the period of a moment, all in seconds since 1970.
pub fn bounds(period: Period, now: u64) -> (u64, u64) {
    let aligned = |length: u64, shift: u64| {
        let start = (now + shift) / length * length;
        (start.saturating_sub(shift), start + length - shift)
    };
    match period {
        Period::Hour => aligned(HOUR, 0),
        Period::Day => aligned(DAY, 0),
        Period::Week => aligned(7 * DAY, SUNDAY),
        Period::Month => month(now),
    }
}

fn month(now: u64) -> (u64, u64) {
    let bounds = || {
        let date = jiff::Timestamp::from_second(i64::try_from(now).ok()?).ok()?;
        let first = date
            .to_zoned(jiff::tz::TimeZone::UTC)
            .first_of_month()
            .ok()?
            .start_of_day()
            .ok()?;
        let next = first.checked_add(jiff::Span::new().months(1)).ok()?;
        let second = |at: &jiff::Zoned| u64::try_from(at.timestamp().as_second()).ok();
        Some((second(&first)?, second(&next)?))
    };
    // No clock of a machine is beyond the year 9999; a period that never ends is the answer that lets nobody pass twice.
    bounds().unwrap_or((now, u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text((start, end): (u64, u64)) -> String {
        let text = |at: u64| jiff::Timestamp::from_second(at.cast_signed()).unwrap().to_string();
        format!("{} {}", text(start), text(end))
    }

    #[test]
    fn periods_begin_as_calendars_say() {
        // Sunday, 2024-02-25T12:30:00Z, in a leap year.
        let sunday = 1_708_864_200;
        let found = Period::ALL.map(|period| text(bounds(period, sunday)));
        assert_eq!(
            found,
            [
                "2024-02-25T12:00:00Z 2024-02-25T13:00:00Z",
                "2024-02-25T00:00:00Z 2024-02-26T00:00:00Z",
                "2024-02-25T00:00:00Z 2024-03-03T00:00:00Z",
                "2024-02-01T00:00:00Z 2024-03-01T00:00:00Z",
            ]
        );
    }

    #[test]
    fn every_moment_is_in_its_period_and_the_end_is_in_the_next() {
        for period in Period::ALL {
            let mut now = 0;
            while now < 200_000_000 {
                let (start, end) = bounds(period, now);
                assert!(start <= now && now < end, "{period:?} {now}");
                assert_eq!(bounds(period, end).0, end, "{period:?} {now}");
                now += 123_457;
            }
        }
    }
}
