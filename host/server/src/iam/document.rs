//! A policy document as an authorizer of AWS answers it: read whole or not at all.

use gatewright_config::condition::Condition;
use gatewright_core::Exchange;
use gatewright_core::wildcard::matches;
use serde_json::Value as Json;

use super::holds::hold;
use super::{Verdict, verdict};

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

/// Patterns of which one has to match, or, where `not` is set, none.
#[derive(Clone, Debug, PartialEq)]
struct Patterns {
    not: bool,
    patterns: Vec<String>,
}

impl Document {
    /// Reads a policy document. A part that is not understood makes all of it none: a condition that is passed over would allow more.
    ///
    /// # Errors
    /// The reason why it is none.
    pub fn parse(json: &Json) -> Result<Self, String> {
        let statements = match json.get("Statement") {
            Some(Json::Array(statements)) => statements.iter().map(Statement::parse).collect::<Result<_, _>>()?,
            Some(statement @ Json::Object(_)) => vec![Statement::parse(statement)?],
            _ => return Err("it has no Statement".to_owned()),
        };
        Ok(Self(statements))
    }

    /// The verdict of the document on an action on a resource.
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
