//! Header fields from a plugin: names are tokens, values cannot end a line, framing and what the gateway says about
//! the client are not a plugin's to write.

use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};

use super::allowance::Allowance;
use super::types::{FieldEdit, FieldResult};
use crate::failure::OutputError;

/// Fields that frame a message or belong to one connection.
const FRAMING: [&str; 10] = [
    "connection",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Fields in which the gateway tells upstreams who the client is.
const OWNED: [&str; 3] = ["forwarded", "via", "x-real-ip"];
const OWNED_PREFIX: &str = "x-forwarded-";
/// The gateway's own, in both directions.
const GATEWAY_PREFIX: &str = "x-gatewright-";

/// Which message the fields are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Request,
    Response,
}

/// One checked change of a header section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Replace every value.
    Set(HeaderName, HeaderValue),
    /// Add a value.
    Append(HeaderName, HeaderValue),
    /// Take away every value.
    Remove(HeaderName),
}

impl Edit {
    /// Changes the header section. A section that is full stays as it is: it holds tens of thousands of fields.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        match self {
            Self::Set(name, value) => {
                let _ = headers.try_insert(name.clone(), value.clone());
            }
            Self::Append(name, value) => {
                let _ = headers.try_append(name.clone(), value.clone());
            }
            Self::Remove(name) => {
                headers.remove(name);
            }
        }
    }

    /// For the weight of cached decisions.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Set(name, value) | Self::Append(name, value) => name.as_str().len() + value.len(),
            Self::Remove(name) => name.as_str().len(),
        }
    }
}

/// Checks edits, in order. Those of `content-length` are dropped: the gateway computes it.
pub(super) fn edits(
    edits: Vec<FieldEdit>,
    message: Message,
    allowance: &mut Allowance,
) -> Result<Vec<Edit>, OutputError> {
    let mut checked = Vec::with_capacity(edits.len().min(16));
    for (place, edit) in edits.into_iter().enumerate() {
        let edit = match edit {
            FieldEdit::Set(pair) => field(pair, place, message, allowance)?.map(|(name, value)| Edit::Set(name, value)),
            FieldEdit::Append(pair) => {
                field(pair, place, message, allowance)?.map(|(name, value)| Edit::Append(name, value))
            }
            FieldEdit::Remove(name) => {
                allowance.field(name.len())?;
                self::name(&name, place, message)?.map(Edit::Remove)
            }
        };
        checked.extend(edit);
    }
    Ok(checked)
}

/// Checks the fields of a whole message.
pub(super) fn section(
    fields: Vec<FieldResult>,
    message: Message,
    allowance: &mut Allowance,
) -> Result<HeaderMap, OutputError> {
    let mut headers = HeaderMap::new();
    for (place, pair) in fields.into_iter().enumerate() {
        if let Some((name, value)) = field(pair, place, message, allowance)? {
            headers
                .try_append(name, value)
                .map_err(|_| OutputError::too_large("header fields"))?;
        }
    }
    Ok(headers)
}

fn field(
    (name, value): FieldResult,
    place: usize,
    message: Message,
    allowance: &mut Allowance,
) -> Result<Option<(HeaderName, HeaderValue)>, OutputError> {
    allowance.field(name.len() + value.len())?;
    let Some(name) = self::name(&name, place, message)? else {
        return Ok(None);
    };
    let value = HeaderValue::try_from(value)
        .map_err(|_| OutputError::invalid(format!("the value of `{name}` has control characters")))?;
    Ok(Some((name, value)))
}

/// None for `content-length`.
fn name(name: &str, place: usize, message: Message) -> Result<Option<HeaderName>, OutputError> {
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| OutputError::invalid(format!("the name of header field {place} is not a token")))?;
    if name == CONTENT_LENGTH {
        return Ok(None);
    }
    if is_forbidden(name.as_str(), message) {
        return Err(OutputError::invalid(format!("`{name}` is the gateway's to write")));
    }
    Ok(Some(name))
}

/// Whether a plugin may write that field.
pub(super) fn is_writable(name: &HeaderName, message: Message) -> bool {
    !is_forbidden(name.as_str(), message)
}

fn is_forbidden(name: &str, message: Message) -> bool {
    let owned = || OWNED.contains(&name) || name.starts_with(OWNED_PREFIX);
    FRAMING.contains(&name) || name.starts_with(GATEWAY_PREFIX) || (message == Message::Request && owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(name: &str, value: &[u8], message: Message) -> Result<HeaderMap, OutputError> {
        section(
            vec![(name.to_owned(), value.to_vec())],
            message,
            &mut Allowance::new(1 << 20),
        )
    }

    #[test]
    fn names_are_tokens_and_become_lower_case() {
        let headers = checked("X-Tenant", b"a", Message::Request).unwrap();
        assert_eq!(headers.get("x-tenant").unwrap(), "a");
        for name in ["", "a b", "a\r\nb", ":path", "x:y", "ü", "a\0"] {
            assert!(checked(name, b"a", Message::Request).is_err(), "{name:?}");
        }
    }

    #[test]
    fn values_cannot_end_a_line_and_are_never_quoted_in_the_error() {
        for value in [&b"a\r\nb: c"[..], b"a\nb", b"a\0b", b"\x7f", b"\x1b[31m"] {
            let error = checked("x-secret", value, Message::Response).unwrap_err();
            assert_eq!(error.what, "the value of `x-secret` has control characters");
        }
        checked("x", b"a\tb \xff", Message::Response).unwrap();
    }

    #[test]
    fn framing_is_the_gateways_in_both_directions() {
        for name in FRAMING.into_iter().chain(["Transfer-Encoding", "X-Gatewright-Error"]) {
            for message in [Message::Request, Message::Response] {
                assert!(checked(name, b"a", message).is_err(), "{name}");
                let remove = vec![FieldEdit::Remove(name.to_owned())];
                assert!(edits(remove, message, &mut Allowance::new(1 << 20)).is_err(), "{name}");
            }
        }
    }

    #[test]
    fn who_the_client_is_is_not_a_plugins_to_say() {
        for name in ["forwarded", "via", "x-forwarded-for", "X-Forwarded-Host", "x-real-ip"] {
            assert!(checked(name, b"a", Message::Request).is_err(), "{name}");
            assert!(checked(name, b"a", Message::Response).is_ok(), "{name}");
        }
    }

    #[test]
    fn content_length_is_ignored() {
        assert!(checked("Content-Length", b"1", Message::Response).unwrap().is_empty());
    }

    #[test]
    fn fields_are_bounded_in_number_and_size() {
        let many: Vec<_> = (0..101).map(|n| (format!("x-{n}"), b"a".to_vec())).collect();
        assert!(
            section(many, Message::Response, &mut Allowance::new(1 << 20))
                .unwrap_err()
                .too_large
        );
        let long = vec![("x".to_owned(), vec![b'a'; 64 << 10])];
        assert!(
            section(long, Message::Response, &mut Allowance::new(1 << 20))
                .unwrap_err()
                .too_large
        );
        let over_output = vec![("x".to_owned(), vec![b'a'; 100])];
        assert!(
            section(over_output, Message::Response, &mut Allowance::new(100))
                .unwrap_err()
                .too_large
        );
    }
}
