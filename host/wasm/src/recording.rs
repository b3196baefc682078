//! Calls that are written down, for `gatewright replay`: which ones, and what of them.
//!
//! - [`file`]: the shape of a recording
//! - [`served`]: what services answered in a call
//! - [`filtering`]: the calls of a filter, which are one
//! - [`directory`]: where files are kept
//!
//! What a call was given is borrowed until it has ended, so nothing is kept of one that is not written down.

mod directory;
mod file;
mod filtering;
mod served;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use gatewright_config::cases::{Content, ServiceAnswer};
use gatewright_config::gateway::{RecordConfig, RecordOn};
use gatewright_core::{ExchangeId, Value};
use http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

pub use self::file::{RecordedChunk, RecordedLimits, RecordedRequest, RecordedResponse, RecordedService, Recording};
pub(crate) use self::filtering::FilterRecording;
pub(crate) use self::served::{Keeper, Served};
use crate::api::View;
use crate::failure::Failure;
use crate::log_gate::LogGate;
use crate::metrics::{Outcome, Taken};
use crate::runtime::Runtime;

/// The shape of files; another number is another shape.
const FORMAT: u32 = 2;
/// In the place of what is not written down.
pub(crate) const REDACTED: &str = "[redacted]";
/// Fields whose values are not looked for elsewhere.
const OF_THE_CONNECTION: [&str; 5] = [
    "forwarded",
    "host",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];
/// Secrets that are shorter turn up in texts that have nothing to do with them.
const SHORTEST_SECRET: usize = 6;
/// Fields whose parts are as secret as they are.
const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

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

/// A recording of a call that may not have ended.
struct Draft {
    recording: Recording,
    /// What was redacted: it is wherever else it turns up.
    private: Vec<String>,
    /// Secrets of the plugin's configuration.
    secrets: Vec<String>,
}

/// Writes down the calls of one plugin.
pub(crate) struct Recorder {
    config: Arc<RecordConfig>,
    secrets: Vec<String>,
    calls: AtomicU64,
    /// A plugin that fails all the time is written down once a second.
    gate: LogGate,
}

impl Recorder {
    pub(crate) fn new(config: RecordConfig, secrets: impl Iterator<Item = String>) -> Self {
        Self {
            config: Arc::new(config),
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
            let Call {
                inputs,
                exchange,
                taken,
                served,
                failure,
            } = call;
            let draft = self.draft(runtime, inputs, *exchange, taken.kind.as_str());
            self.keep(draft, rule, taken, *failure, served);
        }
    }

    /// Somebody who notes what services answer in a call that may be written down.
    pub(crate) fn listen(&self) -> Arc<Served> {
        Arc::new(Served::new(Arc::clone(&self.config)))
    }

    /// Writes down what was begun.
    fn keep(&self, draft: Draft, rule: &str, taken: &Taken, failure: Option<&Failure>, served: &Served) {
        let Draft {
            recording,
            private,
            secrets,
        } = draft;
        let (mut services, services_left_out) = served.all();
        for service in &mut services {
            service.ask = self.hidden(&private, &service.ask);
            self.conceal(&private, &mut service.answer);
        }
        let recording = Recording {
            rule: rule.to_owned(),
            outcome: failure.map_or(Outcome::Ok, Outcome::from).as_str().to_owned(),
            failure: failure.map(|failure| self.hidden(&private, &failure.to_string())),
            queue_us: micros(taken.queue),
            wall_us: micros(taken.wall),
            cpu_us: micros(taken.processor),
            services,
            services_left_out,
            ..recording
        };
        let Some(recording) = without(recording, &secrets) else {
            return;
        };
        directory::keep(recording, self.config.directory.clone(), self.config.directory_bytes.0);
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

    /// What is known of a call when it begins.
    fn draft(&self, runtime: &Runtime, inputs: &Inputs<'_>, exchange: ExchangeId, hook: &str) -> Draft {
        let summary = runtime.plugin().summary();
        let limits = &runtime.plugin().caller().limits;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let settings = runtime.settings();
        let config = serde_json::from_str(&self.concealed(&settings.shown().to_string()));
        let recording = Recording {
            format: FORMAT,
            unix_ms: millis(since.unwrap_or_default()),
            exchange: exchange.to_string(),
            rule: String::new(),
            plugin: summary.name.clone(),
            file: summary.file.clone(),
            digest: summary.digest.clone(),
            version: summary.version.clone(),
            hook: hook.to_owned(),
            outcome: String::new(),
            failure: None,
            queue_us: 0,
            wall_us: 0,
            cpu_us: 0,
            limits: RecordedLimits {
                memory_bytes: limits.memory_bytes as u64,
                time_ms: millis(limits.time),
                cpu_ms: limits.cpu_ticks.into(),
            },
            config: config.unwrap_or_default(),
            config_redacted: settings.hidden().map(str::to_owned).collect(),
            route: inputs.view.route.to_owned(),
            identity: self.identity(inputs),
            request: self.request(inputs),
            response: inputs.response.map(|(status, headers, body)| RecordedResponse {
                status: status.as_u16(),
                fields: self.fields(headers),
                body: self.body(body),
            }),
            services: Vec::new(),
            services_left_out: 0,
            chunks: Vec::new(),
            chunks_left_out: 0,
        };
        let private = self.private(inputs);
        let secrets = settings.secrets().iter();
        let secrets = secrets
            .filter(|secret| secret.len() >= SHORTEST_SECRET)
            .cloned()
            .collect();
        Draft {
            recording,
            private,
            secrets,
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
        let (query, query_redacted) = self.query(request.query());
        RecordedRequest {
            method: request.method.to_string(),
            path: self.concealed(request.path()),
            query,
            query_redacted,
            authority: String::from_utf8_lossy(request.authority.as_bytes()).into_owned(),
            client: client.address.known(),
            tls: request.secure,
            fields: self.fields(&request.headers),
            parameters: parameters
                .iter()
                .map(|(name, value)| (name.to_owned(), self.concealed(value)))
                .collect(),
            attributes: attributes
                .iter()
                .map(|(name, value)| (name.to_string(), self.attribute(&name, &value)))
                .collect(),
            body: self.body(inputs.body),
        }
    }

    /// The query as it is written down, and whether anything of it is not.
    fn query(&self, query: Option<&str>) -> (Option<String>, bool) {
        let Some(query) = query else { return (None, false) };
        if self.config.query.is_empty() {
            return (None, true);
        }
        let mut redacted = false;
        let pairs = query.split('&').map(|pair| {
            if self.keeps_parameter(pair) {
                return self.concealed(pair);
            }
            redacted |= !pair.is_empty();
            match pair.split_once('=') {
                Some((name, value)) => format!("{}={}", self.concealed(name), "*".repeat(value.len())),
                // It may be a value as well as a name.
                None => "*".repeat(pair.len()),
            }
        });
        let query = pairs.collect::<Vec<_>>().join("&");
        (Some(query), redacted)
    }

    /// Whether a parameter of a query is one of those whose values are written down.
    fn keeps_parameter(&self, pair: &str) -> bool {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name).replace('+', " ");
        let name = percent_decode_str(&name).decode_utf8_lossy();
        self.config.query.iter().any(|kept| *kept == name)
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
        let mut fields = served::fields(headers, &self.config.fields);
        fields.iter_mut().for_each(|(_, value)| *value = self.concealed(value));
        fields
    }

    /// Values that are redacted here, and what credentials are made of.
    fn private(&self, inputs: &Inputs<'_>) -> Vec<String> {
        let mut private = Vec::new();
        let headers = inputs.view.request.headers.iter();
        let headers = headers.chain(inputs.response.iter().flat_map(|(_, headers, _)| headers.iter()));
        for (name, value) in headers {
            let Ok(value) = value.to_str() else { continue };
            // What the gateway says of the connection is no secret of the client's: hosts and addresses are in what plugins
            // ask for by the operator's own names.
            if OF_THE_CONNECTION.contains(&name.as_str()) || self.config.fields.iter().any(|kept| kept == name.as_str())
            {
                continue;
            }
            private.push(value.to_owned());
            if CREDENTIALS.contains(&name.as_str()) {
                let parts = value.split([' ', ';', ',', '=']);
                private.extend(parts.map(str::to_owned));
            }
        }
        let query = inputs.view.request.query().unwrap_or_default();
        private.extend(
            query
                .split('&')
                .filter(|pair| !self.keeps_parameter(pair))
                .filter_map(|pair| Some(pair.split_once('=')?.1.to_owned())),
        );
        private.retain(|value| value.len() >= SHORTEST_SECRET);
        // What is part of another one must not break it in pieces that are left.
        private.sort_by_key(|value| std::cmp::Reverse(value.len()));
        private
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

    fn body(&self, body: Option<&[u8]>) -> Option<Content> {
        let body = body.filter(|body| self.config.bodies && !body.is_empty())?;
        let mut content = Content::shown(body);
        content.text = content.text.map(|text| self.concealed(&text));
        Some(content)
    }

    /// What a service answered, or what it has of texts.
    fn conceal(&self, private: &[String], answer: &mut ServiceAnswer) {
        let content = match answer {
            ServiceAnswer::Value(value) => value,
            ServiceAnswer::Entry(entry) => &mut entry.value,
            ServiceAnswer::Response(response) => {
                let fields = response.fields.iter_mut();
                fields.for_each(|(_, value)| *value = self.hidden(private, value));
                &mut response.body
            }
            ServiceAnswer::Error(error) => {
                error.text = self.hidden(private, &error.text);
                return;
            }
            ServiceAnswer::Done
            | ServiceAnswer::Absent
            | ServiceAnswer::Never
            | ServiceAnswer::Number(_)
            | ServiceAnswer::Bucket(_) => return,
        };
        self.conceal_content(private, content);
    }

    fn conceal_content(&self, private: &[String], content: &mut Content) {
        if let Some(text) = &mut content.text {
            *text = self.hidden(private, text);
        }
    }

    /// Without secrets and without what is redacted in the call's inputs.
    fn hidden(&self, private: &[String], text: &str) -> String {
        replaced(self.concealed(text), private)
    }

    fn concealed(&self, text: &str) -> String {
        replaced(text.to_owned(), &self.secrets)
    }
}

/// The recording without these secrets in any of its texts; none when it cannot be written at all.
fn without(recording: Recording, secrets: &[String]) -> Option<Recording> {
    if secrets.is_empty() {
        return Some(recording);
    }
    let mut json = serde_json::to_value(recording).ok()?;
    clean(&mut json, secrets);
    serde_json::from_value(json).ok()
}

fn clean(json: &mut Json, secrets: &[String]) {
    match json {
        Json::String(text) => *text = replaced(std::mem::take(text), secrets),
        Json::Array(items) => items.iter_mut().for_each(|item| clean(item, secrets)),
        Json::Object(members) => members.values_mut().for_each(|member| clean(member, secrets)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

fn replaced(mut text: String, values: &[String]) -> String {
    for value in values {
        if text.contains(value.as_str()) {
            text = text.replace(value.as_str(), REDACTED);
        }
    }
    text
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
