//! `correlation-id`: a name for a request that client, access log and upstream share.

use std::sync::Arc;

use gatewright_config::{AcceptIds, CorrelationIdConfig, GenerateIds};
use gatewright_core::{Exchange, Flow, Problem, Response, Stage, Step, Value};
use http::header::{HeaderName, HeaderValue};
use uuid::Uuid;

/// The attribute with the id.
const ATTRIBUTE: &str = "correlation.id";
/// The longest id that is taken over.
const MOST_BYTES: usize = 128;

/// Names requests.
pub struct CorrelationId {
    config: CorrelationIdConfig,
    header: HeaderName,
}

impl Stage for CorrelationId {
    fn name(&self) -> &str {
        "correlation-id"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        let id = self.sent(exchange).unwrap_or_else(|| self.made(exchange));
        if let Ok(value) = HeaderValue::try_from(&id) {
            exchange.request.headers.insert(&self.header, value);
        }
        exchange.attributes.set(ATTRIBUTE, Value::Text(id.clone()));
        exchange.record.correlation_id = Some(Arc::from(id));
        Step::ready(Ok(Flow::Proceed))
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        response: &'a mut Response,
    ) -> Step<'a, Result<(), Problem>> {
        let id = exchange.record.correlation_id.as_deref();
        if let Some(value) = id.and_then(|id| HeaderValue::from_str(id).ok()) {
            response.headers_mut().insert(&self.header, value);
        }
        Step::ready(Ok(()))
    }

    fn sees_responses(&self) -> bool {
        self.config.echo
    }
}

impl CorrelationId {
    /// A stage with these settings.
    #[must_use]
    pub fn new(config: &CorrelationIdConfig) -> Self {
        let header = HeaderName::from_bytes(config.header.as_bytes());
        Self {
            config: config.clone(),
            // The configuration has checked the name.
            header: header.unwrap_or(HeaderName::from_static("x-correlation-id")),
        }
    }

    /// The id that the client sent, if it may and it is one.
    fn sent(&self, exchange: &Exchange) -> Option<String> {
        let accepts = match self.config.accept {
            AcceptIds::Any => true,
            AcceptIds::Trusted => exchange.client.trusted,
            AcceptIds::None => false,
        };
        let mut values = exchange.request.headers.get_all(&self.header).iter();
        let value = values.next().filter(|_| accepts && values.next().is_none())?;
        value.to_str().ok().filter(|id| is_well_formed(id)).map(str::to_owned)
    }

    fn made(&self, exchange: &Exchange) -> String {
        match self.config.generate {
            GenerateIds::Uuid7 => Uuid::now_v7().to_string(),
            GenerateIds::Uuid4 => Uuid::new_v4().to_string(),
            GenerateIds::RequestId => exchange.id.to_string(),
        }
    }
}

/// Whether it can stand in logs and header fields of others without being taken for anything else.
fn is_well_formed(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@~".contains(&byte);
    (1..=MOST_BYTES).contains(&id.len()) && id.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_and_plain() {
        for id in [
            "a",
            "0195c4f2-7d7a-7c9e-8a53-1f0d7b1f2f11",
            "Root=1-67891233-abcdef",
            &"x".repeat(128),
        ] {
            assert!(is_well_formed(id), "{id}");
        }
        for id in ["", "a b", "a,b", "<script>", "a\"", "é", &"x".repeat(129)] {
            assert!(!is_well_formed(id), "{id}");
        }
    }
}
