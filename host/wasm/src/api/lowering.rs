//! What a plugin is shown of an exchange: only the fields it asked for, borrowed, so that they are copied once, into
//! the guest.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatewright_core::{Attributes, Client, ClientAddress, Exchange, ExchangeId, Parameters, Request};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

use super::attributes::lowered;
use super::lifecycle::Selection;
use super::types::{self, HttpVersion, Peer, RequestHead, ValueParam};

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

/// How much of it one call shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Everything.
    All,
    /// Only what a decision's cache key holds, so that nobody is let pass by what somebody else sent: no query, no
    /// address unless it identifies the client, no attributes of other stages.
    Key {
        /// The client's address is part of the key.
        client: bool,
    },
}

/// Texts that exist nowhere and have to be made; the rest borrows.
pub(super) struct Texts {
    address: String,
    parameters: Vec<String>,
}

impl Texts {
    pub(super) fn of(view: &View<'_>, shown: Shown) -> Self {
        let address = match shown {
            Shown::All | Shown::Key { client: true } => view.client.address,
            Shown::Key { client: false } => None,
        };
        Self {
            address: address.map(|address| address.to_string()).unwrap_or_default(),
            parameters: view.parameters.iter().map(|(name, _)| format!("path.{name}")).collect(),
        }
    }
}

/// The lists of a call.
pub(super) struct Lowered<'a> {
    view: View<'a>,
    shown: Shown,
    texts: &'a Texts,
    fields: Vec<types::FieldParam<'a>>,
    attributes: Vec<(&'a str, ValueParam<'a>)>,
}

impl<'a> Lowered<'a> {
    pub(super) fn of(view: View<'a>, shown: Shown, texts: &'a Texts, selection: &'a Selection) -> Self {
        let parameters = texts.parameters.iter().zip(view.parameters.iter());
        let mut attributes: Vec<_> = parameters
            .map(|(name, (_, value))| (name.as_str(), ValueParam::Text(value)))
            .collect();
        if shown == Shown::All {
            attributes.extend(view.attributes.iter().map(|(name, value)| (name, lowered(value))));
        }
        Self {
            view,
            shown,
            texts,
            fields: fields(&view.request.headers, selection),
            attributes,
        }
    }

    pub(super) fn head(&self) -> RequestHead<'_> {
        let Request {
            method,
            authority,
            host,
            target,
            version,
            ..
        } = self.view.request;
        let everything = self.shown == Shown::All;
        RequestHead {
            method: method.as_str(),
            scheme: self.view.request.scheme(),
            // The key has the host in normal form; the authority as sent may differ from request to request.
            authority: if everything {
                authority.to_str().unwrap_or(host)
            } else {
                host
            },
            path: target.path(),
            query: target.query().filter(|_| everything),
            version: self::version(*version),
            fields: &self.fields,
        }
    }

    pub(super) fn exchange(&self, budget: Duration) -> types::Exchange<'_> {
        let View {
            id, age, route, client, ..
        } = self.view;
        let port = match client.peer {
            // A port belongs to the peer: it is the client's only if no proxy is between.
            ClientAddress::Tcp(peer) if self.shown == Shown::All && client.address == Some(peer.ip()) => peer.port(),
            _ => 0,
        };
        let received = SystemTime::now().checked_sub(age).unwrap_or(UNIX_EPOCH);
        types::Exchange {
            id: id.number,
            trace_parent: None,
            route,
            received_unix_ms: millis(received.duration_since(UNIX_EPOCH).unwrap_or_default()),
            budget: u32::try_from(millis(budget)).unwrap_or(u32::MAX),
            attempt: 1,
            peer: Peer {
                address: &self.texts.address,
                port,
                tls: client.tls,
                certificate: None,
            },
            attributes: &self.attributes,
        }
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
