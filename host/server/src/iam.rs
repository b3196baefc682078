//! Policies as IAM evaluates them: what one statement denies is denied, what none allows is not allowed.
//!
//! One thing is stricter: what a statement asks about the client and nobody knows (a claim that the token does not have, an
//! address that no proxy has told) is neither equal nor unequal to anything. With such a doubt a deny applies and an allow does
//! not. `Null` and `…IfExists` ask for absence and are answered as in IAM.

use std::borrow::Cow;
use std::time::SystemTime;

use gatewright_config::condition::{Comparison, Condition, Operand, Operator, SetOperator, operand};
use gatewright_core::wildcard::matches;
use gatewright_core::{ClientIp, Exchange, Value};
use http::header::{self, HeaderMap};
use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

/// What statements say of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// One of them denies it.
    Denied,
    /// One allows it, and none denies it.
    Allowed,
    /// None is about it.
    Silent,
}

/// A policy document: what an authorizer of AWS answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Document(Vec<Statement>);

#[derive(Clone, Debug, PartialEq)]
struct Statement {
    allow: bool,
    actions: Patterns,
    resources: Patterns,
    conditions: Vec<Condition>,
}

/// What matches one of the patterns, or, where `not` is set, none of them.
#[derive(Clone, Debug, PartialEq)]
struct Patterns {
    not: bool,
    patterns: Vec<String>,
}

/// Puts what several statements say together.
pub fn verdict(statements: impl Iterator<Item = bool>) -> Verdict {
    let mut verdict = Verdict::Silent;
    for allows in statements {
        if !allows {
            return Verdict::Denied;
        }
        verdict = Verdict::Allowed;
    }
    verdict
}

impl Document {
    /// Reads a policy document. What is not understood makes all of it none: a condition that is passed over would allow more.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(json: &Json) -> Result<Self, String> {
        let statements = match json.get("Statement") {
            Some(Json::Array(statements)) => statements.iter().map(Statement::parse).collect::<Result<_, _>>()?,
            Some(statement @ Json::Object(_)) => vec![Statement::parse(statement)?],
            _ => return Err("it has no Statement".to_owned()),
        };
        Ok(Self(statements))
    }

    /// What it says of an action on a resource.
    pub fn verdict(&self, action: &str, resource: &str, exchange: &Exchange) -> Verdict {
        let about = self.0.iter().filter(|statement| {
            statement.actions.matches(&action.to_ascii_lowercase())
                && statement.resources.matches(resource)
                && hold(&statement.conditions, statement.allow, exchange).applies(statement.allow)
        });
        verdict(about.map(|statement| statement.allow))
    }
}

impl Statement {
    fn parse(json: &Json) -> Result<Self, String> {
        let allow = match json.get("Effect").and_then(Json::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err("a statement has no Effect".to_owned()),
        };
        let mut actions = Patterns::parse(json, "Action", "NotAction")?;
        for action in &mut actions.patterns {
            action.make_ascii_lowercase();
        }
        Ok(Self {
            allow,
            actions,
            resources: Patterns::parse(json, "Resource", "NotResource")?,
            conditions: conditions(json.get("Condition"))?,
        })
    }
}

impl Patterns {
    fn parse(json: &Json, key: &str, not_key: &str) -> Result<Self, String> {
        let (not, found) = match (json.get(key), json.get(not_key)) {
            (Some(found), None) => (false, found),
            (None, Some(found)) => (true, found),
            _ => return Err(format!("a statement has no {key}, or two")),
        };
        let patterns = texts(found).ok_or_else(|| format!("{key} is neither a text nor a list of texts"))?;
        Ok(Self { not, patterns })
    }

    fn matches(&self, text: &str) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern, text)) != self.not
    }
}

fn conditions(json: Option<&Json>) -> Result<Vec<Condition>, String> {
    let Some(json) = json else { return Ok(Vec::new()) };
    let not_one = || "Condition is not a map of operators to maps of keys to values".to_owned();
    let mut conditions = Vec::new();
    for (operator, keys) in json.as_object().ok_or_else(not_one)? {
        for (key, values) in keys.as_object().ok_or_else(not_one)? {
            let values = texts(values).ok_or_else(not_one)?;
            conditions.push(Condition::parse(operator, key, &values)?);
        }
    }
    Ok(conditions)
}

/// One or several; numbers and truth values as texts.
fn texts(json: &Json) -> Option<Vec<String>> {
    let text = |json: &Json| match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(_) | Json::Bool(_) => Some(json.to_string()),
        _ => None,
    };
    match json {
        Json::Array(list) => list.iter().map(text).collect(),
        one => Some(vec![text(one)?]),
    }
}

/// Whether something holds for a request, in the order in which doubts decide: all of several conditions hold as far as the
/// least certain one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holds {
    /// It does not.
    No,
    /// What it asks for is not known of the request, or cannot be read.
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

/// What a request has under a key.
struct Found {
    values: Vec<One>,
    /// The values are all there are. Otherwise that there are none says nothing: nobody has found out.
    is_whole: bool,
}

/// One value.
struct One {
    text: String,
    /// The text is what the client, or who vouches for it, has said, digit by digit.
    is_exact: bool,
}

impl Found {
    /// What the client has sent: nothing more is to be known of it.
    fn sent(texts: impl IntoIterator<Item = String>) -> Self {
        Self {
            values: texts.into_iter().map(One::exact).collect(),
            is_whole: true,
        }
    }

    /// What the gateway knows of the client if it knows anything.
    fn known(value: Option<String>) -> Self {
        Self {
            is_whole: value.is_some(),
            ..Self::sent(value)
        }
    }
}

impl One {
    fn exact(text: String) -> Self {
        Self { text, is_exact: true }
    }

    /// A number of which only the first sixteen digits are known.
    fn number(number: f64, text: String) -> Self {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        Self {
            text,
            is_exact: number.abs() < EXACT,
        }
    }

    fn json(json: &Json) -> Self {
        match json {
            Json::String(text) => Self::exact(text.clone()),
            Json::Number(number) if number.is_f64() => {
                Self::number(number.as_f64().unwrap_or(f64::INFINITY), number.to_string())
            }
            other => Self::exact(other.to_string()),
        }
    }
}

fn found(key: &str, exchange: &Exchange) -> Found {
    let headers = &exchange.request.headers;
    let seconds = || {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or_default().as_secs().to_string()
    };
    match key.to_ascii_lowercase().as_str() {
        "aws:sourceip" => Found::known(exchange.client.address.known().map(|address| address.to_string())),
        "aws:securetransport" => Found::sent([exchange.request.secure.to_string()]),
        "aws:currenttime" | "aws:epochtime" => Found::sent([seconds()]),
        "aws:useragent" => Found::sent(of_field(headers, header::USER_AGENT.as_str())),
        "aws:referer" => Found::sent(of_field(headers, header::REFERER.as_str())),
        _ => match key.split_once(':') {
            Some(("header", name)) => Found::sent(of_field(headers, name)),
            Some(("query", name)) => Found::sent(of_query(exchange.request.query().unwrap_or_default(), name)),
            Some(("path", name)) => Found::known(exchange.parameters.decoded(name).map(Cow::into_owned)),
            Some(("auth", name)) => of_attribute(exchange.attributes.get(&format!("auth.{name}")).as_deref(), name),
            // A policy that an authorizer has answered may ask for what only AWS knows.
            _ => Found::known(None),
        },
    }
}

/// What has been found out about the client. Where there is nothing, the client has not proved it: that is no value, and
/// not the value "none".
fn of_attribute(value: Option<&Value>, name: &str) -> Found {
    let values = match value {
        None => return Found::known(None),
        // The lists among the attributes that are written as texts.
        Some(Value::Text(text)) if matches!(name, "scopes" | "usage_plans") => text
            .split_ascii_whitespace()
            .map(|one| One::exact(one.to_owned()))
            .collect(),
        Some(Value::Json(text)) => match serde_json::from_str(text) {
            Ok(Json::Array(list)) => list.iter().map(One::json).collect(),
            Ok(other) => vec![One::json(&other)],
            Err(_) => return Found::known(None),
        },
        Some(Value::Number(number)) => vec![One::number(*number, number.to_string())],
        Some(other) => vec![One::exact(other.to_string())],
    };
    Found { values, is_whole: true }
}

fn of_field(headers: &HeaderMap, name: &str) -> Vec<String> {
    let values = headers.get_all(name).iter();
    values
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect()
}

/// The parameter's values, and each with `+` in it a second time with spaces, as forms are read: which of both the upstream
/// reads is not known here.
fn of_query(query: &str, name: &str) -> Vec<String> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut values = Vec::new();
    for (key, value) in pairs {
        let as_form = key.replace('+', " ");
        if decoded(key) != name && decoded(&as_form) != name {
            continue;
        }
        values.push(decoded(value));
        if value.contains('+') {
            values.push(decoded(&value.replace('+', " ")));
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use gatewright_config::cases::parse_cases;
    use serde_json::json;

    use super::Holds::{No, Unsure, Yes};
    use super::*;
    use crate::token::claims::Claims;

    /// A request with these claims, a header field that is there twice, and no address.
    fn exchange(claims: &Json) -> Exchange {
        let case =
            "[[case]]\nname = \"a\"\n[case.request]\npath = \"/a?q=a+b&n=ten\"\nheaders = { x-a = [\"1\", \"2\"] }\n";
        let cases = parse_cases(case, Path::new("cases.toml")).unwrap();
        let mut exchange = crate::trial::exchange(&cases.cases[0]);
        exchange.client.address = ClientIp::Unix;
        let claims = Claims::new(claims.as_object().unwrap().clone()).unwrap();
        exchange.attributes.set_claims(Arc::new(claims));
        exchange
    }

    fn one(operator: &str, key: &str, values: &[&str], allow: bool, exchange: &Exchange) -> Holds {
        let values: Vec<_> = values.iter().map(|value| (*value).to_owned()).collect();
        hold(&[Condition::parse(operator, key, &values).unwrap()], allow, exchange)
    }

    #[test]
    fn an_address_that_cannot_be_read_is_a_doubt_whatever_the_operator_makes_of_absence() {
        let mut exchange = exchange(&json!({}));
        exchange.client.address = ClientIp::Unknown;
        for (operator, value) in [
            ("IpAddress", "10.0.0.0/8"),
            ("NotIpAddress", "10.0.0.0/8"),
            ("IpAddressIfExists", "10.0.0.0/8"),
            ("ForAllValues:IpAddress", "10.0.0.0/8"),
            ("Null", "true"),
            ("Null", "false"),
        ] {
            for allow in [true, false] {
                assert_eq!(
                    one(operator, "AWS:sourceip", &[value], allow, &exchange),
                    Unsure,
                    "{operator}"
                );
            }
        }
    }

    #[test]
    fn what_nobody_knows_of_the_client_neither_avoids_a_deny_nor_gets_an_allow() {
        let exchange = exchange(&json!({ "gone": null }));
        let keys = [
            "auth:claims.tenant",
            "auth:claims.gone",
            "auth:principal",
            "aws:SourceIp",
            "aws:PrincipalTag/x",
        ];
        let operators = [
            ("StringEquals", "a"),
            ("StringNotEquals", "a"),
            ("StringEqualsIgnoreCase", "a"),
            ("StringNotLike", "a*"),
            ("ArnLike", "a*"),
            ("NumericLessThan", "1"),
            ("NumericNotEquals", "1"),
            ("DateGreaterThan", "2026-01-01"),
            ("Bool", "true"),
            ("IpAddress", "10.0.0.0/8"),
            ("NotIpAddress", "10.0.0.0/8"),
        ];
        for key in keys {
            for (operator, value) in operators {
                for set in ["", "ForAnyValue:", "ForAllValues:"] {
                    let operator = format!("{set}{operator}");
                    for allow in [true, false] {
                        let holds = one(&operator, key, &[value], allow, &exchange);
                        assert_eq!(holds, Unsure, "{operator} {key}");
                        assert_eq!(holds.applies(allow), !allow, "{operator} {key}");
                    }
                    // Whoever asks for absence is answered.
                    let operator = format!("{operator}IfExists");
                    assert_eq!(one(&operator, key, &[value], true, &exchange), Yes, "{operator} {key}");
                }
            }
            assert_eq!(one("Null", key, &["true"], false, &exchange), Yes, "{key}");
            assert_eq!(one("Null", key, &["false"], false, &exchange), No, "{key}");
        }
    }

    #[test]
    fn what_a_client_does_not_send_is_known_not_to_be_there() {
        let exchange = exchange(&json!({}));
        for (operator, expected) in [
            ("StringEquals", No),
            ("StringNotEquals", Yes),
            ("ForAnyValue:StringEquals", No),
            ("ForAnyValue:StringNotEquals", No),
            ("ForAllValues:StringEquals", Yes),
            ("ForAllValues:StringNotEquals", Yes),
            ("StringEqualsIfExists", Yes),
        ] {
            for key in ["header:x-none", "query:none", "aws:Referer"] {
                assert_eq!(
                    one(operator, key, &["a"], false, &exchange),
                    expected,
                    "{operator} {key}"
                );
            }
        }
    }

    #[test]
    fn a_list_is_its_elements() {
        let exchange = exchange(&json!({
            "groups": ["staff", "blocked", 7, true], "none": [], "one": "staff", "map": { "groups": ["a"] },
        }));
        for (operator, key, values, of_allow, of_deny) in [
            ("ForAnyValue:StringEquals", "groups", &["blocked"][..], Yes, Yes),
            ("ForAnyValue:StringEquals", "groups", &["7"], Yes, Yes),
            ("ForAnyValue:StringEquals", "groups", &["true"], Yes, Yes),
            ("ForAnyValue:StringEquals", "groups", &["other"], No, No),
            ("ForAnyValue:StringEquals", "map.groups", &["a"], Yes, Yes),
            ("ForAnyValue:StringLike", "groups", &["bl*"], Yes, Yes),
            ("ForAnyValue:StringNotEquals", "groups", &["staff"], Yes, Yes),
            ("ForAllValues:StringEquals", "groups", &["staff", "blocked"], No, No),
            (
                "ForAllValues:StringEquals",
                "groups",
                &["staff", "blocked", "7", "true", "x"],
                Yes,
                Yes,
            ),
            ("ForAllValues:StringNotEquals", "groups", &["other"], Yes, Yes),
            ("ForAllValues:StringNotEquals", "groups", &["blocked"], No, No),
            // Without a set all must be good to be allowed, and one is enough to be denied.
            ("StringEquals", "groups", &["blocked"], No, Yes),
            ("StringNotEquals", "groups", &["blocked"], No, Yes),
            ("StringNotEquals", "groups", &["other"], Yes, Yes),
            // Nothing in it, and that is known.
            ("ForAnyValue:StringEquals", "none", &["a"], No, No),
            ("ForAllValues:StringEquals", "none", &["a"], Yes, Yes),
            ("StringEquals", "none", &["a"], No, No),
            ("StringNotEquals", "none", &["a"], Yes, Yes),
            ("Null", "none", &["true"], Yes, Yes),
            ("Null", "groups", &["false"], Yes, Yes),
            ("ForAnyValue:StringEquals", "one", &["staff"], Yes, Yes),
            ("ForAllValues:StringEquals", "one", &["staff"], Yes, Yes),
        ] {
            let key = format!("auth:claims.{key}");
            let holds = [true, false].map(|allow| one(operator, &key, values, allow, &exchange));
            assert_eq!(holds, [of_allow, of_deny], "{operator} {key} {values:?}");
        }
    }

    #[test]
    fn scopes_and_lists_of_plugins_are_lists_too() {
        let mut exchange = exchange(&json!({}));
        exchange
            .attributes
            .set("auth.scopes", Value::Text("read  write".to_owned()));
        exchange
            .attributes
            .set("auth.groups", Value::Json("[\"a\",\"b\"]".to_owned()));
        exchange.attributes.set("auth.broken", Value::Json("[".to_owned()));
        let any = |key: &str, value: &str| one("ForAnyValue:StringEquals", key, &[value], false, &exchange);
        assert_eq!(any("auth:scopes", "write"), Yes);
        assert_eq!(any("auth:scopes", ""), No);
        assert_eq!(any("auth:groups", "b"), Yes);
        assert_eq!(any("auth:broken", "b"), Unsure);
    }

    #[test]
    fn what_cannot_be_read_as_the_operator_does_is_a_doubt_and_no_way_around() {
        let exchange = exchange(&json!({ "age": "old", "id": 1e20, "ages": [20, "old"] }));
        for (operator, key, value) in [
            ("NumericLessThan", "query:n", "18"),
            ("NumericNotEquals", "query:n", "18"),
            ("Bool", "auth:claims.age", "true"),
            ("NumericGreaterThan", "auth:claims.age", "18"),
            ("NotIpAddress", "auth:claims.age", "10.0.0.0/8"),
            // Of a number this large the token may have said another digit.
            ("StringEquals", "auth:claims.id", "100000000000000000000"),
            ("StringNotEquals", "auth:claims.id", "100000000000000000001"),
            ("ForAllValues:NumericGreaterThan", "auth:claims.ages", "18"),
        ] {
            assert_eq!(
                one(operator, key, &[value], true, &exchange),
                Unsure,
                "{operator} {key}"
            );
        }
        assert_eq!(
            one(
                "ForAnyValue:NumericGreaterThan",
                "auth:claims.ages",
                &["18"],
                true,
                &exchange
            ),
            Yes
        );
        assert_eq!(one("NumericEquals", "auth:claims.id", &["1e20"], true, &exchange), Yes);
    }

    #[test]
    fn a_value_that_can_be_read_in_two_ways_is_denied_by_either() {
        let exchange = exchange(&json!({}));
        for value in ["a b", "a+b"] {
            assert_eq!(
                one("StringEquals", "query:q", &[value], false, &exchange),
                Yes,
                "{value}"
            );
            assert_eq!(one("StringEquals", "query:q", &[value], true, &exchange), No, "{value}");
        }
    }

    #[test]
    fn one_condition_that_does_not_hold_is_enough_and_a_doubt_is_not() {
        let exchange = exchange(&json!({ "a": "x" }));
        let condition = |key: &str, value: &str| Condition::parse("StringEquals", key, &[value.to_owned()]).unwrap();
        let known = condition("auth:claims.a", "x");
        let wrong = condition("auth:claims.a", "y");
        let unknown = condition("auth:claims.b", "x");
        let both = |conditions: &[&Condition]| {
            let conditions: Vec<_> = conditions.iter().map(|condition| (*condition).clone()).collect();
            hold(&conditions, false, &exchange)
        };
        assert_eq!(both(&[]), Yes);
        assert_eq!(both(&[&known, &unknown]), Unsure);
        assert_eq!(both(&[&unknown, &wrong]), No);
        assert_eq!(doubt(&[known, unknown], false, &exchange), Some("auth:claims.b"));
    }
}
