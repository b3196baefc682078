//! Policies as IAM evaluates them: what one statement denies is denied, what none allows is not allowed.

use std::time::SystemTime;

use gatewright_config::condition::{Comparison, Condition, Operand, Operator, SetOperator, operand};
use gatewright_core::wildcard::matches;
use gatewright_core::{Exchange, Value};
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
                && hold(&statement.conditions, statement.allow, exchange)
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

/// Whether the conditions of a statement hold for a request.
pub fn hold(conditions: &[Condition], allow: bool, exchange: &Exchange) -> bool {
    conditions.iter().all(|condition| holds(condition, allow, exchange))
}

fn holds(condition: &Condition, allow: bool, exchange: &Exchange) -> bool {
    let values = values(&condition.key, exchange);
    if condition.operator == Operator::Absence {
        return condition.operands.contains(&Operand::Truth(values.is_empty()));
    }
    if values.is_empty() {
        // As in IAM: what is not there differs from everything.
        return match condition.set {
            Some(SetOperator::All) => true,
            Some(SetOperator::Any) => condition.if_exists,
            None => condition.if_exists || condition.negated,
        };
    }
    let good = |value: &String| {
        let mut operands = condition.operands.iter();
        operands.any(|operand| compares(condition.operator, value, operand)) != condition.negated
    };
    match condition.set {
        Some(SetOperator::All) => values.iter().all(good),
        Some(SetOperator::Any) => values.iter().any(good),
        // Whoever sends a field twice must not be allowed by one value and do something by the other.
        None if allow => values.iter().all(good),
        None => values.iter().any(good),
    }
}

fn compares(operator: Operator, value: &str, expected: &Operand) -> bool {
    if let (Operator::Text { like, ignore_case }, Operand::Text(expected)) = (operator, expected) {
        return match (like, ignore_case) {
            (true, _) => matches(expected, value),
            (false, true) => expected.eq_ignore_ascii_case(value),
            (false, false) => expected == value,
        };
    }
    match (operator, operand(operator, value), expected) {
        (Operator::Number(comparison), Some(Operand::Number(value)), Operand::Number(expected))
        | (Operator::Time(comparison), Some(Operand::Time(value)), Operand::Time(expected)) => match comparison {
            Comparison::Equal => value == *expected,
            Comparison::Less => value < *expected,
            Comparison::LessOrEqual => value <= *expected,
            Comparison::Greater => value > *expected,
            Comparison::GreaterOrEqual => value >= *expected,
        },
        (_, Some(Operand::Truth(value)), Operand::Truth(expected)) => value == *expected,
        (_, Some(Operand::Network(value)), Operand::Network(expected)) => expected.contains(&value),
        // What cannot be read as such matches nothing.
        _ => false,
    }
}

/// What a request has under a key.
fn values(key: &str, exchange: &Exchange) -> Vec<String> {
    let headers = &exchange.request.headers;
    let seconds = || {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or_default().as_secs().to_string()
    };
    match key.to_ascii_lowercase().as_str() {
        "aws:sourceip" => exchange.client.address.iter().map(ToString::to_string).collect(),
        "aws:securetransport" => vec![exchange.request.secure.to_string()],
        "aws:currenttime" | "aws:epochtime" => vec![seconds()],
        "aws:useragent" => of_field(headers, header::USER_AGENT.as_str()),
        "aws:referer" => of_field(headers, header::REFERER.as_str()),
        _ => match key.split_once(':') {
            Some(("header", name)) => of_field(headers, name),
            Some(("query", name)) => of_query(exchange.request.query().unwrap_or_default(), name),
            Some(("path", name)) => exchange.parameters.get(name).map(str::to_owned).into_iter().collect(),
            Some(("auth", name)) => match exchange.attributes.get(&format!("auth.{name}")) {
                Some(Value::Text(text)) if name == "scopes" => text.split(' ').map(str::to_owned).collect(),
                Some(value) => vec![value.to_string()],
                None => Vec::new(),
            },
            _ => Vec::new(),
        },
    }
}

fn of_field(headers: &HeaderMap, name: &str) -> Vec<String> {
    let values = headers.get_all(name).iter();
    values
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect()
}

fn of_query(query: &str, name: &str) -> Vec<String> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let pairs = pairs.filter(|(key, _)| percent_decode_str(key).eq(name.bytes()));
    pairs
        .map(|(_, value)| percent_decode_str(value).decode_utf8_lossy().into_owned())
        .collect()
}
