//! `body`: bodies of requests and responses made anew, from templates.
//!
//! A template sees values, and can neither read files nor run for ever. What it makes is put in place only when all of it is
//! there.

mod filters;
mod formats;
mod template;

use std::sync::Arc;

use bytes::Bytes;
use gatewright_config::{BodyConfig, BodyTemplate};
use gatewright_core::{Body, BodyError, Exchange, Flow, Problem, ProblemKind, Response, Stage, Step};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

pub use self::filters::unknown_filters;
use self::template::Template;
use super::decompress::{ACCEPTED, changed};
use super::entity_tags::{self, UpstreamTags};
use crate::aside::aside;
use crate::body_start::{self, Start};
use crate::codings::{Coded, coded};
use crate::integrations::template::port;
use crate::json::{self, Inexact};
use crate::words::Unusable;

/// Longer bodies are worked on off the worker.
const AT_ONCE_BYTES: usize = 4 << 10;

/// Makes bodies.
pub struct NewBody {
    config: BodyConfig,
    request: Option<Made>,
    response: Option<Made>,
    tags: UpstreamTags,
}

/// What a new body is made by.
struct Made {
    template: Arc<Template>,
    content_type: HeaderValue,
}

impl Made {
    fn new(config: &BodyTemplate, part: &str, output_bytes: u64) -> Result<Self, Vec<Unusable>> {
        let content_type = HeaderValue::from_str(&config.content_type).map_err(|_| {
            let reason = format!("`{}` is no content type", config.content_type);
            vec![Unusable::new(reason, "write one such as \"application/json\"")]
        })?;
        Ok(Self {
            template: Arc::new(Template::new(config, part, output_bytes)?),
            content_type,
        })
    }
}

/// Attributes that the templates of a stage name: of the request's, and of the response's.
pub fn named_attributes(config: &BodyConfig) -> (Vec<String>, Vec<String>) {
    let named = |template: &Option<BodyTemplate>| template.as_ref().map(template::named_attributes).unwrap_or_default();
    (named(&config.request), named(&config.response))
}

impl Stage for NewBody {
    fn name(&self) -> &str {
        "body"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        if self.response.is_some() {
            self.tags.restore(&mut exchange.request.headers);
        }
        match &self.request {
            None => Step::ready(Ok(Flow::Proceed)),
            Some(made) => Step::waiting(self.change_request(exchange, made)),
        }
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        response: &'a mut Response,
    ) -> Step<'a, Result<(), Problem>> {
        self.tags.look(response.headers());
        let is_meant = |status: StatusCode| {
            let mut patterns = self.config.statuses.iter();
            patterns.any(|pattern| pattern.matches(status.as_u16()))
        };
        let status = response.status();
        match &self.response {
            // What is said without a body is what would be said with one.
            Some(_) if status == StatusCode::NOT_MODIFIED => {
                let request = &exchange.request.headers;
                entity_tags::match_unchanged(request, response.headers_mut(), is_meant(StatusCode::OK));
            }
            Some(made) if is_meant(status) && exchange.record.method == Method::HEAD => {
                describe(response.headers_mut(), made);
            }
            Some(made) if is_meant(status) && status != StatusCode::NO_CONTENT => {
                return Step::waiting(self.change_response(exchange, response, made));
            }
            _ => {}
        }
        Step::ready(Ok(()))
    }

    fn sees_responses(&self) -> bool {
        self.response.is_some()
    }
}

impl NewBody {
    /// A stage with these templates.
    ///
    /// # Errors
    /// Everything that is wrong with the templates.
    pub fn new(config: &BodyConfig, tags: UpstreamTags) -> Result<Self, Vec<Unusable>> {
        let mut unusable = Vec::new();
        let mut made = |template: &Option<BodyTemplate>, part: &str| {
            let made = Made::new(template.as_ref()?, part, config.output_bytes.0);
            made.map_err(|wrong| unusable.extend(wrong)).ok()
        };
        let (request, response) = (made(&config.request, "request"), made(&config.response, "response"));
        match unusable.is_empty() {
            true => Ok(Self {
                request,
                response,
                config: config.clone(),
                tags,
            }),
            false => Err(unusable),
        }
    }

    async fn change_request(&self, exchange: &mut Exchange, made: &Made) -> Result<Flow, Problem> {
        let mut values = self.values(exchange);
        let mut read = None;
        if made.template.reads_body && !exchange.body.is_empty() {
            if coded(&exchange.request.headers) != Coded::Plain {
                return Err(Problem::new(ProblemKind::UnsupportedMediaType)
                    .with_cause("body: the body has a content coding; put `decompress` before it")
                    .with_header(header::ACCEPT_ENCODING, ACCEPTED));
            }
            let Start { bytes, complete } = body_start::of_request(exchange, self.config.body_bytes.0).await?;
            if !complete {
                let cause = format!("body: the body has more than {}", self.config.body_bytes);
                return Err(Problem::new(ProblemKind::RequestTooLarge).with_cause(cause).closing());
            }
            read = Some(bytes);
        }
        let headers = &exchange.request.headers;
        let input = read.map(|bytes| (bytes, content_type(headers)));
        let wrong = |cause| Problem::new(ProblemKind::BadRequestBody).with_cause(cause);
        let body = make(made, "request", &mut values, input, wrong).await?;
        exchange.body = Body::full(body);
        describe(&mut exchange.request.headers, made);
        Ok(Flow::Proceed)
    }

    async fn change_response(
        &self,
        exchange: &mut Exchange,
        response: &mut Response,
        made: &Made,
    ) -> Result<(), Problem> {
        let mut values = self.values(exchange);
        values.insert(
            "response".to_owned(),
            json!({ "status": response.status().as_u16(), "headers": fields(response.headers()) }),
        );
        let wrong = |cause: String| Problem::new(ProblemKind::IntegrationFailure).with_cause(cause);
        let mut read = None;
        if made.template.reads_body && !response.body().is_empty() {
            if coded(response.headers()) != Coded::Plain {
                let cause = "body: the response has a content coding; put `decompress` with `response = true` after it";
                return Err(wrong(cause.to_owned()));
            }
            let read_all = response.body_mut().read_start(self.config.body_bytes.0);
            let start = tokio::time::timeout_at(exchange.deadline.into(), read_all).await;
            let late =
                |_| Problem::new(ProblemKind::IntegrationTimeout).with_cause("body: the response did not end in time");
            let start = start.map_err(late)?.map_err(|BodyError(problem)| problem)?;
            if !start.complete {
                return Err(wrong(format!(
                    "body: the response has more than {}",
                    self.config.body_bytes
                )));
            }
            read = Some(start.bytes);
        }
        let input = read.map(|bytes| (bytes, content_type(response.headers())));
        let body = make(made, "response", &mut values, input, wrong).await?;
        *response.body_mut() = Body::full(body);
        describe(response.headers_mut(), made);
        Ok(())
    }

    /// What templates know of an exchange, but for bodies.
    fn values(&self, exchange: &Exchange) -> Map<String, Value> {
        let request = &exchange.request;
        let path: Map<_, _> = exchange
            .parameters
            .iter()
            .filter_map(|(name, _)| Some((name.to_owned(), exchange.parameters.decoded(name)?.into())))
            .collect();
        let mut attributes = Map::new();
        for (name, value) in exchange.attributes.iter_set() {
            nest(&mut attributes, name, attribute(value));
        }
        if let Some(claims) = exchange.attributes.claims()
            && let Some(within) = within(&mut attributes, &["auth", "claims"])
        {
            // By their own names, which may have dots in them.
            for (name, value) in claims.all() {
                within.entry(name).or_insert_with(|| attribute(&value));
            }
        }
        let request = json!({
            "id": exchange.id.to_string(),
            "method": request.method.as_str(),
            "scheme": request.scheme(),
            "host": request.host,
            "path": request.path(),
            "query": formats::from_form(request.query().unwrap_or_default().as_bytes()),
            "headers": fields(&request.headers),
            "port": port(exchange),
            "client": exchange.client.to_string(),
        });
        let mut values = Map::new();
        values.insert("request".to_owned(), request);
        values.insert("client".to_owned(), json!({ "address": exchange.client.to_string() }));
        values.insert("listener".to_owned(), json!({ "name": &*exchange.record.listener }));
        values.insert("route".to_owned(), json!({ "name": &*exchange.route }));
        values.insert("tls".to_owned(), json!({ "version": exchange.client.tls_version }));
        values.insert("path".to_owned(), Value::Object(path));
        values.insert("attributes".to_owned(), Value::Object(attributes));
        values.insert("variables".to_owned(), self.config.variables.clone());
        values
    }
}

/// The new body. `wrong` says what it means that the old one cannot be read.
async fn make(
    made: &Made,
    part: &'static str,
    values: &mut Map<String, Value>,
    input: Option<(Bytes, String)>,
    wrong: impl FnOnce(String) -> Problem,
) -> Result<Bytes, Problem> {
    let mut values = std::mem::take(values);
    let is_short = input.as_ref().is_none_or(|(bytes, _)| bytes.len() <= AT_ONCE_BYTES);
    let template = Arc::clone(&made.template);
    let work = move || {
        if let Some((bytes, content_type)) = input {
            let body = formats::parse(&bytes, &content_type).map_err(Failure::Input)?;
            if let Some(Value::Object(message)) = values.get_mut(part) {
                message.insert("text".to_owned(), String::from_utf8_lossy(&bytes).into());
                message.extend(body.map(|body| ("body".to_owned(), body)));
            }
        }
        template.render(Value::Object(values)).map_err(Failure::Template)
    };
    let made = match is_short {
        true => work(),
        false => aside("body", work).await?,
    };
    made.map_err(|failure| match failure {
        Failure::Input(reason) => wrong(format!("body: {reason}")),
        Failure::Template(reason) => {
            Problem::new(ProblemKind::ApiConfigurationError).with_cause(format!("body: {reason}"))
        }
    })
}

/// Why there is no new body.
enum Failure {
    Input(String),
    Template(String),
}

/// What the header section says of the new body.
fn describe(headers: &mut HeaderMap, made: &Made) {
    changed(headers);
    headers.remove(header::CONTENT_ENCODING);
    headers.insert(header::CONTENT_TYPE, made.content_type.clone());
}

/// Header fields by name; of those that are there more than once the values together.
fn fields(headers: &HeaderMap) -> Value {
    let mut fields = Map::new();
    for name in headers.keys() {
        let values: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        fields.insert(name.as_str().to_owned(), values.join(", ").into());
    }
    Value::Object(fields)
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_ascii_lowercase()
}

fn attribute(value: &gatewright_core::Value) -> Value {
    match value {
        gatewright_core::Value::Text(text) => Value::String(text.clone()),
        gatewright_core::Value::Number(number) => (*number).into(),
        gatewright_core::Value::Integer(integer) => (*integer).into(),
        gatewright_core::Value::Truth(truth) => (*truth).into(),
        gatewright_core::Value::Json(text) => {
            // One with a number that could not be written again as it is stays a text.
            let read = json::read(text.as_bytes(), formats::DEPTH, Inexact::Refused);
            read.unwrap_or_else(|_| Value::String(text.clone()))
        }
        bytes @ gatewright_core::Value::Bytes(_) => Value::String(bytes.to_string()),
    }
}

/// `auth.principal` as `principal` within `auth`. What was set last counts.
fn nest(values: &mut Map<String, Value>, name: &str, value: Value) {
    let path: Vec<_> = name.split('.').collect();
    if let Some((name, path)) = path.split_last()
        && let Some(within) = within(values, path)
    {
        within.insert((*name).to_owned(), value);
    }
}

/// What is at the end of a path; none where a value is in the way that has no others within it.
fn within<'v>(values: &'v mut Map<String, Value>, path: &[&str]) -> Option<&'v mut Map<String, Value>> {
    let Some((first, rest)) = path.split_first() else {
        return Some(values);
    };
    let next = values.entry(*first).or_insert_with(|| Value::Object(Map::new()));
    within(next.as_object_mut()?, rest)
}
