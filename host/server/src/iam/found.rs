//! Values of a request under the key of a condition: those that the client has sent, and those that have been found out
//! about it.

use std::borrow::Cow;
use std::time::SystemTime;

use gatewright_core::{Exchange, Value};
use http::header::{self, HeaderMap};
use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

/// The values of a request under a key.
pub(super) struct Found {
    pub(super) values: Vec<One>,
    /// The values are all there are. Otherwise that there are none says nothing: nobody has found out.
    pub(super) is_whole: bool,
}

/// One value.
pub(super) struct One {
    pub(super) text: String,
    /// The text is what the client, or who vouches for it, has said, digit by digit.
    pub(super) is_exact: bool,
}

impl Found {
    /// Sent by the client: there is nothing more to be known of it.
    fn sent(texts: impl IntoIterator<Item = String>) -> Self {
        Self {
            values: texts.into_iter().map(One::exact).collect(),
            is_whole: true,
        }
    }

    /// Known to the gateway of the client, if it knows anything.
    fn known(value: Option<String>) -> Self {
        Self {
            is_whole: value.is_some(),
            ..Self::sent(value)
        }
    }
}

impl One {
    fn exact(text: String) -> Self {
        Self { text, is_exact: true }
    }

    /// A number of which only the first sixteen digits are known.
    fn number(number: f64, text: String) -> Self {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        Self {
            text,
            is_exact: number.abs() < EXACT,
        }
    }

    fn json(json: &Json) -> Self {
        match json {
            Json::String(text) => Self::exact(text.clone()),
            Json::Number(number) if number.is_f64() => {
                Self::number(number.as_f64().unwrap_or(f64::INFINITY), number.to_string())
            }
            other => Self::exact(other.to_string()),
        }
    }
}

/// The values of a request under that key.
pub(super) fn found(key: &str, exchange: &Exchange) -> Found {
    let headers = &exchange.request.headers;
    let seconds = || {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or_default().as_secs().to_string()
    };
    match key.to_ascii_lowercase().as_str() {
        "aws:sourceip" => Found::known(exchange.client.address.known().map(|address| address.to_string())),
        "aws:securetransport" => Found::sent([exchange.request.secure.to_string()]),
        "aws:currenttime" | "aws:epochtime" => Found::sent([seconds()]),
        "aws:useragent" => Found::sent(of_field(headers, header::USER_AGENT.as_str())),
        "aws:referer" => Found::sent(of_field(headers, header::REFERER.as_str())),
        _ => match key.split_once(':') {
            Some(("header", name)) => Found::sent(of_field(headers, name)),
            Some(("query", name)) => Found::sent(of_query(exchange.request.query().unwrap_or_default(), name)),
            Some(("path", name)) => Found::known(exchange.parameters.decoded(name).map(Cow::into_owned)),
            Some(("auth", name)) => of_attribute(exchange.attributes.get(&format!("auth.{name}")).as_deref(), name),
            // A policy that an authorizer has answered may ask for what only AWS knows.
            _ => Found::known(None),
        },
    }
}

/// Values that have been found out about the client. Where there is nothing, the client has not proved it: that is no value, and
/// not the value "none".
fn of_attribute(value: Option<&Value>, name: &str) -> Found {
    let values = match value {
        None => return Found::known(None),
        // The lists among the attributes that are written as texts.
        Some(Value::Text(text)) if matches!(name, "scopes" | "usage_plans") => text
            .split_ascii_whitespace()
            .map(|one| One::exact(one.to_owned()))
            .collect(),
        Some(Value::Json(text)) => match serde_json::from_str(text) {
            Ok(Json::Array(list)) => list.iter().map(One::json).collect(),
            Ok(other) => vec![One::json(&other)],
            Err(_) => return Found::known(None),
        },
        Some(Value::Number(number)) => vec![One::number(*number, number.to_string())],
        Some(other) => vec![One::exact(other.to_string())],
    };
    Found { values, is_whole: true }
}

fn of_field(headers: &HeaderMap, name: &str) -> Vec<String> {
    let values = headers.get_all(name).iter();
    values
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect()
}

/// The parameter's values, and each with `+` in it a second time with spaces, as forms are read: which of both the upstream
/// reads is not known here.
fn of_query(query: &str, name: &str) -> Vec<String> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut values = Vec::new();
    for (key, value) in pairs {
        let as_form = key.replace('+', " ");
        if decoded(key) != name && decoded(&as_form) != name {
            continue;
        }
        values.push(decoded(value));
        if value.contains('+') {
            values.push(decoded(&value.replace('+', " ")));
        }
    }
    values
}
