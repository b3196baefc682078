//! Parameters of path, query and header section: text, read as their schema's `type` says.

use std::borrow::Cow;

use gatewright_config::{ParameterRule, ValidateConfig};
use gatewright_core::problem::Failure;
use gatewright_core::{Exchange, Problem, ProblemKind};
use http::HeaderName;
use jsonschema::Validator;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{MOST_FAILURES, broken, compile, failure};

/// The rules for parameters.
pub(super) struct Parameters {
    path: Vec<Rule>,
    query: Vec<Rule>,
    headers: Vec<(HeaderName, Rule)>,
}

struct Rule {
    name: String,
    required: bool,
    /// What its values are, or the items of a list.
    kind: Kind,
    is_list: bool,
    schema: Validator,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Integer,
    Number,
    Truth,
}

impl Parameters {
    pub(super) fn new(config: &ValidateConfig) -> Result<Self, String> {
        let rules =
            |rules: &[(String, ParameterRule)]| -> Result<Vec<_>, String> { rules.iter().map(Rule::new).collect() };
        // The configuration has checked the names.
        let name = |rule: &Rule| HeaderName::from_bytes(rule.name.as_bytes()).ok();
        Ok(Self {
            path: rules(&config.path)?,
            query: rules(&config.query)?,
            headers: rules(&config.headers)?
                .into_iter()
                .filter_map(|rule| Some((name(&rule)?, rule)))
                .collect(),
        })
    }

    pub(super) fn check(&self, exchange: &Exchange) -> Result<(), Problem> {
        let mut found = Found::default();
        for rule in &self.path {
            let value = exchange.parameters.decoded(&rule.name);
            rule.check("path", value.into_iter(), &mut found);
        }
        let query = exchange.request.query().unwrap_or_default();
        for rule in &self.query {
            let pairs = query.split('&').filter(|pair| !pair.is_empty());
            let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            let values = pairs
                .filter(|(name, _)| decoded(name) == rule.name)
                .map(|(_, value)| decoded(value));
            rule.check("query", values, &mut found);
        }
        for (name, rule) in &self.headers {
            let values = exchange.request.headers.get_all(name).iter();
            let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
            rule.check("header", values, &mut found);
        }
        found.end()
    }
}

/// What is missing, and what is wrong.
#[derive(Default)]
struct Found {
    missing: Vec<String>,
    failures: Vec<Failure>,
}

impl Found {
    /// Said as Amazon API Gateway does.
    fn end(mut self) -> Result<(), Problem> {
        self.failures.truncate(MOST_FAILURES);
        if self.failures.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = self.failures.iter().map(|failure| failure.at.as_str()).collect();
        let said: Vec<_> = self
            .failures
            .iter()
            .map(|failure| format!("{} {}", failure.at, failure.reason))
            .collect();
        let detail = match self.missing.is_empty() {
            true => format!("Invalid request parameters: [{}]", names.join(", ")),
            false => format!("Missing required request parameters: [{}]", self.missing.join(", ")),
        };
        Err(Problem::new(ProblemKind::BadRequestParameters)
            .with_detail(detail)
            .with_cause(format!("validate: {}", said.join("; ")))
            .with_failures(self.failures))
    }
}

impl Rule {
    fn new((name, rule): &(String, ParameterRule)) -> Result<Self, String> {
        let type_of = |schema: &Value| schema.get("type").and_then(Value::as_str).map(str::to_owned);
        let is_list = type_of(&rule.schema).as_deref() == Some("array");
        let of_value = match rule.schema.get("items").filter(|_| is_list) {
            Some(items) => type_of(items),
            None => type_of(&rule.schema),
        };
        Ok(Self {
            kind: match of_value.as_deref() {
                Some("integer") => Kind::Integer,
                Some("number") => Kind::Number,
                Some("boolean") => Kind::Truth,
                _ => Kind::Text,
            },
            name: name.clone(),
            required: rule.required,
            is_list,
            schema: compile(&rule.schema).map_err(|error| format!("parameter `{name}`: {error}"))?,
        })
    }

    fn check<'v>(&self, part: &str, values: impl Iterator<Item = Cow<'v, str>>, found: &mut Found) {
        let mut values: Vec<_> = values.map(|text| self.kind.read(&text)).collect();
        let at = format!("{part}.{}", self.name);
        let value = match (self.is_list, values.len()) {
            (_, 0) if self.required => {
                found.missing.push(self.name.clone());
                return found.failures.push(failure(&at, "it is missing"));
            }
            (_, 0) => return,
            (true, _) => Value::Array(values),
            (false, 1) => values.pop().unwrap_or_default(),
            (false, _) => return found.failures.push(failure(&at, "it is there more than once")),
        };
        let failures = broken(&self.schema, &value).into_iter();
        found
            .failures
            .extend(failures.map(|wrong| failure(&format!("{at}{}", wrong.at), &wrong.reason)));
    }
}

impl Kind {
    /// The value that a text stands for; text that is none stays text, and then is not of its type.
    fn read(self, text: &str) -> Value {
        let number = || {
            let plain = text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
            plain
                .then(|| serde_json::from_str::<serde_json::Number>(text).ok())
                .flatten()
        };
        let value = match self {
            Self::Text => None,
            Self::Integer | Self::Number => number().map(Value::Number),
            Self::Truth => match text {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                _ => None,
            },
        };
        value.unwrap_or_else(|| Value::String(text.to_owned()))
    }
}

/// What a name or value of the query means.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}
