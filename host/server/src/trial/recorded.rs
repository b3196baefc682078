//! A recorded call as a case: what is run again is the case, so the case does what the replay did.

use std::fmt::Write as _;

use gatewright_config::cases::{CaseFailure, Content, ServiceAnswer};
use gatewright_wasm::{PluginSummary, RecordedChunk, RecordedService, Recording};
use serde_json::Value as Json;
use toml::{Table, Value};

/// Bytes of a body that a case is written with.
const BODY_BYTES: usize = 1 << 20;
/// The hook whose body is in chunks.
const FILTER: &str = "body-filter";

/// The call as a file of cases.
pub(crate) fn case_text(recording: &Recording) -> Result<String, String> {
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
    let role = match recording.hook.as_str() {
        "integration" => "integration",
        _ => "stage",
    };
    case.insert("as".into(), role.into());
    case.insert("hook".into(), recording.hook.clone().into());
    case.insert("route".into(), recording.route.clone().into());
    if !sources.is_empty() {
        case.insert("identity".into(), sources.into());
    }
    let filtered = (recording.hook == FILTER)
        .then(|| Filtered::of(&recording.chunks))
        .transpose()?;
    let (of_request, of_response) = match recording.response {
        None => (filtered.as_ref(), None),
        Some(_) => (None, filtered.as_ref()),
    };
    let mut shown = Table::new();
    shown.insert("method".into(), request.method.clone().into());
    let query = request.query.as_ref().map(|query| format!("?{query}"));
    let path = format!("{}{}", request.path, query.unwrap_or_default());
    shown.insert("path".into(), path.into());
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
    body(&mut shown, request.body.as_ref(), of_request);
    case.insert("request".into(), shown.into());
    if let Some(response) = &recording.response {
        let mut shown = Table::new();
        shown.insert("status".into(), i64::from(response.status).into());
        shown.insert("headers".into(), headers(&response.fields).into());
        body(&mut shown, response.body.as_ref(), of_response);
        case.insert("response".into(), shown.into());
    }
    case.insert("services".into(), services(recording)?.into());
    let mut expect = Table::new();
    if let Some(failure) = then(recording) {
        expect.insert("failure".into(), self::name(Some(failure)).into());
    } else if let Some(returned) = filtered.as_ref().and_then(|filtered| filtered.returned.as_deref()) {
        let (key, bytes) = text_or_hex(returned);
        let body = Table::from_iter([(key.to_owned(), Value::from(bytes))]);
        match recording.response {
            Some(_) => expect.extend(body),
            None => _ = expect.insert("request".into(), body.into()),
        }
    }
    case.insert("expect".into(), expect.into());
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

/// How the call failed then.
pub(crate) fn then(recording: &Recording) -> Option<CaseFailure> {
    match recording.outcome.as_str() {
        "fault" => Some(CaseFailure::Fault),
        "trap" => Some(CaseFailure::Trap),
        "timeout" => Some(CaseFailure::Timeout),
        "output_refused" => Some(CaseFailure::Output),
        _ => None,
    }
}

/// A failure as cases and messages have it.
pub(crate) fn name(failure: Option<CaseFailure>) -> &'static str {
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

/// Whether the plugin may have decided by something of the query that is not in the recording.
pub(crate) fn misses_query(recording: &Recording, plugin: &PluginSummary) -> bool {
    recording.request.query_redacted && plugin.needs.parts.contains(&"query")
}

/// What of the call is not in its recording, a line each.
pub(crate) fn gaps(recording: &Recording) -> String {
    let mut lines = String::new();
    let mut note = |text: String| _ = writeln!(lines, "note: {text}");
    if recording.request.query_redacted {
        let what = match recording.request.query {
            Some(_) => "values of the query are redacted, with as many stars in their place",
            None => "the query is not in the recording",
        };
        note(format!(
            "{what}; name the parameters that the plugin reads in `query` of `[plugin.{}.record]`",
            recording.plugin
        ));
    }
    for at in &recording.config_redacted {
        note(format!("`config{at}` is secret; as many stars are in its place"));
    }
    for RecordedService { ask, answer, .. } in &recording.services {
        let content = answer.content();
        if let Some(length) = content.and_then(|content| content.redacted) {
            note(format!(
                "the answer to `{ask}` is redacted; {length} stars are in its place"
            ));
        }
        if let Some(length) = content.and_then(|content| content.cut_from) {
            note(format!("the answer to `{ask}` was cut: it had {length} bytes"));
        }
    }
    let contents = recording.chunks.iter().filter_map(|chunk| chunk.given.as_ref());
    if contents.clone().any(|content| content.redacted.is_some()) {
        note("the chunks of the body are redacted; as many stars are in their place".to_owned());
    }
    if contents.clone().any(|content| content.cut_from.is_some()) {
        note("the body was cut: the last chunks are shorter than they were".to_owned());
    }
    let left_out = [
        (recording.services_left_out, "calls of services"),
        (recording.chunks_left_out, "chunks of the body"),
    ];
    for (count, what) in left_out.into_iter().filter(|(count, _)| *count > 0) {
        note(format!("{count} more {what} are not in the recording"));
    }
    lines
}

/// The body of a filter.
#[derive(Default)]
struct Filtered {
    given: Vec<u8>,
    chunks: Vec<usize>,
    /// All that came out, where all of it is known.
    returned: Option<Vec<u8>>,
}

impl Filtered {
    fn of(chunks: &[RecordedChunk]) -> Result<Self, String> {
        let bytes = |content: &Content| content.bytes().ok_or("a chunk in the file is not hexadecimal");
        let mut filtered = Self::default();
        for given in chunks.iter().filter_map(|chunk| chunk.given.as_ref()) {
            let given = bytes(given)?;
            // One of which nothing was kept is no chunk.
            if !given.is_empty() && filtered.given.len() + given.len() <= BODY_BYTES {
                filtered.chunks.push(given.len());
                filtered.given.extend(given);
            }
        }
        let is_known = |content: &Option<Content>| {
            let known = |content: &Content| content.redacted.is_none() && content.cut_from.is_none();
            content.as_ref().is_none_or(known)
        };
        if chunks
            .iter()
            .all(|chunk| is_known(&chunk.given) && is_known(&chunk.returned))
        {
            let returned = chunks.iter().filter_map(|chunk| chunk.returned.as_ref());
            filtered.returned = Some(returned.map(bytes).collect::<Result<Vec<_>, _>>()?.concat());
        }
        Ok(filtered)
    }
}

fn body(message: &mut Table, whole: Option<&Content>, filtered: Option<&Filtered>) {
    if let Some(filtered) = filtered.filter(|filtered| !filtered.given.is_empty()) {
        let (key, bytes) = text_or_hex(&filtered.given);
        message.insert(key.into(), bytes.into());
        let chunks = filtered.chunks.iter().filter_map(|length| i64::try_from(*length).ok());
        message.insert("chunks".into(), chunks.map(Value::from).collect::<Vec<_>>().into());
    } else if let Some(bytes) = whole.and_then(Content::bytes) {
        let (key, bytes) = text_or_hex(&bytes);
        message.insert(key.into(), bytes.into());
    }
}

fn text_or_hex(bytes: &[u8]) -> (&'static str, String) {
    match Content::shown(bytes) {
        Content { hex: Some(hex), .. } => ("hex", hex),
        Content { text, .. } => ("body", text.unwrap_or_default()),
    }
}

/// What services answered, call by call.
fn services(recording: &Recording) -> Result<Table, String> {
    let call = |RecordedService { ask, answer, .. }: &RecordedService| {
        let mut call = Table::from_iter([("ask".to_owned(), Value::from(ask.clone()))]);
        if *answer != ServiceAnswer::Done {
            let answer = Value::try_from(answer).map_err(|error| format!("an answer cannot be written: {error}"))?;
            call.insert("answer".into(), answer);
        }
        Ok(Value::from(call))
    };
    let calls = recording
        .services
        .iter()
        .map(call)
        .collect::<Result<Vec<_>, String>>()?;
    Ok(Table::from_iter([("calls".to_owned(), calls.into())]))
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
