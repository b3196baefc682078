//! Numbers of a JSON text as it writes them. `serde_json` gives what it makes of them, and for those that 64 bits do not hold
//! that is another number.

use std::cell::Cell;

/// What becomes of a number that neither a 64-bit integer nor a double holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inexact {
    /// The text is refused.
    Refused,
    /// The double below it stands for it.
    Below,
    /// The double above it stands for it.
    Above,
}

/// The numbers of a text, one after the other, as a reader comes to them.
pub(super) struct Numbers<'t> {
    text: &'t [u8],
    /// Where what has not been looked at begins.
    at: Cell<usize>,
    inexact: Inexact,
    met_inexact: Cell<bool>,
}

impl<'t> Numbers<'t> {
    /// Those of a text, which is read in its order.
    pub(super) fn new(text: &'t [u8], inexact: Inexact) -> Self {
        Self {
            text,
            at: Cell::new(0),
            inexact,
            met_inexact: Cell::new(false),
        }
    }

    /// Whether there was one that is not held.
    pub(super) fn met_inexact(&self) -> bool {
        self.met_inexact.get()
    }

    /// The reader has come to a number that it holds.
    pub(super) fn pass(&self) {
        self.next();
    }

    /// What stands for the number that the reader has come to, of which it has made this double; none if it is refused.
    pub(super) fn settle(&self, double: f64) -> Option<f64> {
        if is_exact(self.next(), double) {
            return Some(double);
        }
        self.met_inexact.set(true);
        match self.inexact {
            Inexact::Refused => None,
            Inexact::Below => Some(double.next_down()),
            Inexact::Above => Some(double.next_up()),
        }
    }

    /// The next number outside of strings.
    fn next(&self) -> &'t [u8] {
        let mut rest = self.text.get(self.at.get()..).unwrap_or_default();
        let mut in_string = false;
        loop {
            rest = match rest {
                [] => break,
                [b'\\', _, tail @ ..] if in_string => tail,
                [b'"', tail @ ..] => {
                    in_string = !in_string;
                    tail
                }
                [b'-' | b'0'..=b'9', ..] if !in_string => break,
                [_, tail @ ..] => tail,
            };
        }
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        let (number, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        self.at.set(self.text.len() - rest.len());
        number
    }
}

/// Whether a double is written as the number that it was made of. An integer that became one was too large for 64 bits, and
/// would not be an integer any more.
fn is_exact(number: &[u8], double: f64) -> bool {
    let Ok(text) = std::str::from_utf8(number) else {
        return false;
    };
    if !text.contains(['.', 'e', 'E']) {
        return text == "-0";
    }
    Decimal::of(text).is_some_and(|number| Decimal::of(&format!("{double:e}")).is_some_and(|double| double == number))
}

/// A number without its sign: its digits from the first to the last that is not 0, and the power of ten of the first.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    digits: Vec<u8>,
    power: i64,
}

impl Decimal {
    /// None where the power is beyond all bounds.
    fn of(text: &str) -> Option<Self> {
        let text = text.trim_start_matches('-');
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent: i64 = exponent.parse().ok()?;
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let leading = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..leading);
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        if digits.is_empty() {
            return Some(Self { digits, power: 0 });
        }
        let power = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
        Some(Self {
            digits,
            power: power.checked_add(exponent)?,
        })
    }
}
