//! What of a request's header section matters to a cache, found in one look at its names.

use http::header::HeaderMap;
use http::{HeaderValue, Method};

use gatewright_core::Exchange;

use super::directives::Directives;

/// What a request has that matters to a cache.
#[derive(Clone, Debug, Default)]
pub(super) struct Asks {
    /// What is to be done with it.
    pub(super) method: Asked,
    /// `If-None-Match` or `If-Modified-Since`.
    pub(super) conditional: bool,
    /// `Range`.
    pub(super) range: bool,
    /// What only who makes the answer can judge: `If-Match`, `If-Unmodified-Since`.
    pub(super) precondition: bool,
    /// `Authorization`.
    pub(super) authorization: bool,
    /// `Cookie`.
    pub(super) cookie: bool,
    /// What it says to caches, if anything.
    pub(super) directives: Option<Box<Directives>>,
}

/// What a method means to a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Asked {
    /// `GET`.
    Get,
    /// `HEAD`.
    Head,
    /// Another one that changes nothing.
    #[default]
    Safe,
    /// One that may change what is kept.
    Unsafe,
}

impl Asks {
    /// Those of a request.
    pub(super) fn of(exchange: &Exchange) -> Self {
        let request = &exchange.request;
        let mut asks = Self {
            method: Asked::of(&request.method),
            ..Self::default()
        };
        let (mut cache_control, mut pragma) = (false, false);
        for name in request.headers.keys() {
            match name.as_str() {
                "if-none-match" | "if-modified-since" => asks.conditional = true,
                "if-match" | "if-unmodified-since" => asks.precondition = true,
                "range" => asks.range = true,
                "authorization" => asks.authorization = true,
                "cookie" => asks.cookie = true,
                "cache-control" => cache_control = true,
                "pragma" => pragma = true,
                _ => {}
            }
        }
        if cache_control {
            asks.directives = Some(Box::new(Directives::of(&request.headers)));
        } else if pragma && is_no_cache(&request.headers) {
            // What `Cache-Control: no-cache` was before there was any (RFC 9111, section 5.4).
            asks.directives = Some(Box::new(Directives {
                no_cache: true,
                ..Directives::default()
            }));
        }
        asks
    }

    /// Whether it may be answered from what is kept, or what answers it be kept.
    pub(super) fn may_use_cache(&self, exchange: &Exchange) -> bool {
        matches!(self.method, Asked::Get | Asked::Head) && !self.precondition && exchange.body.is_empty()
    }

    /// Whether it says that nothing of it may be kept.
    pub(super) fn no_store(&self) -> bool {
        self.directives.as_ref().is_some_and(|directives| directives.no_store)
    }
}

impl Asked {
    fn of(method: &Method) -> Self {
        match *method {
            Method::GET => Self::Get,
            Method::HEAD => Self::Head,
            Method::OPTIONS | Method::TRACE => Self::Safe,
            _ => Self::Unsafe,
        }
    }
}

fn is_no_cache(headers: &HeaderMap) -> bool {
    let no_cache = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"no-cache");
    headers.get(http::header::PRAGMA).is_some_and(no_cache)
}
