//! Conditions as in policies of IAM ("IAM JSON policy elements: Condition operators"): an operator, a key, values.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use serde::Serialize;

/// One condition: `StringLike = { "header:x-tenant" = ["blue-*"] }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Condition {
    /// What is compared: `aws:SourceIp`, `header:x-tenant`.
    pub key: String,
    /// How.
    pub operator: Operator,
    /// A value is good that does not match.
    pub negated: bool,
    /// It holds where the request has nothing under the key.
    pub if_exists: bool,
    /// Of a key with several values, how many must be good; none: all where it allows, one where it denies.
    pub set: Option<SetOperator>,
    /// With what; one match is enough.
    pub operands: Vec<Operand>,
}

/// How many values must be good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum SetOperator {
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

/// How values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Operator {
    /// As text.
    Text {
        /// `*` and `?` stand for others.
        like: bool,
        /// Upper and lower case are the same.
        ignore_case: bool,
    },
    /// As numbers.
    Number(Comparison),
    /// As times.
    Time(Comparison),
    /// As truth values.
    Truth,
    /// As addresses in networks.
    Address,
    /// Whether there is none.
    Absence,
}

/// How what is ordered is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Comparison {
    /// =
    Equal,
    /// <
    Less,
    /// <=
    LessOrEqual,
    /// >
    Greater,
    /// >=
    GreaterOrEqual,
}

/// What a value is compared with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Operand {
    /// Text, or a pattern.
    Text(String),
    /// A number.
    Number(f64),
    /// Seconds since 1970.
    Time(f64),
    /// True or false.
    Truth(bool),
    /// A network.
    Network(IpNet),
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(operator: &str, key: &str, values: &[String]) -> Result<Self, String> {
        let (name, set) = match operator.split_once(':') {
            Some(("ForAllValues", name)) => (name, Some(SetOperator::All)),
            Some(("ForAnyValue", name)) => (name, Some(SetOperator::Any)),
            Some(_) => return Err(format!("`{operator}` is not a condition operator")),
            None => (operator, None),
        };
        let (name, if_exists) = match name.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (operator, negated) = known(name).ok_or_else(|| format!("`{operator}` is not a condition operator"))?;
        if values.is_empty() {
            return Err(format!("`{key}` is compared with nothing"));
        }
        let operands = values.iter().map(|value| {
            let operand = operand(operator, value);
            operand.ok_or_else(|| format!("`{value}` is nothing that `{name}` can compare with"))
        });
        Ok(Self {
            key: key.to_owned(),
            operator,
            negated,
            if_exists,
            set,
            operands: operands.collect::<Result<_, _>>()?,
        })
    }
}

/// An operator, and whether it is negated.
fn known(name: &str) -> Option<(Operator, bool)> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
    let text = |like, ignore_case| Operator::Text { like, ignore_case };
    Some(match name {
        "StringEquals" => (text(false, false), false),
        "StringNotEquals" => (text(false, false), true),
        "StringEqualsIgnoreCase" => (text(false, true), false),
        "StringNotEqualsIgnoreCase" => (text(false, true), true),
        "StringLike" | "ArnLike" | "ArnEquals" => (text(true, false), false),
        "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => (text(true, false), true),
        "NumericEquals" => (Operator::Number(Equal), false),
        "NumericNotEquals" => (Operator::Number(Equal), true),
        "NumericLessThan" => (Operator::Number(Less), false),
        "NumericLessThanEquals" => (Operator::Number(LessOrEqual), false),
        "NumericGreaterThan" => (Operator::Number(Greater), false),
        "NumericGreaterThanEquals" => (Operator::Number(GreaterOrEqual), false),
        "DateEquals" => (Operator::Time(Equal), false),
        "DateNotEquals" => (Operator::Time(Equal), true),
        "DateLessThan" => (Operator::Time(Less), false),
        "DateLessThanEquals" => (Operator::Time(LessOrEqual), false),
        "DateGreaterThan" => (Operator::Time(Greater), false),
        "DateGreaterThanEquals" => (Operator::Time(GreaterOrEqual), false),
        "Bool" => (Operator::Truth, false),
        "IpAddress" => (Operator::Address, false),
        "NotIpAddress" => (Operator::Address, true),
        "Null" => (Operator::Absence, false),
        _ => return None,
    })
}

/// Reads a value as an operator compares it: of the policy, and of the request too.
pub fn operand(operator: Operator, value: &str) -> Option<Operand> {
    Some(match operator {
        Operator::Text { .. } => Operand::Text(value.to_owned()),
        Operator::Number(_) => Operand::Number(value.parse().ok().filter(|number: &f64| number.is_finite())?),
        Operator::Time(_) => Operand::Time(time(value)?),
        Operator::Truth | Operator::Absence => Operand::Truth(match value {
            "true" => true,
            "false" => false,
            _ => return None,
        }),
        Operator::Address => Operand::Network(network(value)?),
    })
}

/// An address or network. One of IPv4 addresses in IPv6's notation (RFC 4291, section 2.5.5.2) is one of IPv4 addresses, as
/// clients' addresses are.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()?;
    let mapped = match network {
        IpNet::V6(network) if network.prefix_len() >= 96 => {
            let length = network.prefix_len() - 96;
            let address = network.addr().to_ipv4_mapped();
            address.and_then(|address| Ipv4Net::new(address, length).ok())
        }
        _ => None,
    };
    Some(mapped.map_or(network, IpNet::V4).trunc())
}

/// ISO 8601, or seconds since 1970.
#[expect(
    clippy::cast_precision_loss,
    reason = "seconds since 1970 are exact for longer than anybody waits"
)]
fn time(text: &str) -> Option<f64> {
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        return Some(timestamp.as_millisecond() as f64 / 1000.0);
    }
    if let Ok(date) = text.parse::<jiff::civil::Date>() {
        let start = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        return Some(start.timestamp().as_second() as f64);
    }
    text.parse().ok().filter(|seconds: &f64| seconds.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(operator: &str, value: &str) -> Result<Condition, String> {
        Condition::parse(operator, "aws:SourceIp", &[value.to_owned()])
    }

    #[test]
    fn operators_have_negations_suffixes_and_sets() {
        let condition = parse("ForAllValues:StringNotLikeIfExists", "a*").unwrap();
        assert!(condition.negated && condition.if_exists);
        assert_eq!(condition.set, Some(SetOperator::All));
        for (operator, value) in [
            ("NumericLessThanEquals", "-1.5"),
            ("DateGreaterThan", "2026-01-01T00:00:00Z"),
            ("DateLessThan", "2026-01-01"),
            ("DateEquals", "1767225600"),
            ("Bool", "true"),
            ("NotIpAddress", "10.0.0.0/8"),
            ("IpAddress", "2001:db8::1"),
            ("Null", "false"),
        ] {
            assert!(parse(operator, value).is_ok(), "{operator} {value}");
        }
    }

    #[test]
    fn a_network_of_ipv4_addresses_is_one_however_it_is_written() {
        for (text, meant) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("2001:db8::1/32", "2001:db8::/32"),
        ] {
            assert_eq!(network(text).unwrap().to_string(), meant);
        }
        assert!(network("10.0.0.0/33").is_none() && network("localhost").is_none());
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        for (operator, value) in [
            ("StringIs", "a"),
            ("ForEveryValue:StringLike", "a"),
            ("NumericEquals", "NaN"),
            ("NumericEquals", "one"),
            ("DateLessThan", "tomorrow"),
            ("Bool", "yes"),
            ("IpAddress", "10.0.0.0/40"),
            ("Null", ""),
        ] {
            assert!(parse(operator, value).is_err(), "{operator} {value}");
        }
        assert!(Condition::parse("StringEquals", "header:a", &[]).is_err());
    }
}
