//! `gatewright replay`: a call of a plugin that a gateway has written down, once more; and as a case for `plugin test`.
//! What is run is the case, so that the case does what the replay did.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use gatewright_config::cases::{CaseFailure, CaseFile, parse_cases};
use gatewright_wasm::{RecordedBody, Recording};
use serde_json::Value as Json;
use toml::{Table, Value};

use super::files::FILE_BYTES;
use crate::cli::output::{failure, mistake, print};
use crate::cli::run::log_messages;
use crate::trial::Trial;
use crate::trial::observe::{Observed, observe};

/// The shape of files that is understood.
const FORMAT: u32 = 1;

/// Run a call of a plugin again that a gateway has written down (`[plugin.NAME.record]`).
///
/// The plugin runs in the host that a gateway has, with the limits that it had. What was redacted is redacted here too, and
/// services have nothing granted. Ends with 0 when the call ends as it did then, and with 1 when it does not.
#[derive(Debug, Args)]
pub(in crate::cli) struct Replay {
    /// The file of the call.
    recording: PathBuf,
    /// The plugin's `.wasm` file. Default: the one that was called then.
    #[arg(long)]
    plugin: Option<PathBuf>,
    /// Write the call as a case for `gatewright plugin test` into this file, which must not be there yet.
    #[arg(long, value_name = "FILE")]
    case: Option<PathBuf>,
    /// Multiplies the plugin's limits of time, for machines that are slower.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    patience: u32,
    /// Which messages are written to standard error, as of `gatewright run`.
    #[arg(long, default_value = "error,gatewright::plugin=info")]
    log: String,
}

impl Replay {
    /// Does it.
    pub(in crate::cli) fn execute(self) -> ExitCode {
        log_messages(&self.log);
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return failure(error),
        };
        match runtime.block_on(self.replay()) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => mistake(error),
        }
    }

    /// Whether the call ended as it did then.
    async fn replay(&self) -> Result<bool, String> {
        let recording = read(&self.recording)?;
        let text = case_text(&recording)?;
        let mut cases = parse_cases(&text, &self.recording).map_err(|error| error.to_string())?;
        put_bodies(&mut cases, &recording)?;
        let wasm = self.plugin.as_deref().unwrap_or(&recording.file);
        let mut limits = cases.plugin;
        limits.time = limits.time.saturating_mul(self.patience);
        limits.cpu = limits.cpu.saturating_mul(self.patience);
        let text_of = |error: gatewright_wasm::PluginError| error.to_string();
        let trial = Trial::new(None, FILE_BYTES).map_err(text_of)?;
        let plugin = super::patiently(wasm, trial.load(wasm, &limits))
            .await
            .map_err(text_of)?;
        let case = cases.cases.first().ok_or("there is no call in the file")?;
        if plugin.summary().digest != recording.digest {
            print(format_args!(
                "note: {} is not the file that was called then: version {} now, {} then\n",
                wasm.display(),
                plugin.summary().version,
                recording.version
            ));
        }
        let observed = observe(&trial, &plugin, case).await;
        print(lines(&recording, &observed));
        print(services(&recording));
        if let Some(file) = &self.case {
            write(file, &text)?;
            print(format_args!("written as a case: {}\n", file.display()));
        }
        Ok(ended(&observed) == then(&recording))
    }
}

fn read(file: &Path) -> Result<Recording, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let recording: Recording =
        serde_json::from_str(&text).map_err(|error| format!("{} is no recorded call: {error}", file.display()))?;
    match recording.format {
        FORMAT => Ok(recording),
        other => Err(format!(
            "{} has format {other}, and this gatewright reads format {FORMAT}",
            file.display()
        )),
    }
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).open(file);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| format!("cannot write {}: {error}", file.display()))
}

fn lines(recording: &Recording, observed: &Observed) -> String {
    let said = |message: Option<&str>| message.map(|message| format!(": {message}")).unwrap_or_default();
    let now = observed.failure.as_ref().map(|broken| broken.message.as_str());
    let verdict = match ended(observed) == then(recording) {
        true => "reproduced",
        false => "not reproduced",
    };
    format!(
        "{} of {} {} on route {}\n  then: {} after {} µs{}\n  now:  {} after {} µs{}\n{verdict}\n",
        recording.hook,
        recording.plugin,
        recording.version,
        recording.route,
        name(then(recording)),
        recording.wall_us,
        said(recording.failure.as_deref()),
        name(ended(observed)),
        observed.time.as_micros(),
        said(now),
    )
}

/// What is missing here of what the plugin had then.
fn services(recording: &Recording) -> String {
    let used = recording.services.iter();
    let used: Vec<_> = used
        .map(|used| format!("{} ({})", used.service, used.outcome))
        .collect();
    match used.is_empty() {
        true => String::new(),
        false => format!(
            "note: it used services, which grant nothing here: {}\n",
            used.join(", ")
        ),
    }
}

/// How the call failed then.
fn then(recording: &Recording) -> Option<CaseFailure> {
    match recording.outcome.as_str() {
        "fault" => Some(CaseFailure::Fault),
        "trap" => Some(CaseFailure::Trap),
        "timeout" => Some(CaseFailure::Timeout),
        "output_refused" => Some(CaseFailure::Output),
        _ => None,
    }
}

fn ended(observed: &Observed) -> Option<CaseFailure> {
    // What has no kind is a failure of the replay, and never the one that was recorded.
    let broken = observed.failure.as_ref();
    broken.map(|broken| broken.kind.unwrap_or(CaseFailure::Config))
}

fn name(failure: Option<CaseFailure>) -> &'static str {
    match failure {
        None => "ok",
        Some(CaseFailure::Fault) => "fault",
        Some(CaseFailure::Trap) => "trap",
        Some(CaseFailure::Timeout) => "timeout",
        Some(CaseFailure::Output) => "output",
        Some(CaseFailure::Body) => "body",
        Some(CaseFailure::Config) => "config",
    }
}

/// A body that is no text has no place in a case.
fn put_bodies(cases: &mut CaseFile, recording: &Recording) -> Result<(), String> {
    let bytes = |body: &Option<RecordedBody>| match body {
        Some(RecordedBody::Hex(hex)) => unhex(hex).map(Some).ok_or("a body in the file is not hexadecimal"),
        Some(RecordedBody::Text(_)) | None => Ok(None),
    };
    for case in &mut cases.cases {
        if let Some(body) = bytes(&recording.request.body)? {
            case.request.body = body;
        }
        if let (Some(case), Some(recorded)) = (&mut case.response, &recording.response)
            && let Some(body) = bytes(&recorded.body)?
        {
            case.body = body;
        }
    }
    Ok(())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let pair = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    rest.is_empty().then(|| pairs.iter().map(pair).collect())?
}

/// The call as a file of cases.
fn case_text(recording: &Recording) -> Result<String, String> {
    let request = &recording.request;
    let mut fields = request.fields.clone();
    let mut sources = Vec::new();
    for (number, value) in recording.identity.iter().enumerate() {
        let name = format!("x-recorded-identity-{number}");
        sources.push(Value::from(format!("header:{name}")));
        fields.extend(value.iter().map(|value| (name.clone(), value.clone())));
    }
    let mut case = Table::new();
    let name = format!(
        "{} of {} as recorded at {}",
        recording.hook, recording.route, recording.unix_ms
    );
    case.insert("name".into(), name.into());
    let role = if recording.hook == "integration" {
        "integration"
    } else {
        "stage"
    };
    case.insert("as".into(), role.into());
    case.insert("route".into(), recording.route.clone().into());
    if !sources.is_empty() {
        case.insert("identity".into(), sources.into());
    }
    let mut shown = Table::new();
    shown.insert("method".into(), request.method.clone().into());
    shown.insert("path".into(), request.path.clone().into());
    shown.insert("host".into(), request.authority.clone().into());
    shown.insert("tls".into(), request.tls.into());
    if let Some(client) = request.client {
        shown.insert("client".into(), client.to_string().into());
    }
    shown.insert("headers".into(), headers(&fields).into());
    let parameters = request.parameters.iter();
    let parameters = parameters.map(|(name, value)| (name.clone(), Value::from(value.clone())));
    shown.insert("parameters".into(), Value::Table(parameters.collect()));
    let attributes = request.attributes.iter();
    let attributes = attributes.filter_map(|(name, value)| Some((name.clone(), self::value(value)?)));
    shown.insert("attributes".into(), Value::Table(attributes.collect()));
    if let Some(RecordedBody::Text(text)) = &request.body {
        shown.insert("body".into(), text.clone().into());
    }
    case.insert("request".into(), shown.into());
    if let Some(response) = &recording.response {
        let mut shown = Table::new();
        shown.insert("status".into(), i64::from(response.status).into());
        shown.insert("headers".into(), headers(&response.fields).into());
        if let Some(RecordedBody::Text(text)) = &response.body {
            shown.insert("body".into(), text.clone().into());
        }
        case.insert("response".into(), shown.into());
    }
    if let Some(failure) = then(recording) {
        let expected = Table::from_iter([("failure".to_owned(), Value::from(self::name(Some(failure))))]);
        case.insert("expect".into(), expected.into());
    }
    let limits = [
        ("memory", format!("{}B", recording.limits.memory_bytes)),
        ("time", format!("{}ms", recording.limits.time_ms.max(1))),
        ("cpu", format!("{}ms", recording.limits.cpu_ms.max(1))),
    ];
    let limits = limits.map(|(name, value)| (name.to_owned(), Value::from(value)));
    let mut whole = Table::new();
    whole.insert("plugin".into(), Value::Table(limits.into_iter().collect()));
    if let Some(config @ Value::Table(_)) = value(&recording.config) {
        whole.insert("config".into(), config);
    }
    whole.insert("case".into(), vec![Value::from(case)].into());
    toml::to_string_pretty(&whole).map_err(|error| format!("the call cannot be written as a case: {error}"))
}

/// By name; a field that comes several times has a list.
fn headers(fields: &[(String, String)]) -> Table {
    let mut headers = Table::new();
    for (name, value) in fields {
        match headers.get_mut(name) {
            Some(Value::Array(values)) => values.push(value.clone().into()),
            _ => {
                headers.insert(name.clone(), vec![Value::from(value.clone())].into());
            }
        }
    }
    headers
}

/// TOML has no null, so what is null is left out.
fn value(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => return None,
        Json::Bool(truth) => (*truth).into(),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => integer.into(),
            None => number.as_f64()?.into(),
        },
        Json::String(text) => text.clone().into(),
        Json::Array(values) => values.iter().filter_map(value).collect::<Vec<_>>().into(),
        Json::Object(map) => {
            let entries = map.iter().filter_map(|(name, json)| Some((name.clone(), value(json)?)));
            Value::Table(entries.collect())
        }
    })
}
