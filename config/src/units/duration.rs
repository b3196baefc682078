//! Durations: `250ms`, `10s`, `5m`, `1h`, `1d`.

use std::time::Duration;

use super::{UnitError, number_and_unit};

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Ten years: longer is a typing error, and would overflow clocks when added to now.
const LONGEST_MS: u64 = 3_650 * 86_400_000;

const HINT: &str = "write a whole number and a unit (ms, s, m, h, d; at most 3650d), such as \"250ms\" or \"10s\"";

/// Reads a duration such as `250ms`.
///
/// # Errors
/// When it is not a whole number and a unit, or longer than ten years.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let duration = number_and_unit(text).and_then(|(number, unit)| {
        let (_, ms) = UNITS.iter().find(|(name, _)| *name == unit)?;
        number.checked_mul(*ms).filter(|ms| *ms <= LONGEST_MS)
    });
    duration
        .map(Duration::from_millis)
        .ok_or_else(|| UnitError::new(text, "a duration", HINT))
}

/// Writes a duration as [`parse_duration`] reads it, in the largest unit that divides it.
pub fn format_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    let divides = |(_, unit): &&(&str, u64)| ms > 0 && ms.is_multiple_of(u128::from(*unit));
    let (name, unit) = UNITS.iter().find(divides).unwrap_or(&("s", 1_000));
    format!("{}{name}", ms / u128::from(*unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_back_as_they_were_read() {
        for text in ["0s", "250ms", "10s", "5m", "1h", "1d", "3650d", "90s"] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), text);
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "5",
            "s",
            "-1s",
            "1.5s",
            "5 parsecs",
            "3651d",
            "99999999999999999999s",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
