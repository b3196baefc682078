//! Parameters of path, query and header section: text, read as their schema's types say.

mod readings;

use std::borrow::Cow;

use gatewright_config::{ParameterRule, ValidateConfig};
use gatewright_core::problem::Failure;
use gatewright_core::{Exchange, Problem, ProblemKind};
use http::HeaderName;
use jsonschema::Validator;
use percent_encoding::percent_decode_str;

use self::readings::Readings;
use super::{MOST_FAILURES, broken_by_one, compile, failure};
use crate::words::Unusable;

/// The rules for parameters.
pub(super) struct Parameters {
    path: Vec<Rule>,
    query: Vec<Rule>,
    headers: Vec<(HeaderName, Rule)>,
}

struct Rule {
    name: String,
    required: bool,
    readings: Readings,
    schema: Validator,
}

impl Parameters {
    /// Rules whose schemas are none are left out, and said.
    pub(super) fn new(config: &ValidateConfig, unusable: &mut Vec<Unusable>) -> Self {
        let mut rules = |rules: &[(String, ParameterRule)]| -> Vec<Rule> {
            let rule = |rule| Rule::new(rule).map_err(|wrong| unusable.extend(wrong)).ok();
            rules.iter().filter_map(rule).collect()
        };
        // The configuration has checked the names.
        let name = |rule: &Rule| HeaderName::from_bytes(rule.name.as_bytes()).ok();
        Self {
            path: rules(&config.path),
            query: rules(&config.query),
            headers: rules(&config.headers)
                .into_iter()
                .filter_map(|rule| Some((name(&rule)?, rule)))
                .collect(),
        }
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
    fn new((name, rule): &(String, ParameterRule)) -> Result<Self, Vec<Unusable>> {
        Ok(Self {
            name: name.clone(),
            required: rule.required,
            readings: Readings::of(&rule.schema),
            schema: compile(&format!("the schema of the parameter `{name}`"), &rule.schema)?,
        })
    }

    fn check<'v>(&self, part: &str, values: impl Iterator<Item = Cow<'v, str>>, found: &mut Found) {
        let values: Vec<_> = values.collect();
        let at = format!("{part}.{}", self.name);
        if values.is_empty() {
            if self.required {
                found.missing.push(self.name.clone());
                found.failures.push(failure(&at, "it is missing"));
            }
            return;
        }
        let readings = self.readings.of_values(&values);
        let mut wrong = readings.iter().map(|reading| broken_by_one(&self.schema, reading));
        let Some(first) = wrong.next() else {
            return found.failures.push(failure(&at, "it is there more than once"));
        };
        // What one of its types can be is good; what none can be is told as the first of them.
        if first.is_empty() || wrong.any(|wrong| wrong.is_empty()) {
            return;
        }
        let first = first.into_iter();
        found
            .failures
            .extend(first.map(|wrong| failure(&format!("{at}{}", wrong.at), &wrong.reason)));
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
