//! What a Lambda authorizer answers: a policy, yes or no, or an error ("Output from an API Gateway Lambda authorizer").

use bytes::Bytes;
use gatewright_config::AuthorizerEvent;
use gatewright_core::Value;
use serde_json::{Map, Value as Json};

use crate::iam::Document;
use crate::json::{self, Inexact};

/// The header field in which the Invoke API says that a function failed.
const FUNCTION_ERROR: &str = "x-amz-function-error";
/// Texts of a context.
const MOST_CONTEXT: usize = 64;
const LONGEST_NAME: usize = 64;
/// How deep an answer may be nested.
const DEPTH: usize = 128;

/// What came back.
#[derive(Debug)]
pub(super) enum Answer {
    /// A decision.
    Decision(Decision),
    /// The error `Unauthorized`, by which an authorizer asks for other credentials.
    Unauthorized,
}

/// Who may do what.
#[derive(Debug)]
pub(super) struct Decision {
    /// What may be done; none where the answer is yes or no.
    pub(super) policy: Option<Document>,
    /// Yes, where there is no policy.
    pub(super) is_authorized: bool,
    pub(super) principal: Option<String>,
    /// Attributes with their full names.
    pub(super) context: Vec<(String, Value)>,
    pub(super) usage_key: Option<String>,
    bytes: usize,
}

impl Decision {
    /// About how many bytes it keeps.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Reads an answer.
///
/// # Errors
/// Why it is none.
pub(super) fn read(response: &http::Response<Bytes>, event: AuthorizerEvent) -> Result<Answer, String> {
    if !response.status().is_success() {
        return Err(format!("it answers {}", response.status()));
    }
    let json = json::read(response.body(), DEPTH, Inexact::Refused).map_err(|error| format!("its answer: {error}"))?;
    let json = json.as_object().ok_or("its answer is not an object")?;
    let failed = response.headers().contains_key(FUNCTION_ERROR);
    match json.get("errorMessage").and_then(Json::as_str) {
        Some("Unauthorized") => return Ok(Answer::Unauthorized),
        Some(message) => return Err(format!("it failed: {}", shortened(message))),
        None if failed => return Err("it failed".to_owned()),
        None => {}
    }
    decision(json, event, response.body().len()).map(Answer::Decision)
}

fn decision(json: &Map<String, Json>, event: AuthorizerEvent, length: usize) -> Result<Decision, String> {
    let text = |key: &str| match json.get(key) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(format!("its `{key}` is not text")),
    };
    let (policy, is_authorized) = match (json.get("policyDocument"), json.get("isAuthorized")) {
        (Some(policy), None) => (
            Some(Document::parse(policy).map_err(|reason| format!("its policy: {reason}"))?),
            false,
        ),
        (None, Some(Json::Bool(is_authorized))) if event == AuthorizerEvent::Request2 => (None, *is_authorized),
        (None, Some(_)) if event == AuthorizerEvent::Request2 => {
            return Err("its `isAuthorized` is not true or false".to_owned());
        }
        (None, Some(_)) => return Err("`isAuthorized` is for the event `request-2.0`".to_owned()),
        _ => return Err("it has neither a policyDocument nor isAuthorized, or both".to_owned()),
    };
    let principal = text("principalId")?;
    if policy.is_some() && principal.is_none() {
        return Err("it has no principalId".to_owned());
    }
    Ok(Decision {
        policy,
        is_authorized,
        principal,
        context: context(json.get("context"), event)?,
        usage_key: text("usageIdentifierKey")?,
        bytes: length * 2 + 256,
    })
}

/// Texts, numbers and truth values; lists and maps with the event 2.0 only.
fn context(json: Option<&Json>, event: AuthorizerEvent) -> Result<Vec<(String, Value)>, String> {
    let entries = match json {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(Json::Object(entries)) => entries,
        Some(_) => return Err("its context is not a map".to_owned()),
    };
    if entries.len() > MOST_CONTEXT {
        return Err(format!("its context has more than {MOST_CONTEXT} entries"));
    }
    let mut context = Vec::with_capacity(entries.len());
    for (name, value) in entries {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_name) {
            return Err("its context has a name that is not 1 to 64 letters, digits, `-` and `_`".to_owned());
        }
        let value = match value {
            Json::Null => continue,
            Json::String(text) => Value::Text(text.clone()),
            Json::Bool(_) | Json::Number(_) => Value::Text(value.to_string()),
            Json::Array(_) | Json::Object(_) if event == AuthorizerEvent::Request2 => Value::Json(value.to_string()),
            Json::Array(_) | Json::Object(_) => return Err(format!("`{name}` of its context is a list or a map")),
        };
        context.push((format!("auth.{name}"), value));
    }
    Ok(context)
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_as(body: &Json, event: AuthorizerEvent) -> Result<Answer, String> {
        read(&http::Response::new(Bytes::from(body.to_string())), event)
    }

    fn policy() -> Json {
        json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*" } })
    }

    #[test]
    fn a_policy_needs_a_principal_and_its_context_is_flat() {
        let good = json!({ "principalId": "u", "policyDocument": policy(), "usageIdentifierKey": "k",
                           "context": { "tenant": "blue", "level": 3, "admin": false, "none": null } });
        let Answer::Decision(decision) = read_as(&good, AuthorizerEvent::Token).unwrap() else {
            panic!("a decision")
        };
        assert_eq!(
            (decision.principal.as_deref(), decision.usage_key.as_deref()),
            (Some("u"), Some("k"))
        );
        let mut texts: Vec<_> = decision
            .context
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        texts.sort_unstable();
        assert_eq!(texts, ["auth.admin=false", "auth.level=3", "auth.tenant=blue"]);
        for wrong in [
            json!({ "policyDocument": policy() }),
            json!({ "principalId": 1, "policyDocument": policy() }),
            json!({ "principalId": "u" }),
            json!({ "principalId": "u", "policyDocument": {} }),
            json!({ "principalId": "u", "policyDocument": policy(), "context": { "list": [] } }),
            json!({ "principalId": "u", "policyDocument": policy(), "context": { "a b": "" } }),
            json!({ "principalId": "u", "policyDocument": policy(), "isAuthorized": true }),
            json!([]),
        ] {
            assert!(read_as(&wrong, AuthorizerEvent::Token).is_err(), "{wrong}");
        }
    }

    #[test]
    fn yes_is_true_and_nothing_else() {
        let is_authorized = |value: Json| match read_as(&json!({ "isAuthorized": value }), AuthorizerEvent::Request2) {
            Ok(Answer::Decision(decision)) => Some(decision.is_authorized),
            _ => None,
        };
        assert_eq!(is_authorized(json!(true)), Some(true));
        assert_eq!(is_authorized(json!(false)), Some(false));
        for other in [json!("true"), json!("false"), json!(1), json!(null)] {
            assert_eq!(is_authorized(other.clone()), None, "{other}");
        }
        assert!(read_as(&json!({ "isAuthorized": true }), AuthorizerEvent::Request1).is_err());
    }

    #[test]
    fn an_error_is_unauthorized_or_a_failure() {
        let error = |message: &str| read_as(&json!({ "errorMessage": message }), AuthorizerEvent::Token);
        assert!(matches!(error("Unauthorized"), Ok(Answer::Unauthorized)));
        assert!(error("unauthorized").is_err());
        assert!(error("Task timed out").is_err());
    }
}
