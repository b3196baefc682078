//! `[access_log]`

use serde::Serialize;

use super::AccessLogOutput;
use crate::names::Named;
use crate::place::Place;

/// `[access_log]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccessLogConfig {
    /// Where records go.
    pub output: AccessLogOutput,
    /// Their fields, in this order.
    pub fields: Vec<LogField>,
    /// Names of query parameters and header fields whose values are not shown, in lower case, beside those that say so.
    pub redact: Vec<String>,
}

impl AccessLogConfig {
    /// Nothing is logged.
    #[must_use]
    pub fn off() -> Self {
        Self {
            output: AccessLogOutput::Off,
            fields: Vec::new(),
            redact: Vec::new(),
        }
    }
}

/// A field of an access record, and its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogField {
    /// As it is logged.
    pub name: String,
    /// What it says.
    pub value: LogValue,
    /// Where the configuration names it.
    #[serde(skip)]
    pub place: Place,
}

/// What a field of an access record says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum LogValue {
    /// What the record knows, by the field's name.
    Record,
    /// The request's query, as sent.
    Query,
    /// The request's header field of that name, as sent.
    Header(String),
    /// Something else of the exchange.
    Named(Named),
}

impl LogField {
    /// Fields of the record that every line has unless the configuration says otherwise, in their order.
    pub const STANDARD: [&'static str; 25] = [
        "time",
        "request_id",
        "correlation_id",
        "listener",
        "client",
        "method",
        "host",
        "path",
        "protocol",
        "route",
        "status",
        "outcome",
        "answered_by",
        "error",
        "cause",
        "cache",
        "principal",
        "api_key",
        "limit_remaining",
        "waf",
        "upstream",
        "upstream_ms",
        "duration_ms",
        "request_bytes",
        "response_bytes",
    ];
    /// Fields that a line has where the configuration asks for them.
    pub const MORE: [&'static str; 6] = [
        "query",
        "referer",
        "tls",
        "upstream_status",
        "upstream_tries",
        "user_agent",
    ];

    /// All standard fields.
    pub fn standard() -> impl Iterator<Item = Self> {
        Self::STANDARD.into_iter().map(|name| Self {
            name: name.to_owned(),
            value: LogValue::Record,
            place: Place::nowhere(),
        })
    }
}
