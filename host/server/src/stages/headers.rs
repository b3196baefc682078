//! `headers`: header fields of requests and responses are taken away, set and appended.

use gatewright_config::{HeaderEdits, HeadersConfig, TemplatePart, ValueTemplate};
use gatewright_core::{Exchange, Flow, Problem, Response, Stage, Step};
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
}

/// A value: the same for all exchanges, or of each its own.
enum Text {
    Fixed(HeaderValue),
    Made(ValueTemplate),
}

impl Stage for Headers {
    fn name(&self) -> &str {
        "headers"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        // Out of the exchange, from which values are made, and back into it.
        let mut fields = std::mem::take(&mut exchange.request.headers);
        self.request.apply(&mut fields, exchange);
        exchange.request.headers = fields;
        Step::ready(Ok(Flow::Proceed))
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        response: &'a mut Response,
    ) -> Step<'a, Result<(), Problem>> {
        self.response.apply(response.headers_mut(), exchange);
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
        Self {
            remove: config.remove.iter().filter_map(name).collect(),
            set: values(&config.set),
            append: values(&config.append),
        }
    }

    fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.append.is_empty()
    }

    fn apply(&self, fields: &mut HeaderMap, exchange: &Exchange) {
        for name in &self.remove {
            fields.remove(name);
        }
        for (name, value) in &self.set {
            match value.of(exchange) {
                Some(value) => fields.insert(name, value),
                // What a client sent under this name must not look as if the gateway had said it.
                None => fields.remove(name),
            };
        }
        for (name, value) in &self.append {
            if let Some(value) = value.of(exchange) {
                fields.append(name, value);
            }
        }
    }
}

impl Text {
    fn new(template: &ValueTemplate) -> Self {
        let fixed = match template.0.as_slice() {
            [] => Some(HeaderValue::from_static("")),
            [TemplatePart::Text(text)] => HeaderValue::from_str(text).ok(),
            _ => None,
        };
        fixed.map_or_else(|| Self::Made(template.clone()), Self::Fixed)
    }

    /// The value for an exchange; none where something of it is absent, or cannot be in a header field.
    fn of(&self, exchange: &Exchange) -> Option<HeaderValue> {
        match self {
            Self::Fixed(value) => Some(value.clone()),
            Self::Made(template) => HeaderValue::from_str(&render(template, exchange)?).ok(),
        }
    }
}
