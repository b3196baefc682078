//! Sizes: `512B`, `16KiB`, `10MB`.

use std::fmt;
use std::str::FromStr;

use super::{UnitError, number_and_unit, string_quantity};

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// From large to small, so that `Display` finds the largest that divides.
const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

const HINT: &str = "write a whole number and a unit (B, KB, KiB, MB, MiB, GB, GiB), such as \"16KiB\"";

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let size = number_and_unit(text).and_then(|(number, unit)| {
            let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit)?;
            number.checked_mul(*bytes)
        });
        size.map(Self).ok_or_else(|| UnitError::new(text, "a size", HINT))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let divides = |(_, bytes): &&(&str, u64)| self.0 > 0 && self.0.is_multiple_of(*bytes);
        let (name, bytes) = UNITS.iter().find(divides).unwrap_or(&("B", 1));
        write!(f, "{}{name}", self.0 / bytes)
    }
}

string_quantity!(ByteSize, expected "a size such as \"16KiB\"", pattern "^[0-9]+ *(B|KB|KiB|MB|MiB|GB|GiB)$", example "16KiB");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_back_as_they_were_read() {
        for text in ["0B", "512B", "16KiB", "1MiB", "10MB", "1GiB", "3KB"] {
            assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "1", "KiB", "-1KiB", "1.5MiB", "1kib", "99999999999GiB", "1 x", "é"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }
}
