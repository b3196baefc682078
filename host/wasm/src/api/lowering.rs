//! What a plugin is shown of an exchange: only the fields it asked for, borrowed, so that they are copied once, into
//! the guest.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatewright_core::{
    Attributes, Client, ClientAddress, ClientCertificate, Exchange, ExchangeId, Parameters, Request, Value,
};
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use std::borrow::Cow;

use super::attributes::lowered;
use super::lifecycle::{Needs, Selection};
use super::parts::Part;
use super::types::{self, HttpVersion, Peer, RequestHead, Scheme, ValueParam};

const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// What of an exchange plugins may see at all. Without the body, which cannot be shared between threads.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) id: ExchangeId,
    /// Since its header section was complete.
    pub(crate) age: Duration,
    pub(crate) route: &'a str,
    pub(crate) client: &'a Client,
    pub(crate) request: &'a Request,
    pub(crate) parameters: &'a Parameters,
    pub(crate) attributes: &'a Attributes,
}

impl<'a> View<'a> {
    pub(crate) fn of(exchange: &'a Exchange) -> Self {
        Self {
            id: exchange.id,
            age: exchange.now.saturating_duration_since(exchange.record.started),
            route: &exchange.route,
            client: &exchange.client,
            request: &exchange.request,
            parameters: &exchange.parameters,
            attributes: &exchange.attributes,
        }
    }
}

/// How precisely a call shows what the plugin asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// As it is.
    All,
    /// Only as far as a decision's cache key holds it, so that nobody is let pass by what somebody else sent: the host in
    /// normal form, no port.
    Key,
}

/// What exists nowhere as the plugin gets it and has to be made; the rest borrows.
pub(super) struct Made<'a> {
    address: Option<String>,
    attributes: Option<Vec<(Cow<'a, str>, Cow<'a, Value>)>>,
}

impl<'a> Made<'a> {
    pub(super) fn of(view: &View<'a>, needs: &Needs) -> Self {
        let address = || match view.client.address.known() {
            Some(address) => address.to_string(),
            None => String::new(),
        };
        Self {
            address: needs.parts.has(Part::Peer).then(address),
            attributes: needs
                .parts
                .has(Part::Attributes)
                .then(|| view.attributes.iter().collect()),
        }
    }
}

/// The lists of a call.
pub(super) struct Lowered<'a> {
    view: View<'a>,
    shown: Shown,
    made: &'a Made<'a>,
    needs: &'a Needs,
    fields: Vec<types::FieldParam<'a>>,
    parameters: Option<Vec<(&'a str, &'a str)>>,
    attributes: Option<Vec<(&'a str, ValueParam<'a>)>>,
    names: Option<Names<'a>>,
}

/// The alternative names of a client's certificate.
struct Names<'a> {
    dns: Vec<&'a str>,
    uris: Vec<&'a str>,
}

impl<'a> Lowered<'a> {
    pub(super) fn of(view: View<'a>, shown: Shown, made: &'a Made<'a>, needs: &'a Needs) -> Self {
        let parameters = || view.parameters.iter().collect();
        let attributes = made.attributes.as_ref().map(|attributes| {
            let attributes = attributes.iter();
            attributes.map(|(name, value)| (&**name, lowered(value))).collect()
        });
        Self {
            view,
            shown,
            made,
            needs,
            fields: fields(&view.request.headers, &needs.request_fields),
            parameters: needs.parts.has(Part::Parameters).then(parameters),
            attributes,
            names: view
                .client
                .certificate
                .as_deref()
                .filter(|_| needs.parts.has(Part::Certificate))
                .map(Names::of),
        }
    }

    /// A part, if the plugin asked for it.
    fn part<T>(&self, part: Part, value: T) -> Option<T> {
        self.needs.parts.has(part).then_some(value)
    }

    pub(super) fn head(&self) -> RequestHead<'_> {
        let Request {
            method,
            authority,
            host,
            target,
            version,
            secure,
            ..
        } = self.view.request;
        // The key has the host in normal form; the authority as sent may differ from request to request.
        let authority = match self.shown {
            Shown::All => authority.to_str().unwrap_or(host),
            Shown::Key => host,
        };
        RequestHead {
            method: self.part(Part::Method, method.as_str()),
            scheme: if *secure { Scheme::Https } else { Scheme::Http },
            authority: self.part(Part::Authority, authority),
            path: self.part(Part::Path, target.path()),
            query: self.part(Part::Query, target.query()).flatten(),
            parameters: self.parameters.as_deref(),
            version: self::version(*version),
            fields: &self.fields,
        }
    }

    pub(super) fn exchange(&self, budget: Duration) -> types::Exchange<'_> {
        let View { id, age, route, .. } = self.view;
        let received = SystemTime::now().checked_sub(age).unwrap_or(UNIX_EPOCH);
        types::Exchange {
            id: id.number,
            trace_parent: self
                .part(Part::TraceParent, trace_parent(&self.view.request.headers))
                .flatten(),
            route: self.part(Part::Route, route),
            received_unix_ms: millis(received.duration_since(UNIX_EPOCH).unwrap_or_default()),
            budget: u32::try_from(millis(budget)).unwrap_or(u32::MAX),
            attempt: 1,
            peer: self.made.address.as_deref().map(|address| self.peer(address)),
            attributes: self.attributes.as_deref(),
        }
    }

    fn peer<'t>(&'t self, address: &'t str) -> Peer<'t> {
        let client = self.view.client;
        let port = match client.peer {
            // A port belongs to the peer: it is the client's only if no proxy is between.
            ClientAddress::Tcp(peer) if self.shown == Shown::All && client.address == client.peer.into() => peer.port(),
            _ => 0,
        };
        Peer {
            address,
            port,
            tls: self.view.request.secure,
            certificate: self
                .names
                .as_ref()
                .and_then(|names| Some(certificate(client.certificate.as_deref()?, names))),
        }
    }
}

impl<'a> Names<'a> {
    fn of(certificate: &'a ClientCertificate) -> Self {
        Self {
            dns: certificate.dns_names.iter().map(String::as_str).collect(),
            uris: certificate.uris.iter().map(String::as_str).collect(),
        }
    }
}

fn certificate<'a>(certificate: &'a ClientCertificate, names: &'a Names<'_>) -> types::ClientCertificate<'a> {
    types::ClientCertificate {
        subject: &certificate.subject,
        issuer: &certificate.issuer,
        serial_number: &certificate.serial,
        sha256: &certificate.sha256,
        not_before_unix: certificate.not_before,
        not_after_unix: certificate.not_after,
        dns_names: &names.dns,
        uris: &names.uris,
        der: &certificate.der,
    }
}

/// The fields that the plugin asked for.
pub(super) fn fields<'a>(headers: &'a HeaderMap, selection: &'a Selection) -> Vec<types::FieldParam<'a>> {
    match selection {
        Selection::None => Vec::new(),
        Selection::All => headers.iter().map(field).collect(),
        Selection::Named(names) => {
            let mut fields = Vec::with_capacity(names.len());
            for name in names {
                fields.extend(headers.get_all(name).iter().map(|value| field((name, value))));
            }
            fields
        }
    }
}

fn field<'a>((name, value): (&'a HeaderName, &'a HeaderValue)) -> types::FieldParam<'a> {
    (name.as_str(), value.as_bytes())
}

/// The one valid `traceparent` (W3C Trace Context, section 3.2).
fn trace_parent(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(TRACE_PARENT).iter();
    let text = values.next()?.to_str().ok().filter(|_| values.next().is_none())?;
    let mut parts = text.split('-');
    let mut hexadecimal = |digits: usize| {
        let part = parts.next()?;
        let valid = part.len() == digits && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        valid.then_some(part)
    };
    let (version, trace, parent, _flags) = (hexadecimal(2)?, hexadecimal(32)?, hexadecimal(16)?, hexadecimal(2)?);
    let is_zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    // Later versions may have more parts.
    let is_whole = version != "00" || parts.next().is_none();
    (version != "ff" && is_whole && !is_zero(trace) && !is_zero(parent)).then_some(text)
}

fn version(version: Version) -> HttpVersion {
    match version {
        Version::HTTP_10 => HttpVersion::Http10,
        Version::HTTP_2 => HttpVersion::Http2,
        Version::HTTP_3 => HttpVersion::Http3,
        _ => HttpVersion::Http11,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_parent_is_given_when_it_is_one() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(TRACE_PARENT, HeaderValue::from_static(value));
            }
            trace_parent(&headers).map(str::to_owned)
        };
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(of(&[good]).as_deref(), Some(good));
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        assert_eq!(of(&[later]).as_deref(), Some(later));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(of(&[bad]), None, "{bad}");
        }
        assert_eq!(of(&[good, good]), None);
    }
}
