//! What was expected and what came: every difference, each small enough to be read.

mod decision;
mod services;

use std::fmt::Display;

use gatewright_config::cases::{
    CaseFailure, Decision, Expectation, ExpectedBody, ExpectedRequest, FaultKind, FieldExpectation,
};
use gatewright_core::{Attributes, Value};
use http::{HeaderMap, HeaderName};
use serde::Serialize;
use serde_json::Value as Json;

use super::observe::{Broken, Observed, Reply};
use super::script::Script;

/// Differences of one case that are shown.
const MOST: usize = 20;
/// Bytes of a text that are shown.
const TEXT: usize = 400;
/// Bytes of a body that are shown as hexadecimal digits.
const HEX: usize = 64;

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// The key of `expect`, and where in it.
    pub(crate) what: String,
    /// As the case has it.
    pub(crate) expected: String,
    /// As it is.
    pub(crate) got: String,
}

/// Compares.
pub(crate) async fn compare(expect: &Expectation, observed: &Observed, script: &Script) -> Vec<Difference> {
    let mut differences = Differences(Vec::new());
    match (&expect.failure, &observed.failure) {
        (None, None) => {
            differences.outcome(expect, observed);
            decision::compare(&mut differences, expect, script.decided().as_ref());
        }
        (expected, got) => differences.failure(*expected, got.as_ref(), expect, observed),
    }
    services::compare(&mut differences, expect, script).await;
    differences.0.truncate(MOST);
    differences.0
}

struct Differences(Vec<Difference>);

impl Differences {
    fn add(&mut self, what: impl Into<String>, expected: impl Display, got: impl Display) {
        self.0.push(Difference {
            what: what.into(),
            expected: expected.to_string(),
            got: got.to_string(),
        });
    }

    fn failure(
        &mut self,
        expected: Option<CaseFailure>,
        got: Option<&Broken>,
        expect: &Expectation,
        observed: &Observed,
    ) {
        let name = |kind: Option<CaseFailure>| kind.map_or("another failure", failure_name);
        let Some(got) = got else {
            return self.add("failure", name(expected), format_args!("none: {}", summary(observed)));
        };
        if expected.is_none() || expected != got.kind {
            let wanted = expected.map_or("none", failure_name);
            return self.add("failure", wanted, format_args!("{}: {}", name(got.kind), got.message));
        }
        if let Some(at) = expect
            .at
            .as_ref()
            .filter(|at| got.faults.iter().all(|fault| fault.at != **at))
        {
            let places: Vec<_> = got.faults.iter().map(|fault| format!("{:?}", fault.at)).collect();
            self.add(
                "at",
                format_args!("{at:?}"),
                format_args!("{} ({})", places.join(", "), got.message),
            );
        }
        // In the words in which the gateway tells a fault.
        if let Some(fault) = expect.fault.map(fault_name)
            && !got.message.contains(&format!("it reported `{fault}`"))
        {
            self.add("fault", fault, &got.message);
        }
        if let Some(message) = expect
            .message
            .as_ref()
            .filter(|message| !got.message.contains(*message))
        {
            self.add("message", format_args!("… {message} …"), &got.message);
        }
    }

    fn outcome(&mut self, expect: &Expectation, observed: &Observed) {
        let name = |decision: Option<Decision>| decision.map_or("none", decision_name);
        if expect.decision.is_some() && expect.decision != observed.decision {
            let got = format!("{}: {}", name(observed.decision), summary(observed));
            return self.add("decision", name(expect.decision), got);
        }
        let attribute = |name: &str| observed.attributes.get(name).map(|value| json(&value));
        for (key, expected) in [("principal", &expect.principal), ("usage_key", &expect.usage_key)] {
            if let Some(expected) = expected {
                let got = attribute(&format!("auth.{key}"));
                self.value(key, &Json::from(expected.as_str()), got.as_ref());
            }
        }
        if let Some(scopes) = &expect.scopes {
            self.value(
                "scopes",
                &Json::from(scopes.join(" ")),
                attribute("auth.scopes").as_ref(),
            );
        }
        for (name, expected) in &expect.context {
            let got = attribute(&format!("auth.{name}"));
            self.value(&format!("context.{name}"), expected, got.as_ref());
        }
        if let Some(reason) = &expect.reason {
            let got = observed.reason.as_deref().unwrap_or("none");
            if !got.contains(reason.as_str()) {
                self.add("reason", format_args!("… {reason} …"), got);
            }
        }
        if expect.wants_response() {
            match &observed.response {
                None => self.add("response", "one", summary(observed)),
                Some(reply) => self.response(expect, reply),
            }
        }
        if let Some(request) = &expect.request {
            self.request(request, observed);
        }
        self.attributes(expect, &observed.attributes);
    }

    fn response(&mut self, expect: &Expectation, reply: &Reply) {
        if let Some(status) = expect.status.filter(|status| *status != reply.status.as_u16()) {
            let got = format!("{} {}", reply.status.as_u16(), shown(&reply.body));
            self.add("status", status, got.trim_end());
        }
        self.fields("headers", &expect.headers, &reply.headers);
        self.body("", expect.body.as_ref(), &reply.body);
    }

    fn request(&mut self, expect: &ExpectedRequest, observed: &Observed) {
        let Some((request, body)) = &observed.request else {
            return self.add("request", "it goes on", summary(observed));
        };
        let ExpectedRequest {
            method,
            path,
            host,
            headers,
            body: expected_body,
        } = expect;
        let authority = String::from_utf8_lossy(request.authority.as_bytes());
        let texts = [
            ("request.method", method, request.method.as_str()),
            ("request.path", path, request.target.as_str()),
            ("request.host", host, &authority),
        ];
        for (what, expected, got) in texts {
            if let Some(expected) = expected.as_ref().filter(|expected| *expected != got) {
                self.add(what, expected, got);
            }
        }
        self.fields("request.headers", headers, &request.headers);
        self.body("request.", expected_body.as_ref(), body);
    }

    fn fields(&mut self, what: &str, expected: &[(HeaderName, FieldExpectation)], got: &HeaderMap) {
        for (name, expected) in expected {
            let values: Vec<_> = got
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect();
            let (as_expected, wanted) = match expected {
                FieldExpectation::Present => (!values.is_empty(), "any value".to_owned()),
                FieldExpectation::Absent => (values.is_empty(), "none".to_owned()),
                FieldExpectation::Values(wanted) => (*wanted == values, list(wanted)),
            };
            if !as_expected {
                self.add(format!("{what}.{name}"), wanted, list(&values));
            }
        }
    }

    fn body(&mut self, prefix: &str, expected: Option<&ExpectedBody>, got: &[u8]) {
        match expected {
            None => {}
            Some(ExpectedBody::Text(expected)) if expected.as_bytes() == got => {}
            Some(ExpectedBody::Text(expected)) => self.text(&format!("{prefix}body"), expected, got),
            Some(ExpectedBody::Bytes(expected)) if expected == got => {}
            Some(ExpectedBody::Bytes(expected)) => self.add(format!("{prefix}hex"), hex(expected), hex(got)),
            Some(ExpectedBody::Json(expected)) => match serde_json::from_slice::<Json>(got) {
                Ok(got) => self.json(&format!("{prefix}json"), expected, &got),
                Err(error) => {
                    let got = format!("not JSON ({error}): {}", shown(got));
                    self.add(format!("{prefix}json"), expected, got);
                }
            },
        }
    }

    /// The first line that differs, of texts with several.
    fn text(&mut self, what: &str, expected: &str, got: &[u8]) {
        let Ok(text) = str::from_utf8(got) else {
            return self.add(what, shown(expected.as_bytes()), shown(got));
        };
        let mut lines = (1..).zip(
            expected
                .lines()
                .map(Some)
                .chain(std::iter::repeat(None))
                .zip(text.lines().map(Some).chain(std::iter::repeat(None))),
        );
        let longest = expected.lines().count().max(text.lines().count());
        match lines
            .by_ref()
            .take(longest)
            .find(|(_, (expected, got))| expected != got)
        {
            Some((line, (expected, got))) if longest > 1 => {
                let end = |line: Option<&str>| line.map_or_else(|| "the end".to_owned(), |line| shown(line.as_bytes()));
                self.add(format!("{what}, line {line}"), end(expected), end(got));
            }
            _ => self.add(what, shown(expected.as_bytes()), shown(got)),
        }
    }

    /// Every place where two values differ.
    fn json(&mut self, at: &str, expected: &Json, got: &Json) {
        if self.0.len() > MOST {
            return;
        }
        match (expected, got) {
            (Json::Object(expected), Json::Object(got)) => {
                for (key, value) in expected {
                    match got.get(key) {
                        Some(got) => self.json(&format!("{at}/{key}"), value, got),
                        None => self.add(format!("{at}/{key}"), value, "none"),
                    }
                }
                for (key, value) in got.iter().filter(|(key, _)| !expected.contains_key(*key)) {
                    self.add(format!("{at}/{key}"), "none", value);
                }
            }
            (Json::Array(expected), Json::Array(got)) if expected.len() == got.len() => {
                for (index, (expected, got)) in expected.iter().zip(got).enumerate() {
                    self.json(&format!("{at}/{index}"), expected, got);
                }
            }
            (expected, got) if same(expected, got) => {}
            (expected, got) => self.add(at, expected, got),
        }
    }

    fn value(&mut self, what: &str, expected: &Json, got: Option<&Json>) {
        match got {
            Some(got) => self.json(what, expected, got),
            None => self.add(what, expected, "none"),
        }
    }

    fn attributes(&mut self, expect: &Expectation, got: &Attributes) {
        for (name, expected) in &expect.attributes {
            let value = got.get(name).map(|value| json(&value));
            self.value(&format!("attributes.{name}"), expected, value.as_ref());
        }
    }
}

/// Numbers are the same when they are worth the same.
fn same(expected: &Json, got: &Json) -> bool {
    expected == got
        || matches!((expected.as_f64(), got.as_f64()), (Some(a), Some(b)) if (a - b).abs() < f64::EPSILON * a.abs())
}

fn json(value: &Value) -> Json {
    match value {
        Value::Text(text) => Json::from(text.as_str()),
        Value::Number(number) => Json::from(*number),
        Value::Integer(integer) => Json::from(*integer),
        Value::Truth(truth) => Json::from(*truth),
        Value::Bytes(_) => Json::from(value.to_string()),
        Value::Json(text) => serde_json::from_str(text).unwrap_or_default(),
    }
}

/// What came, in a few words.
fn summary(observed: &Observed) -> String {
    match (&observed.failure, &observed.response) {
        (Some(failure), _) => failure.message.clone(),
        (None, Some(reply)) => {
            let reason = observed.reason.as_ref().map(|reason| format!(" ({reason})"));
            format!("a response {}{}", reply.status.as_u16(), reason.unwrap_or_default())
        }
        (None, None) => "the request goes on".to_owned(),
    }
}

fn list(values: &[String]) -> String {
    match values {
        [] => "none".to_owned(),
        [value] => value.clone(),
        values => format!("{values:?}"),
    }
}

/// The first bytes.
fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().take(HEX).map(|byte| format!("{byte:02x}")).collect();
    match bytes.len() {
        0 => "nothing".to_owned(),
        1..=HEX => digits,
        length => format!("{digits}… ({length} bytes)"),
    }
}

const fn fault_name(fault: FaultKind) -> &'static str {
    match fault {
        FaultKind::Unavailable => "unavailable",
        FaultKind::Misconfigured => "misconfigured",
        FaultKind::BadInput => "bad-input",
        FaultKind::Internal => "internal",
    }
}

/// Text as it is, anything else as a number of bytes.
fn shown(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok("") => "nothing".to_owned(),
        Ok(text) if text.len() <= TEXT => text.to_owned(),
        Ok(text) => {
            let cut: String = text.chars().take(TEXT).collect();
            format!("{cut}… ({} bytes)", text.len())
        }
        Err(_) => format!("{} bytes that are no text", bytes.len()),
    }
}

pub(crate) const fn failure_name(kind: CaseFailure) -> &'static str {
    match kind {
        CaseFailure::Fault => "fault",
        CaseFailure::Trap => "trap",
        CaseFailure::Timeout => "timeout",
        CaseFailure::Output => "output",
        CaseFailure::Body => "body",
        CaseFailure::Config => "config",
    }
}

const fn decision_name(decision: Decision) -> &'static str {
    match decision {
        Decision::Allow => "allow",
        Decision::Deny => "deny",
        Decision::Abstain => "abstain",
    }
}
