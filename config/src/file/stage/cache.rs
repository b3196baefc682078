//! `{ use = "cache", … }`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::file::{Count, Delay, Located};
use crate::units::ByteSize;

/// Keeps responses and answers from them: a shared cache (RFC 9111), or one as Amazon API Gateway's.
///
/// ```toml
/// { use = "cache", stale_if_error = "5m" }
/// { use = "cache", mode = "aws", ttl = "60s", key = ["query:page", "header:accept-language"] }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use"]))]
pub struct CacheStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "cache"))]
    pub stage: Option<String>,
    /// Who says how long a response is fresh: `"http"` (default), the response itself, as RFC 9111 has it; `"aws"`, `ttl`.
    pub mode: CacheMode,
    /// With `mode = "aws"`: how long responses are fresh, at most an hour; `"0s"` is never. Default `"300s"`.
    pub ttl: Option<Located<Delay>>,
    /// What distinguishes requests beside scheme, host and path: `"query:NAME"`, `"header:NAME"`, `"path:NAME"`,
    /// `"attribute:NAME"`. Default: the whole query with `mode = "http"`, nothing with `mode = "aws"`.
    pub key: Option<Vec<Located<String>>>,
    /// Who may share a response: `"everybody"`, or each `"principal"` has its own. Default: everybody with `mode = "http"`,
    /// which keeps answers for the authenticated only where they say that they are for all; principals with
    /// `mode = "aws"`.
    pub by: Option<CacheBy>,
    /// The largest body that is kept. Default `"1MiB"`.
    pub object: Located<ByteSize>,
    /// Responses kept for one key whose `Vary` tells them apart. Default 16.
    pub variants: Count,
    /// How long requests wait for a response that another one is fetching already; then they go themselves.
    /// Default `"5s"`.
    pub wait: Delay,
    /// Whether a response that has `Last-Modified` and does not say how long it is fresh is so for a tenth of its age, at most a
    /// day. Default false.
    pub heuristic: bool,
    /// Whether responses with `Set-Cookie` are kept, cookies and all. Default false.
    pub set_cookie: bool,
    /// How long after its time a response that says nothing of it is served while another is fetched (RFC 5861).
    /// Default `"0s"`.
    pub stale_while_revalidate: Delay,
    /// How long after its time a response that says nothing of it is served instead of an error (RFC 5861).
    /// Default `"0s"`.
    pub stale_if_error: Delay,
    /// Whose `Cache-Control: max-age=0` has a response fetched anew: `"nobody"` (default), `"everybody"`, `"principal"`
    /// (whoever has proved who it is), or `"scope:NAME"` (whose `auth.scopes` has it).
    pub refresh: Located<String>,
    /// What becomes of the same from others: `"ignore"`, as if it were not there; `"warn"`, the same with a field `Warning`;
    /// `"forbid"`, 403. Default: ignored with `mode = "http"`, forbidden with `mode = "aws"`.
    pub refused_refresh: Option<RefusedRefresh>,
    /// Whether responses say in `Cache-Status` what the cache did (RFC 9211). Default true.
    pub status: bool,
}

/// Who says how long a response is fresh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CacheMode {
    /// The response itself (RFC 9111).
    #[default]
    Http,
    /// The configuration, as with Amazon API Gateway.
    Aws,
}

/// Who may share a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CacheBy {
    /// All.
    Everybody,
    /// Each principal has its own.
    Principal,
}

/// What becomes of a request to fetch anew from somebody who may not ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RefusedRefresh {
    /// As if it had not asked.
    Ignore,
    /// The same, and the response says so.
    Warn,
    /// The request is refused.
    Forbid,
}

impl Default for CacheStage {
    fn default() -> Self {
        Self {
            stage: None,
            mode: CacheMode::Http,
            ttl: None,
            key: None,
            by: None,
            object: ByteSize(1 << 20).into(),
            variants: Count(16),
            wait: Delay(std::time::Duration::from_secs(5)),
            heuristic: false,
            set_cookie: false,
            stale_while_revalidate: Delay::default(),
            stale_if_error: Delay::default(),
            refresh: "nobody".to_owned().into(),
            refused_refresh: None,
            status: true,
        }
    }
}
