//! `validate`: requests whose body and parameters are what the route asks for, and no others.
//!
//! The body that is validated is the one that goes on, byte by byte. Clients are told which rules are not kept and where,
//! and never the value.

mod parameters;

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use gatewright_config::{SchemaSource, ValidateConfig};
use gatewright_core::problem::Failure;
use gatewright_core::{Exchange, Flow, Problem, ProblemKind, Stage, Step};
use http::header::{self, HeaderMap};
use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use self::parameters::Parameters;
use super::decompress::ACCEPTED;
use crate::aside::aside;
use crate::body_start;
use crate::codings::{Coded, coded};
use crate::json;
use crate::words::{self, Unusable};

/// Bodies that are longer are validated off the worker.
const AT_ONCE_BYTES: usize = 4 << 10;
/// Failures that a client is told.
const MOST_FAILURES: usize = 16;
/// Bytes of one of them.
const FAILURE_BYTES: usize = 200;

/// Validates requests.
pub struct Validate {
    config: ValidateConfig,
    schema: Option<Arc<Validator>>,
    parameters: Parameters,
}

impl Stage for Validate {
    fn name(&self) -> &str {
        "validate"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        if let Err(problem) = self.parameters.check(exchange) {
            return Step::ready(Err(problem));
        }
        if exchange.body.is_empty() {
            let missing = self.schema.is_some() && !self.config.optional;
            let problem = || refused(vec![failure("", "there is no body")]);
            return Step::ready(if missing { Err(problem()) } else { Ok(Flow::Proceed) });
        }
        if let Err(problem) = self.check_type(&exchange.request.headers) {
            return Step::ready(Err(problem));
        }
        match &self.schema {
            None => Step::ready(Ok(Flow::Proceed)),
            Some(schema) => Step::waiting(self.check_body(exchange, schema)),
        }
    }
}

impl Validate {
    /// A stage with these rules.
    ///
    /// # Errors
    /// Every schema that cannot be read, or is none.
    pub fn new(config: &ValidateConfig) -> Result<Self, Vec<Unusable>> {
        let mut unusable = Vec::new();
        let schema = config.schema.as_ref().map(schema_of).transpose();
        let schema = schema.map_err(|wrong| unusable.extend(wrong)).ok().flatten();
        let parameters = Parameters::new(config, &mut unusable);
        match unusable.is_empty() {
            true => Ok(Self {
                schema: schema.map(Arc::new),
                parameters,
                config: config.clone(),
            }),
            false => Err(unusable),
        }
    }

    fn check_type(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let unsupported = |cause: &str| {
            let cause = format!("validate: {cause}");
            Err(Problem::new(ProblemKind::UnsupportedMediaType).with_cause(cause))
        };
        if self.config.types.is_empty() {
            return Ok(());
        }
        let mut values = headers.get_all(header::CONTENT_TYPE).iter();
        let text = match (values.next().map(|value| value.to_str()), values.next()) {
            (Some(Ok(text)), None) => text.to_ascii_lowercase(),
            _ => return unsupported("there is no one content type"),
        };
        let mut parts = text.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default();
        if !self.config.types.iter().any(|pattern| pattern.matches(essence)) {
            return unsupported("the content type is not one of `types`");
        }
        let charset = parts.find_map(|parameter| parameter.strip_prefix("charset="));
        match charset.map(|charset| charset.trim_matches('"')) {
            Some(charset) if self.schema.is_some() && charset != "utf-8" => unsupported("JSON is UTF-8"),
            _ => Ok(()),
        }
    }

    async fn check_body(&self, exchange: &mut Exchange, schema: &Arc<Validator>) -> Result<Flow, Problem> {
        if coded(&exchange.request.headers) != Coded::Plain {
            return Err(Problem::new(ProblemKind::UnsupportedMediaType)
                .with_cause("validate: the body has a content coding; put `decompress` before it")
                .with_header(header::ACCEPT_ENCODING, ACCEPTED));
        }
        let limit = self.config.body_bytes.0;
        let too_large = || {
            let cause = format!("validate: the body has more than {}", self.config.body_bytes);
            Problem::new(ProblemKind::RequestTooLarge).with_cause(cause).closing()
        };
        if http_body::Body::size_hint(&exchange.body).lower() > limit {
            return Err(too_large());
        }
        let start = body_start::of_request(exchange, limit).await?;
        if !start.complete {
            return Err(too_large());
        }
        let (schema, depth, length) = (Arc::clone(schema), self.config.depth, start.bytes.len());
        let validate = move || failures(&schema, &start.bytes, depth);
        let failures = match length <= AT_ONCE_BYTES {
            true => validate(),
            false => aside("validate", validate).await?,
        };
        match failures.is_empty() {
            true => Ok(Flow::Proceed),
            false => Err(refused(failures)),
        }
    }
}

fn schema_of(source: &SchemaSource) -> Result<Validator, Vec<Unusable>> {
    const NOT_JSON: &str = "write the schema as JSON, or as a table in the configuration";
    match source {
        SchemaSource::Inline(schema) => compile("the schema", schema),
        SchemaSource::File(file) => {
            let text = words::bytes_of(file).map_err(|unusable| vec![unusable])?;
            let schema: Value = serde_json::from_slice(&text).map_err(|error| {
                let place = words::inside(&file.path, error.line(), error.column());
                let reason = match error.is_eof() {
                    true => "the schema is not JSON: it ends too early",
                    false => "the schema is not JSON: something else is expected here",
                };
                vec![Unusable::new(reason, NOT_JSON).at(place)]
            })?;
            let compiled = compile("the schema", &schema);
            let inside = |unusable: Unusable| unusable.at(words::inside(&file.path, 1, 1));
            compiled.map_err(|unusable| unusable.into_iter().map(inside).collect())
        }
    }
}

/// Patterns take time in the length of the text, whatever they are; what needs another engine is refused here. Other
/// documents are not fetched.
fn compile(what: &str, schema: &Value) -> Result<Validator, Vec<Unusable>> {
    const SCHEMA: &str =
        "a schema is JSON Schema, refers only to what is in it, and its patterns look neither ahead nor behind";
    let compiled = jsonschema::options()
        .offline()
        .should_validate_formats(true)
        .with_pattern_options(PatternOptions::regex().size_limit(1 << 20))
        .build(schema);
    compiled.map_err(|error| {
        let mut reasons = vec![gatewright_wasm::schema_words::of_schema(&error)];
        // Of a schema of the newest draft the schema of schemas says everything that is wrong.
        if schema.get("$schema").is_none() {
            let all = jsonschema::draft202012::meta::validator();
            reasons.extend(
                all.iter_errors(schema)
                    .take(MOST_FAILURES)
                    .map(|error| gatewright_wasm::schema_words::of_schema(&error)),
            );
        }
        let mut seen = HashSet::new();
        reasons.retain(|reason| seen.insert(reason.clone()));
        let unusable = |reason| Unusable::new(format!("{what} cannot be used: {reason}"), SCHEMA);
        reasons.into_iter().map(unusable).collect()
    })
}

/// What is wrong with a body.
fn failures(schema: &Validator, body: &Bytes, depth: usize) -> Vec<Failure> {
    match json::readings(body, depth) {
        Ok(readings) => broken_by_one(schema, &readings),
        Err(reason) => vec![failure("", &reason)],
    }
}

/// The rules that one of the readings of a value does not keep.
fn broken_by_one(schema: &Validator, readings: &[Value]) -> Vec<Failure> {
    let failures = readings.iter().map(|value| broken(schema, value));
    failures
        .into_iter()
        .find(|failures| !failures.is_empty())
        .unwrap_or_default()
}

/// The rules that a value does not keep.
fn broken(schema: &Validator, value: &Value) -> Vec<Failure> {
    let errors = schema.iter_errors(value).take(MOST_FAILURES);
    errors
        .map(|error| failure(error.instance_path().as_str(), &error.masked().to_string()))
        .collect()
}

/// Text of a client may be in both: in the place the keys that lead to it.
fn failure(at: &str, reason: &str) -> Failure {
    let short = |text: &str| text.chars().take(FAILURE_BYTES).collect();
    Failure {
        at: short(at),
        reason: short(reason),
    }
}

fn refused(failures: Vec<Failure>) -> Problem {
    let said: Vec<_> = failures
        .iter()
        .map(|failure| format!("{} {}", failure.at, failure.reason))
        .collect();
    let cause = format!("validate: {}", said.join("; "));
    Problem::new(ProblemKind::BadRequestBody)
        .with_cause(cause)
        .with_failures(failures)
}
