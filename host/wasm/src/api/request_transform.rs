//! The hook `request-transform`: changes a request, or answers it.

use std::time::Duration;

use bytes::Bytes;
use gatewright_core::Value;
use gatewright_core::path::Encodings;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Method};

use super::allowance::Allowance;
use super::answer::{self, Answer};
use super::attributes;
use super::bindings::exports::gatewright::plugin::request_transform as wit;
use super::fields::{self, Edit, Message};
use super::function;
use super::lowering::{Lowered, Made, Shown, View};
use super::types::Fault;
use super::{Hook, Needs};
use crate::failure::{Failure, OutputError};
use crate::instance::Instance;
use crate::kind::PluginKind;
use crate::recording::Inputs;

/// Longest path and query that a plugin makes.
const TARGET_BYTES: usize = 16 << 10;

/// `transform-request`.
pub(super) type Function =
    function::Function<(&'static wit::RequestInput<'static>,), (Result<wit::RequestOutcome, Fault>,)>;

/// One request to be changed.
pub(crate) struct TransformRequest<'a> {
    pub(crate) view: View<'a>,
    pub(crate) needs: &'a Needs,
    pub(crate) body: Option<&'a [u8]>,
}

/// What becomes of it.
pub(crate) enum RequestOutcome {
    /// It goes on, changed.
    Proceed(Box<RequestEdits>),
    /// It is answered.
    Respond(Answer),
}

/// Checked changes.
#[derive(Debug, Default)]
pub(crate) struct RequestEdits {
    pub(crate) method: Option<Method>,
    /// Path and query together, if one of them changes.
    pub(crate) target: Option<PathAndQuery>,
    /// As sent, and the host of it in normal form.
    pub(crate) authority: Option<(HeaderValue, String)>,
    pub(crate) fields: Vec<Edit>,
    pub(crate) body: Option<Bytes>,
    /// With their full names.
    pub(crate) attributes: Vec<(String, Value)>,
}

impl Hook for TransformRequest<'_> {
    const KIND: PluginKind = PluginKind::RequestTransform;
    type Output = RequestOutcome;

    async fn call(&self, instance: &mut Instance, budget: Duration) -> Result<RequestOutcome, Failure> {
        let made = Made::of(&self.view, self.needs);
        let lowered = Lowered::of(self.view, Shown::All, &made, self.needs);
        let transform = instance.function(|exports| exports.request_transform.as_ref())?;
        let input = wit::RequestInput {
            exchange: lowered.exchange(budget),
            request: lowered.head(),
            body: self.body,
        };
        let (outcome,) = transform
            .call_async(&mut instance.store, (&input,))
            .await
            .map_err(|error| instance.explained(error))?;
        let caller = &instance.store.data().caller;
        let mut allowance = Allowance::new(caller.limits.output_bytes);
        Ok(match outcome? {
            wit::RequestOutcome::Respond(response) => {
                RequestOutcome::Respond(answer::checked(response, &mut allowance)?)
            }
            wit::RequestOutcome::Proceed(edits) => {
                let request = self.view.request;
                let (current, is_read) = ((&request.target, request.encodings), self.body.is_some());
                let edits = checked(edits, current, is_read, &caller.name, &mut allowance)?;
                RequestOutcome::Proceed(Box::new(edits))
            }
        })
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            view: self.view,
            identity: &[],
            body: self.body,
            response: None,
        }
    }
}

fn checked(
    edits: wit::RequestEdits,
    current: (&PathAndQuery, Encodings),
    buffered: bool,
    plugin: &str,
    allowance: &mut Allowance,
) -> Result<RequestEdits, OutputError> {
    let wit::RequestEdits {
        method,
        path,
        query,
        authority,
        fields,
        body,
        attributes,
    } = edits;
    Ok(RequestEdits {
        method: replaced("method", method)?
            .map(|text| self::method(&text))
            .transpose()?,
        target: target(path, query, current, allowance)?,
        authority: replaced("authority", authority)?
            .map(|text| self::authority(&text))
            .transpose()?,
        fields: fields::edits(fields, Message::Request, allowance)?,
        body: self::body(body, buffered, allowance)?,
        attributes: attributes::checked(attributes, &format!("plugin.{plugin}."), allowance)?,
    })
}

/// The new text of what cannot be absent.
fn replaced(what: &str, edit: wit::TextEdit) -> Result<Option<String>, OutputError> {
    match edit {
        wit::TextEdit::Keep => Ok(None),
        wit::TextEdit::Set(text) => Ok(Some(text)),
        wit::TextEdit::Clear => Err(OutputError::invalid(format!("`{what}` cannot be cleared"))),
    }
}

fn method(text: &str) -> Result<Method, OutputError> {
    Method::from_bytes(text.as_bytes())
        .ok()
        .filter(|method| method != Method::CONNECT && method != Method::TRACE)
        .ok_or_else(|| OutputError::invalid("`method` is not a method a plugin may set"))
}

fn target(
    path: wit::TextEdit,
    query: wit::TextEdit,
    (current, encodings): (&PathAndQuery, Encodings),
    allowance: &mut Allowance,
) -> Result<Option<PathAndQuery>, OutputError> {
    if matches!((&path, &query), (wit::TextEdit::Keep, wit::TextEdit::Keep)) {
        return Ok(None);
    }
    let path = match replaced("path", path)? {
        Some(path) => self::path(&path, encodings)?,
        None => current.path().to_owned(),
    };
    let query = match query {
        wit::TextEdit::Keep => current.query().map(str::to_owned),
        wit::TextEdit::Clear => None,
        wit::TextEdit::Set(query) if is_query(&query) => Some(query),
        wit::TextEdit::Set(_) => return Err(OutputError::invalid("`query` has characters no query has")),
    };
    let target = query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
    allowance.bytes("path and query", target.len())?;
    if target.len() > TARGET_BYTES {
        return Err(OutputError::too_large(format!(
            "`path` and `query` have more than {TARGET_BYTES} bytes"
        )));
    }
    let target = PathAndQuery::try_from(target).map_err(|_| OutputError::invalid("`path` or `query` is not one"))?;
    Ok(Some(target))
}

/// An absolute path that stays one: `//host` would be another authority for some upstreams.
fn path(path: &str, encodings: Encodings) -> Result<String, OutputError> {
    let wrong = || OutputError::invalid("`path` is not an absolute path");
    let printable = path
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'\\'));
    if !path.starts_with('/') || path.starts_with("//") || !printable {
        return Err(wrong());
    }
    let normal = encodings.kept().normalise(path).map_err(|_| wrong())?;
    if normal.starts_with('/') && !normal.starts_with("//") {
        Ok(normal.into_owned())
    } else {
        Err(wrong())
    }
}

fn is_query(query: &str) -> bool {
    query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

fn authority(text: &str) -> Result<(HeaderValue, String), OutputError> {
    let wrong = || OutputError::invalid("`authority` is not a host and an optional port");
    let authority = Authority::try_from(text).map_err(|_| wrong())?;
    let port = text.strip_prefix(authority.host()).unwrap_or(text);
    let has_port = port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    if authority.host().is_empty() || !(port.is_empty() || has_port) {
        return Err(wrong());
    }
    Ok((
        HeaderValue::from_str(text).map_err(|_| wrong())?,
        authority.host().to_ascii_lowercase(),
    ))
}

/// The new body; only a plugin that was given the body may change it.
pub(super) fn body(
    edit: wit::BodyEdit,
    buffered: bool,
    allowance: &mut Allowance,
) -> Result<Option<Bytes>, OutputError> {
    let body = match edit {
        wit::BodyEdit::Keep => return Ok(None),
        wit::BodyEdit::Replace(body) => Bytes::from(body),
        wit::BodyEdit::Clear => Bytes::new(),
    };
    if !buffered {
        return Err(OutputError::invalid(
            "`body` is changed, and the plugin was not given it: `needs` does not ask for it `buffered`, or a rule kept it away",
        ));
    }
    allowance.bytes("body", body.len())?;
    Ok(Some(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(path: &str) -> Result<String, OutputError> {
        super::path(path, Encodings::default())
    }

    #[test]
    fn no_path_leads_to_another_host_or_out_of_the_path() {
        for path in [
            "",
            "a",
            "//evil",
            "http://169.254.169.254/",
            "/a b",
            "/a?b",
            "/a#b",
            "/a\r\nb",
            "/\\evil",
            "*",
            "/ü",
            "/\0",
        ] {
            assert!(edited(path).is_err(), "{path:?}");
        }
        assert_eq!(edited("/a/b").unwrap(), "/a/b");
    }

    #[test]
    fn methods_that_open_tunnels_or_echo_are_refused() {
        for text in ["CONNECT", "TRACE", "", "G T", "GET\r\n"] {
            assert!(method(text).is_err(), "{text:?}");
        }
        assert_eq!(method("PATCH").unwrap(), Method::PATCH);
    }

    #[test]
    fn an_authority_is_a_host_and_perhaps_a_port() {
        assert_eq!(authority("Users.Example:8080").unwrap().1, "users.example");
        assert_eq!(authority("[::1]:80").unwrap().1, "[::1]");
        for text in ["", "a@b", "a/b", "a:b", "a:99999", "a b", "a\r\nb", ":80", "a:"] {
            assert!(authority(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn query_edits_keep_the_path_and_the_other_way_round() {
        let current = PathAndQuery::from_static("/a?b=1");
        let mut allowance = Allowance::new(1 << 20);
        let current = (&current, Encodings::default());
        let mut target = |path, query| target(path, query, current, &mut allowance).map(|t| t.map(|t| t.to_string()));
        use super::super::types::TextEdit::{Clear, Keep, Set};
        assert_eq!(target(Keep, Keep), Ok(None));
        assert_eq!(target(Keep, Clear), Ok(Some("/a".to_owned())));
        assert_eq!(target(Set("/c".to_owned()), Keep), Ok(Some("/c?b=1".to_owned())));
        assert_eq!(target(Keep, Set("x=%20".to_owned())), Ok(Some("/a?x=%20".to_owned())));
        assert!(target(Keep, Set("a b".to_owned())).is_err());
        assert!(target(Clear, Keep).is_err());
    }
}
