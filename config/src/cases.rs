//! What a file of cases for a plugin means: exchanges, and what must come of each.
//!
//! Checked by `resolve`, as a gateway's configuration is: whoever runs the cases need not check them again.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;

use crate::error::ConfigErrors;
pub use crate::file::{
    BucketAnswer, CaseFailure, Content, Decision, Effect, EntryAnswer, ErrorAnswer, ExpectStatement, FaultKind,
    FieldExpectation, HookName, OutboundFailure, ResponseAnswer, Role, ServiceAnswer,
};
use crate::gateway::{IdentitySource, OriginGrant, PluginConfig};
use crate::report::Report;
use crate::{document, resolve};

/// A whole file.
#[derive(Clone, Debug)]
pub struct CaseFile {
    /// Limits and grants of the plugin.
    pub plugin: PluginConfig,
    /// The cases in the order of the file.
    pub cases: Vec<PluginCase>,
}

/// One case.
#[derive(Clone, Debug)]
pub struct PluginCase {
    /// Unique in its file.
    pub name: String,
    /// Line in its file.
    pub line: usize,
    /// The plugin's own configuration.
    pub config: Value,
    /// What services answer.
    pub services: CaseServices,
    /// What it is used as; none: what it can be, a stage first.
    pub role: Option<Role>,
    /// The only hook that is asked.
    pub hook: Option<HookName>,
    /// What an authorizer's decision depends on.
    pub identity: Vec<IdentitySource>,
    /// How long a decision could be reused.
    pub cache: Duration,
    /// Name of the route.
    pub route: String,
    /// What comes in.
    pub request: CaseRequest,
    /// What the upstream answers.
    pub response: Option<CaseResponse>,
    /// What must come out.
    pub expect: Expectation,
}

/// The request of a case.
#[derive(Clone, Debug)]
pub struct CaseRequest {
    /// Method.
    pub method: Method,
    /// Path in normal form, and query.
    pub target: PathAndQuery,
    /// Host and port.
    pub authority: HeaderValue,
    /// The host alone, in lower case.
    pub host: String,
    /// Header fields.
    pub headers: HeaderMap,
    /// Body; empty for none.
    pub body: Vec<u8>,
    /// Bytes of the chunks in which it comes; none: all at once.
    pub chunks: Vec<u32>,
    /// The client's address.
    pub client: IpAddr,
    /// Whether the client spoke TLS.
    pub tls: bool,
    /// What the path captured; one that has a `/` in it is the last.
    pub parameters: Vec<(String, String)>,
    /// Attributes with their full names.
    pub attributes: BTreeMap<String, Value>,
}

/// The upstream's response of a case.
#[derive(Clone, Debug)]
pub struct CaseResponse {
    /// Status.
    pub status: StatusCode,
    /// Header fields.
    pub headers: HeaderMap,
    /// Body; empty for none.
    pub body: Vec<u8>,
    /// Bytes of the chunks in which it comes; none: all at once.
    pub chunks: Vec<u32>,
}

/// What must come out. What is none, or not named, may be anything.
#[derive(Clone, Debug, Default)]
pub struct Expectation {
    /// What an authorizer decides.
    pub decision: Option<Decision>,
    /// Whom it lets pass.
    pub principal: Option<String>,
    /// Whom usage is counted for.
    pub usage_key: Option<String>,
    /// What the caller may do.
    pub scopes: Option<Vec<String>>,
    /// Names without `auth.`.
    pub context: BTreeMap<String, Value>,
    /// How long it says that its decision may be reused.
    pub ttl: Option<Duration>,
    /// What it grants, statement by statement.
    pub policy: Option<Vec<ExpectStatement>>,
    /// Part of a denial's reason.
    pub reason: Option<String>,
    /// Status of the response.
    pub status: Option<u16>,
    /// Header fields of the response.
    pub headers: Vec<(HeaderName, FieldExpectation)>,
    /// Body of the response.
    pub body: Option<ExpectedBody>,
    /// The request as it goes on.
    pub request: Option<ExpectedRequest>,
    /// Attributes afterwards, with their full names.
    pub attributes: BTreeMap<String, Value>,
    /// What is in key-value stores afterwards.
    pub kv: BTreeMap<String, BTreeMap<String, ExpectedValue>>,
    /// What is in caches afterwards.
    pub cache: BTreeMap<String, BTreeMap<String, ExpectedValue>>,
    /// What counters have counted afterwards.
    pub counters: BTreeMap<String, BTreeMap<String, i64>>,
    /// Which fault it reports.
    pub fault: Option<FaultKind>,
    /// How the call fails; none: it must not.
    pub failure: Option<CaseFailure>,
    /// Part of what is said of the failure.
    pub message: Option<String>,
    /// What the plugin refuses in its configuration.
    pub at: Option<String>,
}

impl Expectation {
    /// Whether the client gets its response from the plugin.
    pub fn wants_response(&self) -> bool {
        self.status.is_some() || self.body.is_some() || !self.headers.is_empty()
    }
}

/// The request as it goes on.
#[derive(Clone, Debug, Default)]
pub struct ExpectedRequest {
    /// Method.
    pub method: Option<String>,
    /// Path and query.
    pub path: Option<String>,
    /// Host and port that the upstream is told.
    pub host: Option<String>,
    /// Header fields.
    pub headers: Vec<(HeaderName, FieldExpectation)>,
    /// Body.
    pub body: Option<ExpectedBody>,
}

/// What a body must be.
#[derive(Clone, Debug, PartialEq)]
pub enum ExpectedBody {
    /// This text, byte for byte.
    Text(String),
    /// JSON with this meaning.
    Json(Value),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// What must be under a key.
#[derive(Clone, Debug, PartialEq)]
pub enum ExpectedValue {
    /// Something.
    Present,
    /// Nothing.
    Absent,
    /// This.
    Body(ExpectedBody),
}

/// Contents of stores by name, and in each of them by key.
pub type Contents = BTreeMap<String, BTreeMap<String, Vec<u8>>>;

/// What services answer. What is named is granted.
#[derive(Clone, Debug, Default)]
pub struct CaseServices {
    /// Secrets and their values.
    pub secrets: BTreeMap<String, String>,
    /// What is in key-value stores.
    pub kv: Contents,
    /// What is in caches.
    pub cache: Contents,
    /// What counters have counted.
    pub counters: BTreeMap<String, BTreeMap<String, i64>>,
    /// Tokens left in buckets.
    pub buckets: BTreeMap<String, BTreeMap<String, u32>>,
    /// Requests that must be sent, and no others.
    pub http: Vec<CaseOutbound>,
    /// Why stores, caches and counters do not answer.
    pub unavailable: Option<String>,
    /// Every call of a service, in this order; none: answered by the rest.
    pub calls: Option<Vec<CaseCall>>,
    /// What the clocks say.
    pub time: Option<Duration>,
    /// Of random numbers.
    pub seed: Option<u64>,
}

/// A call of a service, and its answer.
#[derive(Clone, Debug)]
pub struct CaseCall {
    /// The function and what it is asked for.
    pub ask: String,
    /// What is answered.
    pub answer: ServiceAnswer,
}

/// A request of a plugin, and its answer.
#[derive(Clone, Debug)]
pub struct CaseOutbound {
    /// Line in the file of cases.
    pub line: usize,
    /// Method.
    pub method: Method,
    /// Scheme, host and port.
    pub origin: OriginGrant,
    /// Path in normal form, and query.
    pub target: PathAndQuery,
    /// What else it must be.
    pub request: ExpectedRequest,
    /// What comes back.
    pub answer: Result<CaseResponse, OutboundFailure>,
}

/// Reads and checks a file of cases.
///
/// # Errors
/// When the file cannot be read or is not UTF-8, and for every mistake in it.
pub fn load_cases(path: &Path) -> Result<CaseFile, ConfigErrors> {
    parse_cases(&crate::read(path)?, path)
}

/// Checks the text of a file of cases. `path` names it in messages.
///
/// # Errors
/// For every mistake in the text.
pub fn parse_cases(text: &str, path: &Path) -> Result<CaseFile, ConfigErrors> {
    let mut report = Report::new(path, text);
    let cases = document::parse(text, 0, &mut report).map(|root| {
        let file = document::cases(&root, &mut report);
        let cases = resolve::cases(file, &mut report);
        report.find_keys(&root);
        cases
    });
    report.finish(cases)
}

/// Names of cases with the lines where they are, to find one that is there twice.
pub(crate) type CaseLines = HashMap<String, usize>;
