//! Whose requests a limit counts.

use std::borrow::Cow;

use gatewright_config::LimitKey as Config;
use gatewright_core::Exchange;
use http::HeaderName;

/// Whose requests a limit counts.
pub enum LimitKey {
    /// Everybody's.
    Route,
    /// The client's address.
    Client,
    /// The API key, or else the principal.
    ApiKey,
    /// The principal.
    Principal,
    /// The value of an attribute.
    Attribute(String),
    /// The value of a header field.
    Header(HeaderName),
}

impl LimitKey {
    /// As the configuration says.
    pub fn new(config: &Config) -> Self {
        match config {
            Config::Route => Self::Route,
            Config::Client => Self::Client,
            Config::ApiKey => Self::ApiKey,
            Config::Principal => Self::Principal,
            Config::Attribute(name) => Self::Attribute(name.clone()),
            // The configuration has checked the name; without one the client's address is as strict.
            Config::Header(name) => HeaderName::from_bytes(name.as_bytes()).map_or(Self::Client, Self::Header),
        }
    }

    /// The key under which the request is counted. What a client may leave out falls back to its address, so that
    /// nobody gets out of a limit by saying less.
    pub fn of<'e>(&self, exchange: &'e Exchange) -> Cow<'e, str> {
        let principal = || exchange.principal().map(|name| format!("key:{name}"));
        let named = match self {
            Self::Route => return Cow::Borrowed(""),
            Self::Client => None,
            Self::ApiKey => match &exchange.record.api_key {
                Some(key) => Some(format!("key:{key}")),
                None => principal(),
            },
            Self::Principal => principal(),
            Self::Attribute(name) => exchange.attributes.get(name).map(|value| format!("{name}:{value}")),
            Self::Header(name) => exchange
                .request
                .headers
                .get(name)
                .map(|value| format!("header:{}", String::from_utf8_lossy(value.as_bytes()))),
        };
        Cow::Owned(named.unwrap_or_else(|| format!("client:{}", exchange.client.counted_as())))
    }

    /// The same for people. A field or an attribute may hold a secret: that it was used has to be enough.
    pub fn shown(&self, exchange: &Exchange) -> String {
        match self {
            Self::Route => "route".to_owned(),
            Self::Header(name) if exchange.request.headers.contains_key(name) => format!("header:{name}"),
            Self::Attribute(name) if exchange.attributes.get(name).is_some() => format!("attribute:{name}"),
            _ => self.of(exchange).into_owned(),
        }
    }
}
