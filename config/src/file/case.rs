//! A file of cases for a plugin: what `gatewright plugin test` asks it, and what it must answer.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{CaseServices, Contents, Delay, FieldExpectation, FieldValues, Json, Located, Plugin, Section, Settings};

/// A whole file of cases.
///
/// ```toml
/// [config]
/// currency = "EUR"
///
/// [[case]]
/// name = "a quote costs something"
/// request = { path = "/quote?quantity=2" }
/// expect = { status = 200 }
/// ```
#[derive(Debug, Default)]
pub struct Cases {
    /// Limits and grants, as `[plugin.NAME]` of a gateway's configuration has them.
    pub plugin: Section<Plugin>,
    /// The plugin's own configuration in every case that has none of its own.
    pub config: Section<Settings>,
    /// What services answer in every case that does not say so itself.
    pub services: Section<CaseServices>,
    /// The cases.
    pub case: Vec<Section<Case>>,
}

impl Cases {
    /// The keys at the top of the file.
    pub const KEYS: [&'static str; 4] = ["plugin", "config", "services", "case"];
}

/// `[[case]]`: one exchange.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Case {
    /// What the plugin is expected to do, for people. Required, and unique in the file.
    pub name: Option<Located<String>>,
    /// The plugin's own configuration. Default: the file's `[config]`.
    pub config: Option<Settings>,
    /// What services answer. Default: the file's `[services]`.
    pub services: Option<CaseServices>,
    /// Used in a chain (`"stage"`) or as a route's `"integration"`. Default: what it can be, a stage first.
    #[serde(rename = "as")]
    pub role: Option<Role>,
    /// The only one of the plugin's interfaces that is asked. Default: all that it exports.
    pub hook: Option<HookName>,
    /// As of a plugin in a chain. Default `[]`.
    pub identity: Vec<Located<String>>,
    /// As of a plugin in a chain; what a plugin sees depends on it. No case sees the decision of another. Default `"0s"`.
    pub cache: Located<Delay>,
    /// Name of the route. Default `"test"`.
    pub route: Option<Located<String>>,
    /// What comes in.
    pub request: CaseRequest,
    /// What the upstream answers, for transforms of responses.
    pub response: Option<CaseResponse>,
    /// What must come out. Default: anything but a failure.
    pub expect: Expect,
}

/// What a plugin is used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// In a chain.
    Stage,
    /// As what answers a route.
    Integration,
}

/// An interface that a plugin exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookName {
    /// Decides who may pass.
    Authorizer,
    /// Changes requests.
    RequestTransform,
    /// Changes responses.
    ResponseTransform,
    /// Changes bodies while they stream.
    BodyFilter,
    /// Answers a route.
    Integration,
}

/// `request` of a case.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CaseRequest {
    /// Method. Default `"GET"`, with a body `"POST"`.
    pub method: Option<Located<String>>,
    /// Path and query. Default `"/"`.
    pub path: Option<Located<String>>,
    /// Host and port that the client names. Default `"gateway.test"`.
    pub host: Option<Located<String>>,
    /// Header fields: a value, or a list of them. Default `{}`.
    pub headers: BTreeMap<String, Located<FieldValues>>,
    /// Body. Default: none.
    pub body: Option<Located<String>>,
    /// Body as JSON, with `content-type: application/json` unless `headers` say otherwise.
    pub json: Option<Located<Json>>,
    /// Body, as hexadecimal digits.
    pub hex: Option<Located<String>>,
    /// Bytes of the chunks in which the body comes, of 1 to 65536 each. Default: all at once.
    pub chunks: Option<Located<Vec<u32>>>,
    /// The client's address. Default `"192.0.2.1"`.
    pub client: Option<Located<String>>,
    /// Whether the client spoke TLS. Default `false`.
    pub tls: bool,
    /// What the route's path captured. Default `{}`.
    pub parameters: BTreeMap<String, Located<String>>,
    /// What stages before it found out: `"auth.principal" = "alice"`. Default `{}`.
    pub attributes: BTreeMap<String, Located<Json>>,
}

/// `response` of a case.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CaseResponse {
    /// Status. Default 200.
    pub status: Option<Located<u16>>,
    /// Header fields: a value, or a list of them. Default `{}`.
    pub headers: BTreeMap<String, Located<FieldValues>>,
    /// Body. Default: none.
    pub body: Option<Located<String>>,
    /// Body as JSON, with `content-type: application/json` unless `headers` say otherwise.
    pub json: Option<Located<Json>>,
    /// Body, as hexadecimal digits.
    pub hex: Option<Located<String>>,
    /// Bytes of the chunks in which the body comes, of 1 to 65536 each. Default: all at once.
    pub chunks: Option<Located<Vec<u32>>>,
}

/// `expect` of a case. What is not named may be anything.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// What an authorizer decides.
    pub decision: Option<Located<Decision>>,
    /// Whom it lets pass.
    pub principal: Option<Located<String>>,
    /// Whom usage is counted for.
    pub usage_key: Option<Located<String>>,
    /// What the caller may do, in this order.
    pub scopes: Option<Located<Vec<String>>>,
    /// What else the authorizer found out, without `auth.` before the names.
    pub context: BTreeMap<String, Located<Json>>,
    /// How long the decision may be reused, if the authorizer says so. As of every authorizer, the route's `cache` is
    /// the most that becomes of it.
    pub ttl: Option<Located<Delay>>,
    /// What the grant is for, statement by statement.
    pub policy: Option<Located<Vec<ExpectStatement>>>,
    /// Part of the reason of a denial.
    pub reason: Option<Located<String>>,
    /// Status of the response.
    pub status: Option<Located<u16>>,
    /// Header fields of the response: a value, a list, `true` for any, `false` for none.
    pub headers: BTreeMap<String, Located<FieldExpectation>>,
    /// Body of the response.
    pub body: Option<Located<String>>,
    /// Body of the response, compared as JSON.
    pub json: Option<Located<Json>>,
    /// Body of the response, as hexadecimal digits.
    pub hex: Option<Located<String>>,
    /// The request as it goes on.
    pub request: Option<Located<ExpectRequest>>,
    /// Attributes of the exchange afterwards, with their full names.
    pub attributes: BTreeMap<String, Located<Json>>,
    /// What is in key-value stores afterwards: text, JSON, `true` for any value, `false` for none.
    pub kv: Contents,
    /// What is in caches afterwards, in the same way.
    pub cache: Contents,
    /// What counters have counted afterwards.
    pub counters: BTreeMap<String, BTreeMap<String, Located<i64>>>,
    /// How the call fails.
    pub failure: Option<Located<CaseFailure>>,
    /// Which fault the plugin reports.
    pub fault: Option<Located<FaultKind>>,
    /// Part of what is said of the failure.
    pub message: Option<Located<String>>,
    /// JSON pointer to what the plugin refuses in its configuration.
    pub at: Option<Located<String>>,
}

/// `request` of what is expected.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExpectRequest {
    /// Method.
    pub method: Option<Located<String>>,
    /// Path and query.
    pub path: Option<Located<String>>,
    /// Host and port that the upstream is told.
    pub host: Option<Located<String>>,
    /// Header fields: a value, a list, `true` for any, `false` for none.
    pub headers: BTreeMap<String, Located<FieldExpectation>>,
    /// Body.
    pub body: Option<Located<String>>,
    /// Body, compared as JSON.
    pub json: Option<Located<Json>>,
    /// Body, as hexadecimal digits.
    pub hex: Option<Located<String>>,
}

/// A statement of the policy of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectStatement {
    /// Whether it allows or denies.
    pub effect: Effect,
    /// Methods.
    pub methods: Vec<String>,
    /// Paths.
    pub paths: Vec<String>,
}

/// What a statement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Yes.
    Allow,
    /// No.
    Deny,
}

/// The faults of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// What it depends on does not answer.
    Unavailable,
    /// Its configuration cannot work.
    Misconfigured,
    /// The request cannot be processed.
    BadInput,
    /// A bug.
    Internal,
}

/// What an authorizer may decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The request goes on.
    Allow,
    /// The client is told so.
    Deny,
    /// Another authorizer is asked.
    Abstain,
}

/// How a call may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseFailure {
    /// The plugin says that it cannot answer.
    Fault,
    /// It breaks off.
    Trap,
    /// It takes too long.
    Timeout,
    /// The gateway refuses what it answers.
    Output,
    /// The body is larger than the plugin may be given.
    Body,
    /// It, or its schema, refuses its configuration.
    Config,
}
