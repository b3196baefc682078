//! The stage `cache`, and what all of them keep together.

use std::time::Duration;

use serde::Serialize;

pub use crate::file::{CacheBy, RefusedRefresh};
use crate::place::FileReference;
use crate::units::ByteSize;

/// `[response_cache]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResponseCacheConfig {
    /// What responses may take in memory.
    pub bytes: ByteSize,
    /// A folder for more.
    pub disk: Option<DiskCacheConfig>,
}

/// A folder for more responses than fit into memory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DiskCacheConfig {
    /// It.
    pub directory: FileReference,
    /// What responses may take there.
    pub bytes: ByteSize,
}

/// `{ use = "cache", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CacheConfig {
    /// Who says how long a response is fresh.
    pub freshness: CacheFreshness,
    /// What distinguishes requests beside scheme, host and path; none: the whole query.
    pub key: Option<Vec<CacheKeyPart>>,
    /// Who may share a response.
    pub by: CacheBy,
    /// The largest body that is kept.
    pub object_bytes: ByteSize,
    /// Responses kept for one key.
    pub variants: usize,
    /// How long requests wait for a response that another one is fetching.
    pub wait: Duration,
    /// Whether responses with `Set-Cookie` are kept.
    pub set_cookie: bool,
    /// How long a stale response is served while another is fetched, where it says nothing itself.
    pub stale_while_revalidate: Duration,
    /// How long a stale response is served instead of an error, where it says nothing itself.
    pub stale_if_error: Duration,
    /// Who may have a response fetched anew.
    pub refresh: CacheRefresh,
    /// What becomes of the same from others.
    pub refused_refresh: RefusedRefresh,
    /// Whether responses have `Cache-Status`.
    pub status: bool,
}

/// Who says how long a response is fresh.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum CacheFreshness {
    /// The response itself (RFC 9111).
    Http {
        /// By its age where it says nothing.
        heuristic: bool,
    },
    /// The configuration; zero is never.
    Ttl(Duration),
}

/// What distinguishes requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum CacheKeyPart {
    /// A query parameter.
    Query(String),
    /// A header field, in lower case.
    Header(String),
    /// A captured parameter of the path.
    Path(String),
    /// An attribute of the exchange, such as `auth.tenant`.
    Attribute(String),
}

/// Who may have a response fetched anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum CacheRefresh {
    /// Nobody.
    Nobody,
    /// Everybody.
    Everybody,
    /// Who has proved who it is.
    Principal,
    /// Whose `auth.scopes` has this.
    Scope(String),
}
