//! What the gateway sends to an authorization server as one of its clients (RFC 6749, section 2.3.1).

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gatewright_config::{ClientAuthentication, OauthClient, WebUrl};
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::upstream::gateway_client::Ask;

/// The largest answer that is read.
pub const ANSWER_BYTES: usize = 64 << 10;
/// In a form everything but these is encoded.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A form that says who sends it. `secret` is none for a public client.
///
/// # Errors
/// When the client's name cannot be sent.
pub fn post<'a>(
    url: &'a WebUrl,
    client: &OauthClient,
    secret: Option<&str>,
    fields: &[(&str, &str)],
    deadline: Instant,
) -> Result<Ask<'a>, String> {
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    let mut fields = fields.to_vec();
    match (secret, client.authentication) {
        (Some(secret), ClientAuthentication::Basic) => {
            let credentials = STANDARD.encode(format!("{}:{}", encoded(&client.id), encoded(secret)));
            let value = HeaderValue::try_from(format!("Basic {credentials}"));
            let mut value = value.map_err(|_| "the client's name cannot be sent".to_owned())?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        (Some(secret), ClientAuthentication::Post) => {
            fields.extend([("client_id", client.id.as_str()), ("client_secret", secret)]);
        }
        (None, _) => fields.push(("client_id", &client.id)),
    }
    Ok(Ask {
        url,
        method: Method::POST,
        headers,
        body: Bytes::from(form(&fields)),
        deadline,
        limit: ANSWER_BYTES,
    })
}

/// Names and values as a form or a query has them.
#[must_use]
pub fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    pairs.join("&")
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string()
}
