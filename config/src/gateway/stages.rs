//! The settings of stages: one type a stage, with what belongs to it. Those of families have files of their own.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;
use serde::Serialize;

use super::{AuthorizerEvent, Period, PrincipalField, Priority, Scope, TypePattern, ValueTemplate};
use crate::condition::Condition;
use crate::place::FileReference;
use crate::units::{ByteSize, Rate};

/// `{ use = "api-key", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ApiKeyConfig {
    /// TOML file of hashed keys.
    pub keys: FileReference,
    /// Where the key is looked for, in this order.
    pub sources: Vec<ApiKeySource>,
    /// Whether the upstream gets it too.
    pub forward: bool,
}

/// Where a client puts its key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum ApiKeySource {
    /// The whole value of a header field, or what follows `scheme` and a space.
    Header {
        /// Lower-case field name.
        name: String,
        /// Authentication scheme such as `Bearer`, compared without case.
        scheme: Option<String>,
    },
    /// A query parameter.
    Query(String),
    /// The usage key that an authorizer named.
    Authorizer,
}

/// `{ use = "concurrency", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConcurrencyConfig {
    /// Requests that may be served at the same time.
    pub limit: u64,
    /// Whose requests these are.
    pub by: LimitKey,
    /// Who shares the places.
    pub scope: Scope,
}

/// `{ use = "basic", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BasicConfig {
    /// File of users.
    pub users: FileReference,
    /// What users are told that the password is for.
    pub realm: String,
    /// How long a password that was right is not hashed again.
    pub remember: Duration,
    /// Passwords that are tried for one client address.
    pub attempts: Rate,
    /// Whether the credentials go on to the upstream.
    pub forward: bool,
}

/// `{ use = "cors", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CorsConfig {
    /// Origins whose scripts may read.
    pub origins: Vec<OriginPattern>,
    /// Methods that they may use; none: those of the route.
    pub methods: Option<Vec<String>>,
    /// Header fields that they may send, in lower case; none: whatever they ask for.
    pub headers: Option<Vec<String>>,
    /// Header fields that they may read, in lower case.
    pub expose: Vec<String>,
    /// Whether they may act as the user.
    pub credentials: bool,
    /// How long browsers may keep the answer to a preflight request.
    pub max_age: Option<Duration>,
}

/// Origins of scripts, as browsers say them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum OriginPattern {
    /// All.
    Any,
    /// This one.
    Exact(String),
    /// Those of all hosts under a domain.
    Under {
        /// Such as `https://`.
        scheme: String,
        /// Such as `.example.com:8443`.
        domain: String,
    },
}

/// `{ use = "forward-auth", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ForwardAuthConfig {
    /// The upstream that decides.
    pub upstream: String,
    /// Path and query of the question.
    pub path: String,
    /// Its method.
    pub method: String,
    /// Header fields that go along, in lower case; none: all.
    pub headers: Option<Vec<String>>,
    /// Header fields that the request gets from the answer.
    pub copy: Vec<String>,
    /// Header fields that the response gets from the answer.
    pub to_client: Vec<String>,
    /// The header field of the answer that names the principal.
    pub principal: Option<String>,
    /// How long a decision takes at most.
    pub timeout: Duration,
    /// How long an answer is good for the same question; zero is never.
    pub cache: Duration,
}

/// `{ use = "headers", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeadersConfig {
    /// What becomes of a request's header fields.
    pub request: HeaderEdits,
    /// What becomes of a response's.
    pub response: HeaderEdits,
}

impl HeadersConfig {
    /// Names of the path's parameters that its values have in them.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.values().flat_map(ValueTemplate::parameters)
    }

    /// Its values.
    pub fn values(&self) -> impl Iterator<Item = &ValueTemplate> {
        self.request.values().chain(self.response.values())
    }
}

/// Changes of header fields, in this order. Names are in lower case.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HeaderEdits {
    /// Fields that are taken away.
    pub remove: Vec<String>,
    /// Fields that get this value and no other, or go where it has none.
    pub set: Vec<(String, ValueTemplate)>,
    /// Fields that get this value too.
    pub append: Vec<(String, ValueTemplate)>,
}

impl HeaderEdits {
    /// The values of fields.
    pub fn values(&self) -> impl Iterator<Item = &ValueTemplate> {
        self.set.iter().chain(&self.append).map(|(_, value)| value)
    }

    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.append.is_empty()
    }
}

/// `{ use = "ip", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IpConfig {
    /// Who may pass; none: whoever is not denied.
    pub allow: Option<IpList>,
    /// Who may not.
    pub deny: IpList,
}

/// Addresses of clients.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct IpList {
    /// Networks.
    pub networks: Vec<IpNet>,
    /// Clients of Unix sockets of whom no address is known.
    pub unix: bool,
}

/// `{ use = "lambda-authorizer", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LambdaAuthorizerConfig {
    /// The upstream that decides.
    pub upstream: String,
    /// Path and query to which events are posted.
    pub path: String,
    /// What it is told.
    pub event: AuthorizerEvent,
    /// What identifies a client; all of it must be there.
    pub identity: Vec<IdentitySource>,
    /// A regular expression that the first of them must match.
    pub validation: Option<String>,
    /// How long a decision is used again; zero is never.
    pub cache: Duration,
    /// How long a decision takes at most.
    pub timeout: Duration,
    /// The Region in ARNs.
    pub region: String,
    /// The account in ARNs.
    pub account: String,
    /// The API in ARNs.
    pub api: String,
    /// The stage in ARNs.
    pub stage_name: String,
    /// The stage's variables.
    pub stage_variables: BTreeMap<String, String>,
}

/// `{ use = "mtls", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MtlsConfig {
    /// What of a certificate is the principal.
    pub principal: PrincipalField,
    /// Certificates that may pass; none: all that were verified.
    pub allow: Option<Vec<CertificateRule>>,
}

/// Certificates that match all of these patterns.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CertificateRule {
    /// A common name.
    pub cn: Option<String>,
    /// An organization.
    pub o: Option<String>,
    /// An organizational unit.
    pub ou: Option<String>,
    /// A DNS name, in lower case.
    pub dns: Option<String>,
    /// A URI.
    pub uri: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
    /// The issuer's name.
    pub issuer: Option<String>,
    /// SHA-256, 64 hexadecimal digits in lower case; no pattern.
    pub fingerprint: Option<String>,
}

/// `{ use = "policy", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PolicyConfig {
    /// The statements.
    pub statements: Vec<StatementConfig>,
    /// Whether requests may pass that none is about.
    pub otherwise: bool,
}

/// One statement of a policy: about requests that match all of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatementConfig {
    /// Or else it denies.
    pub allow: bool,
    /// Patterns of principals; none: everybody.
    pub principals: Option<Vec<String>>,
    /// Patterns of methods; none: all.
    pub methods: Option<Vec<String>>,
    /// Patterns of paths; none: all.
    pub paths: Option<Vec<String>>,
    /// What else must hold.
    pub conditions: Vec<Condition>,
}

/// `{ use = "sigv4", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SigV4Config {
    /// TOML file of access keys.
    pub credentials: FileReference,
    /// The service that signatures are for.
    pub service: String,
    /// The region that they are for; none: any.
    pub region: Option<String>,
    /// How far clocks may differ.
    pub clock_skew: Duration,
    /// The longest that a presigned URL may be valid; zero refuses all.
    pub presigned: Duration,
    /// Whether bodies need not be signed.
    pub unsigned_payload: bool,
    /// Header fields that must be signed where they are there, in lower case.
    pub signed_headers: Vec<String>,
    /// Largest body that is compared with what was signed.
    pub body_bytes: ByteSize,
}

/// `{ use = "shed", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShedConfig {
    /// What responses may take to begin.
    pub latency: Duration,
    /// How important the requests are.
    pub priority: Priority,
    /// Whose places these are.
    pub group: String,
    /// Requests at the same time at least.
    pub least: u64,
    /// And at most.
    pub most: u64,
}

/// `{ use = "throttle", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ThrottleConfig {
    /// Tokens refilled over time.
    pub rate: Rate,
    /// Tokens there are at most.
    pub burst: u64,
    /// Whose bucket it is.
    pub by: LimitKey,
    /// Who shares the buckets.
    pub scope: Scope,
}

/// `{ use = "quota", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QuotaConfig {
    /// How many requests.
    pub rule: QuotaRule,
    /// Whose requests they are.
    pub by: LimitKey,
    /// Who shares the counts.
    pub scope: Scope,
}

/// How many requests there may be in a calendar period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct QuotaRule {
    /// So many.
    pub limit: u64,
    /// In each of these.
    pub period: Period,
    /// Taken off in the period in which it begins to hold.
    pub offset: Option<QuotaOffset>,
}

/// What is taken off a quota in its first period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct QuotaOffset {
    /// Requests.
    pub requests: u64,
    /// A day of that period, at midnight UTC, in seconds since 1970.
    pub start: u64,
}

/// Whose requests a limit counts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum LimitKey {
    /// Everybody's who comes through this stage of this route.
    Route,
    /// Those of the client's address, as far as trusted proxies tell.
    Client,
    /// Those of the API key, or else of the principal; of the client's address when there is neither.
    ApiKey,
    /// Those of the principal; of the client's address when there is none.
    Principal,
    /// Those with the same value of this attribute; of the client's address when it is absent.
    Attribute(String),
    /// Those with the same value of this header field (lower case); of the client's address when absent.
    Header(String),
}

impl std::fmt::Display for LimitKey {
    /// As the file writes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Route => f.write_str("route"),
            Self::Client => f.write_str("client"),
            Self::ApiKey => f.write_str("api-key"),
            Self::Principal => f.write_str("principal"),
            Self::Attribute(name) => write!(f, "attribute:{name}"),
            Self::Header(name) => write!(f, "header:{name}"),
        }
    }
}

/// `{ use = "usage-plan", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UsagePlanStageConfig {
    /// The plan of whoever has none; none: they are refused.
    pub default: Option<String>,
}

/// `{ plugin = NAME, … }` in a chain
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PluginStageConfig {
    /// The plugin's name.
    pub plugin: String,
    /// What an authorizer's decision depends on; empty: nothing is passed and nothing is cached.
    pub identity: Vec<IdentitySource>,
    /// How long a decision may be reused when the plugin does not say; zero is never.
    pub cache: Duration,
    /// What a fault, trap or timeout means.
    pub on_fault: OnFault,
    /// Largest body passed to a plugin that asks for bodies (413 or 502 above).
    pub body_bytes: ByteSize,
    /// Which bodies of requests it is given, beyond what it says itself.
    pub request_bodies: BodyRule,
    /// Which bodies of responses it is given.
    pub response_bodies: BodyRule,
    /// The plugin's own configuration.
    pub config: serde_json::Value,
}

/// Which bodies of one direction a plugin is given, and in which state. A body that is not given streams past.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BodyRule {
    /// Content types that it is given; none: any; empty: no body at all.
    pub types: Option<Vec<TypePattern>>,
    /// Longest body that it is given.
    pub longest: Option<ByteSize>,
    /// Parts of a representation are kept from it.
    pub whole: bool,
    /// Bodies with a content coding are kept from it.
    pub plain: bool,
}

/// A value of the request that identifies the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum IdentitySource {
    /// `header:NAME`, lower case
    Header(String),
    /// `query:NAME`
    Query(String),
    /// `path:NAME`: a captured parameter
    Path(String),
    /// `client`: the client's address
    Client,
}

/// What becomes of an exchange whose plugin failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum OnFault {
    /// The exchange fails (500, 503 or 504 by cause).
    Deny,
    /// The stage is passed over as if it were not there. Refused for authorizers: one that fails lets nobody pass.
    Skip,
    /// The exchange fails with this status.
    Status(u16),
}
