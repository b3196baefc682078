//! `headers`: header fields of requests and responses are taken away, set and appended.

use gatewright_config::{HeaderEdits, HeadersConfig, TemplatePart, ValueTemplate};
use gatewright_core::{Exchange, Flow, Problem, Response, Stage, Step};
use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::integrations::template::render;

/// Changes header fields.
pub struct Headers {
    request: Edits,
    response: Edits,
}

/// In this order.
#[derive(Default)]
struct Edits {
    remove: Vec<HeaderName>,
    set: Vec<(HeaderName, Text)>,
    append: Vec<(HeaderName, Text)>,
    /// A value is made of a field of the request.
    reads_header: bool,
}

/// A value of a field: the same for all exchanges, or of each its own.
#[derive(Debug)]
pub enum Text {
    /// The same for all.
    Fixed(HeaderValue),
    /// Made for each.
    Made(ValueTemplate),
}

impl Stage for Headers {
    fn name(&self) -> &str {
        "headers"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        // Out of the exchange, from which values are made, and back into it. Values see the fields as they were.
        let mut fields = match self.request.reads_header {
            true => exchange.request.headers.clone(),
            false => std::mem::take(&mut exchange.request.headers),
        };
        self.request.apply(&mut fields, exchange, None);
        exchange.request.headers = fields;
        Step::ready(Ok(Flow::Proceed))
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        response: &'a mut Response,
    ) -> Step<'a, Result<(), Problem>> {
        let status = response.status();
        self.response.apply(response.headers_mut(), exchange, Some(status));
        Step::ready(Ok(()))
    }

    fn sees_responses(&self) -> bool {
        !self.response.is_empty()
    }
}

impl Headers {
    /// A stage with these changes.
    #[must_use]
    pub fn new(config: &HeadersConfig) -> Self {
        Self {
            request: Edits::new(&config.request),
            response: Edits::new(&config.response),
        }
    }
}

impl Edits {
    fn new(config: &HeaderEdits) -> Self {
        // The configuration has checked names and values.
        let name = |name: &String| HeaderName::from_bytes(name.as_bytes()).ok();
        let values = |fields: &[(String, ValueTemplate)]| -> Vec<_> {
            let fields = fields.iter();
            fields
                .filter_map(|(field, value)| Some((name(field)?, Text::new(value))))
                .collect()
        };
        let mut templates = config.set.iter().chain(&config.append);
        Self {
            reads_header: templates.any(|(_, template)| template.reads_header()),
            remove: config.remove.iter().filter_map(name).collect(),
            set: values(&config.set),
            append: values(&config.append),
        }
    }

    fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.append.is_empty()
    }

    fn apply(&self, fields: &mut HeaderMap, exchange: &Exchange, status: Option<StatusCode>) {
        for name in &self.remove {
            fields.remove(name);
        }
        for (name, value) in &self.set {
            match value.of(exchange, status) {
                Some(value) => fields.insert(name, value),
                // What a client sent under this name must not look as if the gateway had said it.
                None => fields.remove(name),
            };
        }
        for (name, value) in &self.append {
            if let Some(value) = value.of(exchange, status) {
                fields.append(name, value);
            }
        }
    }
}

impl Text {
    /// A value made by this template.
    pub fn new(template: &ValueTemplate) -> Self {
        let fixed = match template.0.as_slice() {
            [] => Some(HeaderValue::from_static("")),
            [TemplatePart::Text(text)] => HeaderValue::from_str(text).ok(),
            _ => None,
        };
        fixed.map_or_else(|| Self::Made(template.clone()), Self::Fixed)
    }

    /// The value for an exchange; none where something of it is absent, or cannot be in a header field. `status` is the
    /// response's, where there is one.
    pub fn of(&self, exchange: &Exchange, status: Option<StatusCode>) -> Option<HeaderValue> {
        match self {
            Self::Fixed(value) => Some(value.clone()),
            Self::Made(template) => HeaderValue::from_str(&render(template, exchange, status)?).ok(),
        }
    }
}
