//! `services` of a case: what the plugin is granted, and what it is answered.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{FieldExpectation, FieldValues, Json, Located, ServiceAnswer};

/// Contents of stores by name, and in each of them by key.
pub type Contents = BTreeMap<String, BTreeMap<String, Located<Json>>>;

/// `services` of a case, or of the whole file. What is named is granted.
///
/// ```toml
/// [case.services]
/// secrets = { TENANT_KEY = "sesame" }
/// kv.sessions = { alice = "logged in" }
/// http = [{ url = "https://idp.example.com/keys", json = { keys = [] } }]
/// time = 2026-01-01T00:00:00Z
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CaseServices {
    /// Secrets and their values. Default `{}`.
    pub secrets: BTreeMap<String, Located<String>>,
    /// Key-value stores, and what is in them: text, or JSON. Default `{}`.
    pub kv: Contents,
    /// Caches, and what is in them. Default `{}`.
    pub cache: Contents,
    /// Counters, and what they have counted. Default `{}`.
    pub counters: BTreeMap<String, BTreeMap<String, Located<i64>>>,
    /// Counters, and the tokens left in their buckets; the others are full. Default `{}`.
    pub buckets: BTreeMap<String, BTreeMap<String, Located<u32>>>,
    /// Requests that it must send, and their answers; it may send no others. Default `[]`.
    pub http: Vec<Located<CaseOutbound>>,
    /// Why stores, caches and counters do not answer. Default: they do.
    pub unavailable: Option<Located<String>>,
    /// What the clocks say: a date and time, at which they stand still. Default: they go.
    pub time: Option<Located<Json>>,
    /// Every call of a service in its order, with its answer, as recordings have them. Nothing else is asked then: the other
    /// keys but `time` and `seed` have no place beside it. Default: what is asked for is answered by those keys.
    pub calls: Option<Located<Vec<Located<CaseCall>>>>,
    /// Makes random numbers the same in every run. Default: they are not.
    pub seed: Option<Located<u64>>,
}

/// A call of a service, and its answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CaseCall {
    /// The function and what it is asked for: `"kv.get sessions alice"`. `[redacted]` in it stands for anything. Required.
    pub ask: Option<Located<String>>,
    /// What is answered. Default `"done"`.
    pub answer: Option<Located<ServiceAnswer>>,
}

/// A request that a plugin sends, and its answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CaseOutbound {
    /// Method. Default `"GET"`.
    pub method: Option<Located<String>>,
    /// The whole URL, with its query. Required.
    pub url: Option<Located<String>>,
    /// What else the request must be. Default: anything.
    pub request: Option<Located<SentRequest>>,
    /// Status of the answer. Default 200.
    pub status: Option<Located<u16>>,
    /// Header fields of the answer. Default `{}`.
    pub headers: BTreeMap<String, Located<FieldValues>>,
    /// Its body. Default: none.
    pub body: Option<Located<String>>,
    /// Its body as JSON, with `content-type: application/json` unless `headers` say otherwise.
    pub json: Option<Located<Json>>,
    /// Its body, as hexadecimal digits.
    pub hex: Option<Located<String>>,
    /// The error that there is instead of an answer.
    pub error: Option<Located<OutboundFailure>>,
}

/// `request` of a request that a plugin sends.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SentRequest {
    /// Header fields: a value, a list, `true` for any, `false` for none.
    pub headers: BTreeMap<String, Located<FieldExpectation>>,
    /// Body.
    pub body: Option<Located<String>>,
    /// Body, compared as JSON.
    pub json: Option<Located<Json>>,
    /// Body, as hexadecimal digits.
    pub hex: Option<Located<String>>,
}

/// Why a request of a plugin has no answer: the errors of `http-client` that are not about the request itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutboundFailure {
    /// The name stands for a private address.
    Forbidden,
    /// The name does not resolve.
    Dns,
    /// Nobody answers.
    Connect,
    /// The other side is not who it should be.
    Tls,
    /// No answer in time.
    Timeout,
    /// The answer is too long.
    TooLarge,
    /// The answer is not HTTP.
    Protocol,
}
