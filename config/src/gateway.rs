//! What a configuration means: names resolved, units parsed, defaults filled in, secrets as references.
//!
//! Everything here has been checked by `resolve`; whoever reads these types need not check again.
//! Nothing here has been opened: a path is a path, an address is not bound, a secret is not read.

mod access_log;
mod attributes;
mod body;
mod cache;
mod codings;
mod hidden;
mod logins;
mod plugins;
mod shared;
mod stage;
mod stages;
mod targets;
mod tokens;
mod usage_plans;
mod validate;
mod waf;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

pub use self::access_log::{AccessLogConfig, LogField, LogValue};
pub use self::attributes::{AttributeFacts, NoFacts};
pub use self::body::{BodyConfig, BodyTemplate, StatusPattern, TemplateSource};
pub use self::cache::{
    CacheBy, CacheConfig, CacheFreshness, CacheKeyPart, CacheRefresh, DiskCacheConfig, RefusedRefresh,
    ResponseCacheConfig,
};
pub use self::codings::{CompressConfig, DecompressConfig, TypePattern};
pub use self::hidden::Hidden;
pub use self::logins::{Callback, LoginConfig, LoginCookie, OidcLoginConfig};
pub use self::plugins::{
    CacheGrant, CandidateConfig, CounterGrant, Grants, HttpClientConfig, InstancePolicy, KvGrant, LockConfig,
    OriginGrant, PluginConfig, PluginsConfig, RecordConfig, SecretGrant,
};
pub use self::shared::{Away, RedisAddress, RedisConfig, RedisServers, Scope, StateConfig};
pub use self::stage::{StageConfig, StageKind};
pub use self::stages::{
    ApiKeyConfig, ApiKeySource, BasicConfig, BodyRule, CertificateRule, ConcurrencyConfig, CorsConfig,
    ForwardAuthConfig, HeaderEdits, HeadersConfig, IdentitySource, IpConfig, IpList, LambdaAuthorizerConfig, LimitKey,
    MtlsConfig, OnFault, OriginPattern, PluginStageConfig, PolicyConfig, QuotaConfig, QuotaOffset, QuotaRule,
    ShedConfig, SigV4Config, StatementConfig, ThrottleConfig, UsagePlanStageConfig,
};
pub use self::targets::{CorrelationIdConfig, PathEdit, QueryEdits, RedirectConfig, RequestSizeConfig, RewriteConfig};
pub use self::tokens::{
    Algorithm, FetchedKeysConfig, IntrospectionOrigin, IntrospectorConfig, JwtConfig, KeyOrigin, KeySourceConfig,
    MetadataOrigin, Oauth2IntrospectionConfig, OauthClient, SecretSource, TokenCarriers, TokenRules, TokenSource,
};
pub use self::usage_plans::{PlanThrottle, UsagePlanConfig};
pub use self::validate::{ParameterRule, SchemaSource, ValidateConfig};
pub use self::waf::{WafConfig, WafExclusion, WafPart, WafPlace, WafRules};
pub use crate::file::{
    AcceptIds, AuthorizerEvent, CandidateMode, CandidateShare, ClientAuthentication, CompressCoding, CompressLevel,
    Encoded, ForwardedToken, ForwardingField, GenerateIds, LockPolicy, LockUse, Period, PrincipalField, Priority,
    RecordOn, SessionsIn, Unauthenticated, Underscores, WafLarger, WafMode, WafRule,
};
use crate::names::Variable;
use crate::place::{FileReference, Place};
use crate::units::ByteSize;

/// A whole gateway.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GatewayConfig {
    /// The process: threads and how it stops.
    pub server: ServerConfig,
    /// Listeners by name; at least one.
    pub listeners: BTreeMap<String, ListenerConfig>,
    /// The admin address; none when `[admin]` says `enabled = false`.
    pub admin: Option<AdminConfig>,
    /// Where access records go.
    pub access_log: AccessLogConfig,
    /// Where plugins come from.
    pub plugins: PluginsConfig,
    /// What is said of single plugins; a plugin that is not named has the defaults.
    pub plugin: BTreeMap<String, PluginConfig>,
    /// Where gateways share what they count and keep.
    pub redis: Option<RedisConfig>,
    /// What the stages `cache` keep together.
    pub response_cache: ResponseCacheConfig,
    /// What this gateway counts, beyond its own life.
    pub state: StateConfig,
    /// Upstreams by name.
    pub upstreams: BTreeMap<String, UpstreamConfig>,
    /// Usage plans by name.
    pub usage_plans: BTreeMap<String, UsagePlanConfig>,
    /// Routes in the order of the files.
    pub routes: Vec<RouteConfig>,
    /// Values from the environment that nobody should see.
    #[serde(skip)]
    pub hidden: Hidden,
}

/// `[server]`: the process as a whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServerConfig {
    /// Threads that serve requests; 0 is one for each processor that the process may use.
    pub workers: usize,
    /// After a stop signal: how long readiness is false while connections are still accepted.
    pub drain_delay: Duration,
    /// After that: how long exchanges in flight may take to end.
    pub drain_timeout: Duration,
}

/// `[listener.NAME]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListenerConfig {
    /// Where it listens.
    pub address: ListenAddress,
    /// Where the configuration says so.
    #[serde(skip)]
    pub place: Place,
    /// Permissions of a Unix socket's file.
    pub mode: Option<u32>,
    /// TLS, or none for cleartext.
    pub tls: Option<ListenerTls>,
    /// HTTP/1.1 is spoken.
    pub http1: bool,
    /// HTTP/2 is spoken: by ALPN with TLS, by prior knowledge without.
    pub http2: bool,
    /// Proxies that are believed when they say where a request comes from.
    pub trusted_proxies: IpList,
    /// Fields by which they say it.
    pub trusted_fields: Vec<ForwardingField>,
    /// What becomes of header fields whose name has an underscore.
    pub underscores: Underscores,
    /// What a client may cost.
    pub limits: ListenerLimits,
}

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum ListenAddress {
    /// An IP address and port; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A Unix domain socket at this path.
    Unix(PathBuf),
}

/// `tls` of a listener.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListenerTls {
    /// PEM file of the certificate chain, leaf first.
    pub certificate: FileReference,
    /// PEM file of the private key.
    pub key: FileReference,
    /// TLS 1.2 is accepted besides TLS 1.3.
    pub tls12: bool,
    /// Sessions may be resumed.
    pub resumption: bool,
    /// Whose certificates clients may have; none: they are not asked for one.
    pub clients: Option<ClientTls>,
}

/// What clients' certificates are verified by.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClientTls {
    /// Clients without a certificate are refused.
    pub required: bool,
    /// PEM file of their authorities.
    pub ca: FileReference,
    /// PEM file of the lists of revoked certificates.
    pub crl: Option<FileReference>,
}

/// `limits` of a listener: what one client may cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListenerLimits {
    /// Open connections; more wait in the kernel's backlog.
    pub connections: usize,
    /// Header fields of a request (431 above).
    pub header_count: usize,
    /// Bytes of request line and header section (431 above).
    pub header_bytes: ByteSize,
    /// Bytes of the request target (414 above).
    pub uri_bytes: ByteSize,
    /// Bytes of a request body (413 above), unless the route says otherwise.
    pub body_bytes: ByteSize,
    /// HTTP/2 streams open at once on a connection.
    pub streams: u32,
    /// TLS handshake, from accept.
    pub handshake_timeout: Duration,
    /// From a request's first byte to the end of its header section.
    pub header_timeout: Duration,
    /// Between two requests of a connection, and before the first.
    pub idle_timeout: Duration,
    /// The longest pause while a client sends a body (408) or takes a response (closed).
    pub body_timeout: Duration,
    /// Bytes a second that a client sends of a body at least (408), over the time in which it is waited for; 0 for none.
    pub body_rate: ByteSize,
    /// Leading bits of an IPv6 address that make one client of limits by address.
    pub ipv6_prefix: u8,
}

/// `[admin]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AdminConfig {
    /// Where it listens.
    pub address: SocketAddr,
    /// Bearer token that every path but `/healthz` and `/readyz` asks for; always there off loopback.
    pub token: Option<SecretSource>,
    /// Key with which live requests ask to be explained; without one they cannot.
    pub explain_key: Option<SecretSource>,
    /// Where the file says where, for messages.
    #[serde(skip)]
    pub place: Place,
}

/// A secret by reference; the value never is in the file, in logs or in dumps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum SecretReference {
    /// `env:NAME`
    Environment(String),
    /// `file:PATH`; one trailing newline is not part of the secret.
    File(PathBuf),
}

/// Where access records go, as JSON lines.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum AccessLogOutput {
    /// No access log.
    Off,
    /// Standard output.
    Stdout,
    /// Appended to this file.
    File(FileReference),
}

/// `[upstream.NAME]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UpstreamConfig {
    /// Where requests go; at least one.
    pub targets: Vec<TargetConfig>,
    /// TCP connect and TLS handshake (503 when all targets refuse, 504 when it takes longer).
    pub connect_timeout: Duration,
    /// From the end of the request to the response's header section (504). How long a client takes for its body is its own
    /// business.
    pub response_timeout: Duration,
    /// The longest pause of a response's body (a cut response).
    pub body_timeout: Duration,
    /// How long an unused connection is kept.
    pub idle_timeout: Duration,
    /// Unused connections kept per target and worker.
    pub idle_connections: usize,
    /// Header bytes of a response (502 above).
    pub header_bytes: ByteSize,
    /// Header fields of a response (502 above).
    pub header_count: usize,
    /// PEM file of certificate authorities instead of the system's.
    pub ca: Option<FileReference>,
    /// The name that `https` targets are asked for and must have a certificate for, instead of each one's host.
    pub server_name: Option<String>,
    /// What `https` targets that ask for a certificate get.
    pub identity: Option<TlsIdentity>,
    /// Certificates of `https` targets are not verified.
    pub accepts_any_certificate: bool,
    /// When a target that fails is left out for a while.
    pub ejection: EjectionConfig,
    /// Its section, for messages.
    #[serde(skip)]
    pub place: Place,
}

/// A certificate and its key, to show to others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TlsIdentity {
    /// PEM file of the certificate chain, leaf first.
    pub certificate: FileReference,
    /// PEM file of the private key.
    pub key: FileReference,
}

/// When a target that fails is left out for a while.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EjectionConfig {
    /// Failures in a window that leave it out, if they are half of its responses or more; zero: it never is.
    pub failures: u32,
    /// A response whose header section takes longer is a failure.
    pub slow: Option<Duration>,
    /// How long it is left out the first time.
    pub time: Duration,
}

/// One target of an upstream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetConfig {
    /// TLS is spoken to it.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path before every request's path; empty or `/a/b`, no trailing slash.
    pub base_path: String,
    /// Share of the requests relative to the other targets; at least 1.
    pub weight: u32,
    /// Its URL, for messages.
    #[serde(skip)]
    pub place: Place,
}

/// `[[route]]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteConfig {
    /// Unique name; log, metrics and plugins know the route by it.
    pub name: String,
    /// Its `[[route]]`, for messages.
    #[serde(rename = "line")]
    pub place: Place,
    /// Listeners that serve it; empty is all.
    pub listeners: Vec<String>,
    /// Hosts, lower case; empty is any.
    pub hosts: Vec<HostPattern>,
    /// Path template, normalised.
    pub path: PathTemplate,
    /// Methods; empty is any.
    pub methods: Vec<String>,
    /// Header fields that must be there, names in lower case.
    pub headers: Vec<(String, ValuePredicate)>,
    /// Query parameters that must be there.
    pub query: Vec<(String, ValuePredicate)>,
    /// Stages in order, named chains replaced by what they stand for.
    pub chain: Vec<StageConfig>,
    /// What answers.
    pub integration: IntegrationConfig,
    /// From the end of the request's header section to the end of the response's (504).
    pub timeout: Duration,
    /// Bytes of a request body (413 above); none is the listener's limit.
    pub body_bytes: Option<ByteSize>,
    /// What becomes of `%2F` in the path.
    pub encoded_slash: Encoded,
    /// What becomes of what is percent-encoded twice.
    pub encoded_percent: Encoded,
}

/// A host that a route serves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum HostPattern {
    /// This host.
    Exact(String),
    /// `*.example.com` as `example.com`: any host with at least one label more.
    Suffix(String),
}

/// A path with parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PathTemplate(pub Vec<PathSegment>);

/// One segment of a path template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum PathSegment {
    /// `users`, percent-decoded to the normal form of request paths. A trailing slash is a last empty segment.
    Static(String),
    /// `{id}`: exactly one segment, not empty.
    Parameter(String),
    /// `{rest+}`: one or more segments; always the last.
    Greedy(String),
    /// `{rest*}`: zero or more segments, with or without the slash before them; always the last.
    Rest(String),
}

/// What a header field or query parameter must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum ValuePredicate {
    /// Any value.
    Present,
    /// This value.
    Equals(String),
}

/// What answers a route.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum IntegrationConfig {
    /// `{ http = UPSTREAM }`
    Http(HttpIntegrationConfig),
    /// `{ respond = STATUS }`
    Respond(RespondConfig),
    /// `{ plugin = NAME }`
    Plugin(PluginIntegrationConfig),
}

/// `{ http = UPSTREAM, … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HttpIntegrationConfig {
    /// The upstream's name.
    pub upstream: String,
    /// The path sent instead of the request's.
    pub path: Option<ValueTemplate>,
    /// `Host` sent: the client's (true) or the target's.
    pub preserve_host: bool,
    /// Header fields set from captured values; a field whose value is absent is removed, so that no client can forge it.
    pub headers: Vec<(String, ValueTemplate)>,
}

/// Text with values of the exchange in it: `/v1/users/{id}`, `{auth.principal}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ValueTemplate(pub Vec<TemplatePart>);

impl ValueTemplate {
    /// Names of the path's parameters in it.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            TemplatePart::Path(name) => Some(name.as_str()),
            TemplatePart::Text(_) | TemplatePart::Attribute(_) | TemplatePart::Variable(_) => None,
        })
    }

    /// Names of the attributes in it.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            TemplatePart::Attribute(name) => Some(name.as_str()),
            TemplatePart::Text(_) | TemplatePart::Path(_) | TemplatePart::Variable(_) => None,
        })
    }

    /// Whether a header field of the request is in it.
    pub fn reads_header(&self) -> bool {
        let mut parts = self.0.iter();
        parts.any(|part| matches!(part, TemplatePart::Variable(Variable::Header(_))))
    }
}

/// One piece of a [`ValueTemplate`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum TemplatePart {
    /// As it stands.
    Text(String),
    /// A captured path parameter.
    Path(String),
    /// An attribute of the exchange, such as `auth.principal`.
    Attribute(String),
    /// What every exchange has, such as `client.address`.
    Variable(Variable),
}

impl IntegrationConfig {
    /// Values of header fields that it sets.
    pub fn values(&self) -> impl Iterator<Item = &ValueTemplate> {
        let fields = match self {
            Self::Http(http) => http.headers.as_slice(),
            Self::Respond(respond) => respond.headers.as_slice(),
            Self::Plugin(_) => &[],
        };
        fields.iter().map(|(_, value)| value)
    }
}

/// `{ respond = STATUS, … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RespondConfig {
    /// Status, 200–599.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, ValueTemplate)>,
    /// Body.
    pub body: String,
}

/// `{ plugin = NAME, … }` as integration
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PluginIntegrationConfig {
    /// Line in the file, for messages.
    #[serde(rename = "line")]
    pub place: Place,
    /// The plugin's name.
    pub plugin: String,
    /// Largest body passed to it (413 above).
    pub body_bytes: ByteSize,
    /// The plugin's own configuration.
    pub config: serde_json::Value,
}

impl std::fmt::Display for HostPattern {
    /// As the file writes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Suffix(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

impl std::fmt::Display for PathTemplate {
    /// As the file writes it, in normal form.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|segment| match segment {
            PathSegment::Static(text) => write!(f, "/{text}"),
            PathSegment::Parameter(name) => write!(f, "/{{{name}}}"),
            PathSegment::Greedy(name) => write!(f, "/{{{name}+}}"),
            PathSegment::Rest(name) => write!(f, "/{{{name}*}}"),
        })
    }
}
