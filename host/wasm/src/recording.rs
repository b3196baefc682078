//! Calls that are written down, for `gatewright replay`: which ones, and what of them. [`directory`] keeps the files.
//!
//! What a call was given is borrowed until it has ended, so nothing is kept of one that is not written down.

mod directory;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use gatewright_config::gateway::{RecordConfig, RecordOn};
use gatewright_core::{ExchangeId, Value};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::api::View;
use crate::failure::Failure;
use crate::log_gate::LogGate;
use crate::metrics::{Answered, Outcome, Service, Taken};
use crate::runtime::Runtime;

/// The shape of files; another number is another shape.
const FORMAT: u32 = 1;
/// Calls of services that are written down of one call.
const SERVICES: usize = 1_000;
/// In the place of what is not written down.
const REDACTED: &str = "[redacted]";
/// Secrets that are shorter turn up in texts that have nothing to do with them.
const SHORTEST_SECRET: usize = 6;

/// What a hook is given.
pub(crate) struct Inputs<'a> {
    pub(crate) view: View<'a>,
    pub(crate) identity: &'a [Option<&'a str>],
    pub(crate) body: Option<&'a [u8]>,
    pub(crate) response: Option<(StatusCode, &'a HeaderMap, Option<&'a [u8]>)>,
}

/// A call that has ended.
pub(crate) struct Call<'a> {
    pub(crate) inputs: Inputs<'a>,
    pub(crate) exchange: ExchangeId,
    pub(crate) taken: Taken,
    pub(crate) served: &'a Served,
    pub(crate) failure: Option<&'a Failure>,
}

/// The services that a call has used.
#[derive(Debug, Default)]
pub(crate) struct Served(Mutex<Vec<RecordedService>>);

impl Served {
    /// A service has answered, or has not.
    pub(crate) fn note(&self, service: Service, answered: Answered, nanos: u64) {
        let mut served = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if served.len() < SERVICES {
            served.push(RecordedService {
                service: service.as_str().to_owned(),
                outcome: answered.as_str().to_owned(),
                us: nanos / 1_000,
            });
        }
    }

    fn all(&self) -> Vec<RecordedService> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A call that was written down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recording {
    /// 1.
    pub format: u32,
    /// Milliseconds since 1970.
    pub unix_ms: u64,
    /// The exchange.
    pub exchange: String,
    /// The rule that it was written down for: how it failed, `slow`, or `sample`.
    pub rule: String,
    /// The plugin's name.
    pub plugin: String,
    /// Its file.
    pub file: PathBuf,
    /// SHA-256 of the file.
    pub digest: String,
    /// The version it gives itself.
    pub version: String,
    /// The interface.
    pub hook: String,
    /// How the call ended, as metrics have it.
    pub outcome: String,
    /// In the words of the access record.
    pub failure: Option<String>,
    /// Time waiting for a place, in microseconds.
    pub queue_us: u64,
    /// Time after that.
    pub wall_us: u64,
    /// Processor time.
    pub cpu_us: u64,
    /// Its limits.
    pub limits: RecordedLimits,
    /// Its configuration.
    pub config: Json,
    /// The route.
    pub route: String,
    /// What an authorizer's decision depends on.
    pub identity: Vec<Option<String>>,
    /// The request.
    pub request: RecordedRequest,
    /// The response, for hooks that see one.
    pub response: Option<RecordedResponse>,
    /// The services it used, in the order in which they answered; not what they answered.
    pub services: Vec<RecordedService>,
}

/// A service that a call has used.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedService {
    /// The grant's key, as metrics have it.
    pub service: String,
    /// How it ended, as metrics have it.
    pub outcome: String,
    /// Its time, in microseconds.
    pub us: u64,
}

/// Limits of a plugin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedLimits {
    /// Linear memory.
    pub memory_bytes: u64,
    /// Wall time.
    pub time_ms: u64,
    /// Processor time.
    pub cpu_ms: u64,
}

/// A request as a plugin was given it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedRequest {
    /// Method.
    pub method: String,
    /// Path, without the query.
    pub path: String,
    /// Host and port.
    pub authority: String,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// Whether the client spoke TLS.
    pub tls: bool,
    /// Header fields.
    pub fields: Vec<(String, String)>,
    /// What the path captured.
    pub parameters: Vec<(String, String)>,
    /// What stages before it found out.
    pub attributes: Vec<(String, Json)>,
    /// Body, where it is written down.
    pub body: Option<RecordedBody>,
}

/// A response as a plugin was given it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedResponse {
    /// Status.
    pub status: u16,
    /// Header fields.
    pub fields: Vec<(String, String)>,
    /// Body, where it is written down.
    pub body: Option<RecordedBody>,
}

/// A body.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum RecordedBody {
    /// As it is.
    #[serde(rename = "text")]
    Text(String),
    /// In hexadecimal, because it is no text.
    #[serde(rename = "hex")]
    Hex(String),
}

/// Writes down the calls of one plugin.
pub(crate) struct Recorder {
    config: RecordConfig,
    secrets: Vec<String>,
    calls: AtomicU64,
    /// A plugin that fails all the time is written down once a second.
    gate: LogGate,
}

impl Recorder {
    pub(crate) fn new(config: RecordConfig, secrets: impl Iterator<Item = String>) -> Self {
        Self {
            config,
            secrets: secrets.filter(|secret| secret.len() >= SHORTEST_SECRET).collect(),
            calls: AtomicU64::new(0),
            gate: LogGate::new(),
        }
    }

    /// Writes down a call that has ended, if a rule says so.
    pub(crate) fn consider(&self, runtime: &Runtime, call: &Call<'_>) {
        let outcome = call.failure.map_or(Outcome::Ok, Outcome::from);
        let Some(rule) = self.rule(outcome, call.taken.wall) else {
            return;
        };
        if self.gate.open().is_some() {
            let recording = self.recording(runtime, call, rule);
            directory::keep(recording, self.config.directory.clone(), self.config.directory_bytes.0);
        }
    }

    fn rule(&self, outcome: Outcome, wall: Duration) -> Option<&'static str> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let on = match outcome {
            Outcome::Fault => Some(RecordOn::Fault),
            Outcome::Trap => Some(RecordOn::Trap),
            Outcome::Timeout => Some(RecordOn::Timeout),
            Outcome::OutputRefused => Some(RecordOn::Output),
            // The plugin was not asked, or nobody wanted its answer any more.
            Outcome::Saturated | Outcome::Resting | Outcome::Cancelled => return None,
            Outcome::Ok => None,
        };
        if on.is_some_and(|on| self.config.on.contains(&on)) {
            return Some(outcome.as_str());
        }
        if self.config.slower_than.is_some_and(|limit| wall > limit) {
            return Some("slow");
        }
        let sampled = |every: u32| number.is_multiple_of(every.into());
        self.config.sample.is_some_and(sampled).then_some("sample")
    }

    fn recording(&self, runtime: &Runtime, call: &Call<'_>, rule: &str) -> Recording {
        let Call {
            inputs,
            exchange,
            taken,
            served,
            failure,
        } = call;
        let summary = runtime.plugin().summary();
        let limits = &runtime.plugin().caller().limits;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let config = serde_json::from_str(&self.concealed(runtime.config()));
        Recording {
            format: FORMAT,
            unix_ms: millis(since.unwrap_or_default()),
            exchange: exchange.to_string(),
            rule: rule.to_owned(),
            plugin: summary.name.clone(),
            file: summary.file.clone(),
            digest: summary.digest.clone(),
            version: summary.version.clone(),
            hook: taken.kind.as_str().to_owned(),
            outcome: failure.map_or(Outcome::Ok, Outcome::from).as_str().to_owned(),
            failure: failure.map(|failure| self.concealed(&failure.to_string())),
            queue_us: micros(taken.queue),
            wall_us: micros(taken.wall),
            cpu_us: micros(taken.processor),
            limits: RecordedLimits {
                memory_bytes: limits.memory_bytes as u64,
                time_ms: millis(limits.time),
                cpu_ms: limits.cpu_ticks.into(),
            },
            config: config.unwrap_or_default(),
            route: inputs.view.route.to_owned(),
            identity: self.identity(inputs),
            request: self.request(inputs),
            response: inputs.response.map(|(status, headers, body)| RecordedResponse {
                status: status.as_u16(),
                fields: self.fields(headers),
                body: self.body(body),
            }),
            services: served.all(),
        }
    }

    fn request(&self, inputs: &Inputs<'_>) -> RecordedRequest {
        let View {
            client,
            request,
            parameters,
            attributes,
            ..
        } = inputs.view;
        RecordedRequest {
            method: request.method.to_string(),
            path: self.concealed(request.path()),
            authority: String::from_utf8_lossy(request.authority.as_bytes()).into_owned(),
            client: client.address,
            tls: client.tls,
            fields: self.fields(&request.headers),
            parameters: parameters
                .iter()
                .map(|(name, value)| (name.to_owned(), self.concealed(value)))
                .collect(),
            attributes: attributes
                .iter()
                .map(|(name, value)| (name.to_owned(), self.attribute(name, value)))
                .collect(),
            body: self.body(inputs.body),
        }
    }

    /// Whoever knows the value of an identity may be let pass by it.
    fn identity(&self, inputs: &Inputs<'_>) -> Vec<Option<String>> {
        let headers = &inputs.view.request.headers;
        let kept = |value: &str| {
            let mut names = self.config.fields.iter();
            names.any(|name| {
                headers
                    .get_all(name)
                    .iter()
                    .any(|known| known.as_bytes() == value.as_bytes())
            })
        };
        let shown = |value: &str| match kept(value) {
            true => self.concealed(value),
            false => REDACTED.to_owned(),
        };
        inputs.identity.iter().map(|value| value.map(shown)).collect()
    }

    fn fields(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        let shown = |name: &str, value: &[u8]| match self.config.fields.iter().any(|kept| kept == name) {
            true => self.concealed(&String::from_utf8_lossy(value)),
            false => REDACTED.to_owned(),
        };
        let fields = headers.iter();
        fields
            .map(|(name, value)| (name.as_str().to_owned(), shown(name.as_str(), value.as_bytes())))
            .collect()
    }

    fn attribute(&self, name: &str, value: &Value) -> Json {
        match value {
            // The key that a client sent, as often as not.
            _ if name == "auth.usage_key" => REDACTED.into(),
            Value::Number(number) => (*number).into(),
            Value::Integer(integer) => (*integer).into(),
            Value::Truth(truth) => (*truth).into(),
            Value::Json(text) => serde_json::from_str(&self.concealed(text)).unwrap_or_default(),
            text @ (Value::Text(_) | Value::Bytes(_)) => self.concealed(&text.to_string()).into(),
        }
    }

    fn body(&self, body: Option<&[u8]>) -> Option<RecordedBody> {
        let body = body.filter(|body| self.config.bodies && !body.is_empty())?;
        Some(match std::str::from_utf8(body) {
            Ok(text) => RecordedBody::Text(self.concealed(text)),
            Err(_) => RecordedBody::Hex(body.iter().map(|byte| format!("{byte:02x}")).collect()),
        })
    }

    fn concealed(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), REDACTED);
            }
        }
        text
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
