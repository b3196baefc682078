//! Rates: `100/s`, `5000/m`, `10/h`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{UnitError, string_quantity};

/// So many tokens in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many; at least 1.
    pub tokens: u64,
    /// In what time: a second, a minute, an hour or a day.
    pub per: Duration,
}

const UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];

const HINT: &str = "write a whole number above 0, a slash and a unit (s, m, h, d), such as \"100/s\"";

impl Rate {
    /// Tokens in one second.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a rate above 2^53 is not told from its neighbours by any clock"
    )]
    pub fn per_second(&self) -> f64 {
        self.tokens as f64 / self.per.as_secs_f64()
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let rate = text.split_once('/').and_then(|(tokens, unit)| {
            let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit.trim())?;
            let tokens = tokens.trim();
            let digits = tokens.bytes().all(|byte| byte.is_ascii_digit());
            let tokens = tokens.parse().ok().filter(|tokens| digits && *tokens > 0)?;
            Some(Self {
                tokens,
                per: Duration::from_secs(*seconds),
            })
        });
        rate.ok_or_else(|| UnitError::new(text, "a rate", HINT))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, seconds)| *seconds == self.per.as_secs()) {
            Some((name, _)) => write!(f, "{}/{name}", self.tokens),
            None => write!(f, "{}/{}s", self.tokens, self.per.as_secs_f64()),
        }
    }
}

string_quantity!(Rate, expected "a rate such as \"100/s\"", pattern "^[0-9]+ */ *[smhd]$", example "100/s");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_written_back_as_they_were_read() {
        for text in ["100/s", "5000/m", "10/h", "1/d"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        assert!(("30/m".parse::<Rate>().unwrap().per_second() - 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in ["", "100", "/s", "0/s", "-1/s", "+1/s", "1.5/s", "100/week", "100/s/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
