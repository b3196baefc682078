//! What the access log asks for beside what every record knows: the query, header fields, attributes.
//!
//! It is noted while the exchange is there, because the record outlives it. Whatever a client has sent is redacted by name:
//! what is in a log is read by more people than may act as the client.

use gatewright_config::names::{Named, Variable};
use gatewright_config::{GatewayConfig, LogField, LogValue};
use gatewright_core::{AccessRecord, Exchange};
use http::StatusCode;
use http::header::HeaderMap;

use crate::explain::redaction::Redaction;
use crate::integrations::template::{field, parameter, variable_of};

/// Stands for a value that is not shown.
const REDACTED: &str = "[redacted]";
/// What a generation notes of each exchange.
pub struct Noting {
    values: Vec<LogValue>,
    redaction: Redaction,
}

impl Noting {
    /// What these fields ask for; none where they ask for nothing.
    pub fn new(fields: &[LogField], config: &GatewayConfig) -> Option<Self> {
        let values = fields
            .iter()
            .map(|field| &field.value)
            .filter(|value| **value != LogValue::Record);
        let values: Vec<_> = values.cloned().collect();
        (!values.is_empty()).then(|| Self {
            values,
            redaction: Redaction::new(config, Vec::new()).hiding(config.access_log.redact.iter().cloned()),
        })
    }

    /// Notes what the client has sent, as it has sent it.
    pub fn begin(&self, record: &mut AccessRecord, headers: &HeaderMap) {
        let query = record.target.as_ref().and_then(|target| target.query());
        let noted = self.values.iter().map(|value| match value {
            LogValue::Query => query.map(|query| self.query(query)),
            LogValue::Header(name) => field(headers, name).map(|value| self.header(name, value)),
            LogValue::Named(Named::Variable(Variable::Query(name))) => {
                parameter(query?, name).map(|value| self.parameter(name, &value).to_owned())
            }
            LogValue::Named(_) | LogValue::Record => None,
        });
        let noted = noted.collect();
        record.noted = noted;
    }

    /// Notes what has been found out, and what the response is.
    pub fn end(&self, exchange: &mut Exchange, status: StatusCode) {
        for (place, value) in self.values.iter().enumerate() {
            let found = match value {
                LogValue::Named(Named::Variable(Variable::Query(_))) => continue,
                LogValue::Named(Named::Variable(variable)) => {
                    variable_of(variable, exchange, Some(status)).map(std::borrow::Cow::into_owned)
                }
                LogValue::Named(Named::Attribute(name)) => {
                    let value = exchange.attributes.get(name);
                    value.map(|value| match self.redaction.hides(name) {
                        true => REDACTED.to_owned(),
                        false => value.to_string(),
                    })
                }
                LogValue::Named(Named::Path(name)) => exchange.parameters.get(name).map(str::to_owned),
                LogValue::Query | LogValue::Header(_) | LogValue::Record => continue,
            };
            if let Some(noted) = exchange.record.noted.get_mut(place) {
                *noted = found;
            }
        }
    }

    fn header(&self, name: &str, value: String) -> String {
        if self.redaction.hides(name) {
            return REDACTED.to_owned();
        }
        // A URL, as in `Referer`, has a query of its own.
        match value.split_once('?') {
            Some((before, query)) => format!("{before}?{}", self.query(query)),
            None => value,
        }
    }

    fn query(&self, query: &str) -> String {
        self.redaction.query_with(query, |_| REDACTED.to_owned())
    }

    fn parameter<'v>(&self, name: &str, value: &'v str) -> &'v str {
        match self.redaction.hides_parameter(name, value) {
            true => REDACTED,
            false => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn noting() -> Noting {
        let text = "[listener.a]\naddress = \"127.0.0.1:0\"\n[access_log]\nfields = [\"query\"]\nredact = [\"Customer\"]\n\
                    [[route]]\nname = \"a\"\npath = \"/a\"\n\
                    chain = [{ use = \"api-key\", keys = \"keys.toml\", query = \"k\" }]\nintegration = { respond = 200 }\n";
        let config = gatewright_config::parse(text, Path::new("gateway.toml")).unwrap();
        Noting::new(&config.access_log.fields, &config).unwrap()
    }

    #[test]
    fn a_query_is_shown_without_the_values_of_names_that_are_secret() {
        let noting = noting();
        for (query, shown) in [
            ("a=1&b=2", "a=1&b=2"),
            ("access_token=x&a=1", "access_token=[redacted]&a=1"),
            ("a=1;token=x", "a=1;token=[redacted]"),
            ("acc%65ss_t%6fken=x", "acc%65ss_t%6fken=[redacted]"),
            (
                "X-Amz-Signature=x&X-Amz-Credential=y",
                "X-Amz-Signature=[redacted]&X-Amz-Credential=[redacted]",
            ),
            ("user[password]=x", "user[password]=[redacted]"),
            ("k=x", "k=[redacted]"),
            ("customer=x&CUSTOMER=y", "customer=[redacted]&CUSTOMER=[redacted]"),
            ("code=x&state=y", "code=[redacted]&state=[redacted]"),
            ("to=https%3A%2F%2Fa%2F%3Ftoken%3Dx", "to=[redacted]"),
            ("to=https://a/?token=x", "to=[redacted]"),
            ("to=https%253A%252F%252Fa%253Ftoken%253Dx", "to=[redacted]"),
            ("flag&&=x", "flag&&=x"),
        ] {
            assert_eq!(noting.query(query), shown, "{query}");
        }
    }

    #[test]
    fn a_referer_is_shown_without_the_secrets_of_its_query() {
        let shown = noting().header("referer", "https://a.example/b?token=x&c=1".to_owned());
        assert_eq!(shown, "https://a.example/b?token=[redacted]&c=1");
        assert_eq!(noting().header("cookie", "a=1".to_owned()), "[redacted]");
        assert_eq!(noting().header("customer", "1".to_owned()), "[redacted]");
    }
}
