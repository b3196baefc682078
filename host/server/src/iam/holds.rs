//! Whether conditions hold for a request. A value that cannot be known is a doubt, which lets no client pass.

use gatewright_config::condition::{Comparison, Condition, Operand, Operator, SetOperator, operand};
use gatewright_core::wildcard::matches;
use gatewright_core::{ClientIp, Exchange};

use super::found::{Found, One, found};

/// Whether something holds for a request, in the order in which doubts decide: all of several conditions hold as far as the
/// least certain one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holds {
    /// It does not.
    No,
    /// The value that it asks for is not known of the request, or cannot be read.
    Unsure,
    /// It does.
    Yes,
}

impl From<bool> for Holds {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

impl Holds {
    /// Whether a statement applies. A doubt never lets a client pass: with one a deny applies, and an allow does not.
    pub fn applies(self, allow: bool) -> bool {
        match allow {
            true => self == Self::Yes,
            false => self != Self::No,
        }
    }

    fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Unsure => Self::Unsure,
            Self::Yes => Self::No,
        }
    }
}

/// How far the conditions of a statement hold for a request.
pub fn hold(conditions: &[Condition], allow: bool, exchange: &Exchange) -> Holds {
    let conditions = conditions.iter().map(|condition| holds(condition, allow, exchange));
    conditions.min().unwrap_or(Holds::Yes)
}

/// The key of the first condition about which there is a doubt.
pub fn doubt<'c>(conditions: &'c [Condition], allow: bool, exchange: &Exchange) -> Option<&'c str> {
    let mut conditions = conditions.iter();
    let unsure = conditions.find(|condition| holds(condition, allow, exchange) == Holds::Unsure)?;
    Some(&unsure.key)
}

fn holds(condition: &Condition, allow: bool, exchange: &Exchange) -> Holds {
    if is_source_ip(&condition.key) && exchange.client.address == ClientIp::Unknown {
        // It may be any address: the one that is denied, and none that is allowed, whatever the operator makes of absence.
        return Holds::Unsure;
    }
    let Found { values, is_whole } = found(&condition.key, exchange);
    if condition.operator == Operator::Absence {
        return condition.operands.contains(&Operand::Truth(values.is_empty())).into();
    }
    if values.is_empty() {
        return match condition.if_exists {
            true => Holds::Yes,
            false if !is_whole => Holds::Unsure,
            // As in IAM: what is not there differs from everything.
            false => match condition.set {
                Some(SetOperator::All) => Holds::Yes,
                Some(SetOperator::Any) => Holds::No,
                None => condition.negated.into(),
            },
        };
    }
    let good = values.iter().map(|value| is_good(condition, value));
    let all = match condition.set {
        Some(SetOperator::All) => true,
        Some(SetOperator::Any) => false,
        // Whoever sends a field twice must not be allowed by one value and do something by the other.
        None => allow,
    };
    let holds = if all { good.min() } else { good.max() };
    holds.unwrap_or(Holds::Unsure)
}

/// Whether one value is as a condition wants it.
fn is_good(condition: &Condition, value: &One) -> Holds {
    let operands = condition.operands.iter();
    let matches = operands
        .map(|operand| compares(condition.operator, value, operand))
        .max();
    let matches = matches.unwrap_or(Holds::Unsure);
    if condition.negated { matches.not() } else { matches }
}

fn compares(operator: Operator, value: &One, expected: &Operand) -> Holds {
    let text = value.text.as_str();
    if let (Operator::Text { like, ignore_case }, Operand::Text(expected)) = (operator, expected) {
        if !value.is_exact {
            return Holds::Unsure;
        }
        return Holds::from(match (like, ignore_case) {
            (true, _) => matches(expected, text),
            (false, true) => expected.eq_ignore_ascii_case(text),
            (false, false) => expected == text,
        });
    }
    let compared = match (operator, operand(operator, text), expected) {
        (Operator::Number(comparison), Some(Operand::Number(value)), Operand::Number(expected))
        | (Operator::Time(comparison), Some(Operand::Time(value)), Operand::Time(expected)) => match comparison {
            Comparison::Equal => value == *expected,
            Comparison::Less => value < *expected,
            Comparison::LessOrEqual => value <= *expected,
            Comparison::Greater => value > *expected,
            Comparison::GreaterOrEqual => value >= *expected,
        },
        (_, Some(Operand::Truth(value)), Operand::Truth(expected)) => value == *expected,
        // A network is in another one only as a whole.
        (_, Some(Operand::Network(value)), Operand::Network(expected)) => expected.contains(&value),
        // Whoever sends what cannot be read as such must neither get around a deny nor into an allow.
        _ => return Holds::Unsure,
    };
    compared.into()
}

fn is_source_ip(key: &str) -> bool {
    key.eq_ignore_ascii_case("aws:SourceIp")
}
