//! Values of an exchange put into text, by the names of `gatewright_config::names`.

use std::borrow::Cow;

use gatewright_config::names::Variable;
use gatewright_config::{TemplatePart, ValueTemplate};
use gatewright_core::Exchange;
use http::StatusCode;
use http::header::HeaderMap;
use percent_encoding::percent_decode_str;

use crate::router::host::parse_authority;

/// The text, or none when a value that it needs is absent: half a value is worse than none. `status` is the response's,
/// where there is one.
pub fn render(template: &ValueTemplate, exchange: &Exchange, status: Option<StatusCode>) -> Option<String> {
    let mut text = String::new();
    for part in &template.0 {
        push(&mut text, part, exchange, status)?;
    }
    Some(text)
}

/// The same for a path. A `{rest}` that stands for nothing leaves no slash behind that the request did not have: with
/// `/v2/{rest}`, `/api` becomes `/v2`, and `/api/` becomes `/v2/`.
pub fn render_path(template: &ValueTemplate, exchange: &Exchange) -> Option<String> {
    let mut text = String::new();
    let mut parts = template.0.iter().peekable();
    while let Some(part) = parts.next() {
        let before = text.len();
        push(&mut text, part, exchange, None)?;
        if let (TemplatePart::Path(name), true) = (part, text.len() == before) {
            let slash_follows = matches!(parts.peek(), Some(TemplatePart::Text(next)) if next.starts_with('/'));
            let is_superfluous = slash_follows || exchange.parameters.ends_before(name);
            if is_superfluous && text.ends_with('/') && (slash_follows || text.len() > 1) {
                text.pop();
            }
        }
    }
    Some(text)
}

fn push(text: &mut String, part: &TemplatePart, exchange: &Exchange, status: Option<StatusCode>) -> Option<()> {
    match part {
        TemplatePart::Text(literal) => text.push_str(literal),
        TemplatePart::Path(name) => text.push_str(exchange.parameters.get(name)?),
        TemplatePart::Attribute(name) => text.push_str(&exchange.attributes.get(name)?.to_string()),
        TemplatePart::Variable(variable) => text.push_str(&variable_of(variable, exchange, status)?),
    }
    Some(())
}

/// The value of a variable; none where the exchange has none.
pub fn variable_of<'e>(
    variable: &'e Variable,
    exchange: &'e Exchange,
    status: Option<StatusCode>,
) -> Option<Cow<'e, str>> {
    let request = &exchange.request;
    Some(match variable {
        Variable::ClientAddress => Cow::Owned(exchange.client.to_string()),
        Variable::ListenerName => Cow::Borrowed(&*exchange.record.listener),
        Variable::RequestHost => Cow::Borrowed(&request.host),
        Variable::RequestId => Cow::Owned(exchange.id.to_string()),
        Variable::RequestMethod => Cow::Borrowed(request.method.as_str()),
        Variable::RequestPath => Cow::Borrowed(request.path()),
        Variable::RequestPort => Cow::Owned(port(exchange).to_string()),
        Variable::RequestQuery => Cow::Borrowed(request.query()?),
        Variable::RequestScheme => Cow::Borrowed(request.scheme()),
        Variable::ResponseStatus => Cow::Owned(status?.as_u16().to_string()),
        Variable::RouteName => Cow::Borrowed(&*exchange.route),
        Variable::TlsVersion => Cow::Borrowed(exchange.client.tls_version?),
        Variable::Header(name) => Cow::Owned(field(&request.headers, name)?),
        Variable::Query(name) => Cow::Owned(parameter(request.query()?, name)?),
    })
}

/// The port that the client asked for.
pub fn port(exchange: &Exchange) -> u16 {
    let request = &exchange.request;
    let authority = parse_authority(request.authority.as_bytes()).ok();
    let usual = if request.secure { 443 } else { 80 };
    authority.and_then(|authority| authority.port).unwrap_or(usual)
}

/// All values of a field as one (RFC 9110, section 5.3); none where one is not text.
pub fn field(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(name).iter();
    let values: Vec<&str> = values
        .map(|value| std::str::from_utf8(value.as_bytes()).ok())
        .collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.join(", "))
}

/// The first parameter of that name, decoded.
pub fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.find(|(key, _)| decoded(key).is_some_and(|key| key == name))?;
    decoded(value)
}

fn decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
}
