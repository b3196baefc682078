//! The access log: one JSON object a line for every exchange. `docs/METRICS.md` names the fields; a test keeps it so.
//!
//! Requests never wait for the log: a thread writes it, and what it cannot keep up with is dropped and counted.

use std::convert::Infallible;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use gatewright_config::{AccessLogConfig, AccessLogOutput, LogField, LogValue};
use gatewright_core::{AccessRecord, CacheUse};
use prometheus_client::metrics::counter::Counter;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::telemetry::shown_status;

/// Lines that may wait to be written.
const QUEUE: usize = 16 * 1024;

/// How long the end of the process waits for records to be written. A reader that has stopped reading must not keep it.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Writes access records. When dropped, it waits until they are written.
pub struct AccessLog {
    // Always there until dropped.
    lines: Option<SyncSender<Vec<u8>>>,
    fields: Vec<LogField>,
    written: Mutex<Receiver<Infallible>>,
    dropped: Counter,
    /// The file shall be opened anew.
    reopen: Arc<AtomicBool>,
}

/// Where lines go.
struct Output {
    writer: BufWriter<Box<dyn Write + Send>>,
    /// None for standard output.
    path: Option<PathBuf>,
}

/// One line. The names are a promise to whoever reads the log by machine.
struct Line<'r> {
    fields: &'r [LogField],
    record: &'r AccessRecord,
}

impl AccessLog {
    /// Opens the log and starts its thread. None when the log is off.
    ///
    /// # Errors
    /// When the file cannot be appended to.
    pub fn open(config: &AccessLogConfig, dropped: Counter) -> io::Result<Option<Self>> {
        let mut output = match &config.output {
            AccessLogOutput::Off => return Ok(None),
            AccessLogOutput::Stdout => Output::new(io::stdout(), None),
            AccessLogOutput::File(file) => Output::open(&file.path)?,
        };
        let reopen = Arc::<AtomicBool>::default();
        let reopening = Arc::clone(&reopen);
        let (lines, queue) = mpsc::sync_channel(QUEUE);
        let (writing, written) = mpsc::channel();
        let lost = dropped.clone();
        std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || {
                write_lines(&queue, &mut output, &reopening, &lost);
                drop(writing);
            })?;
        Ok(Some(Self {
            lines: Some(lines),
            fields: config.fields.clone(),
            written: Mutex::new(written),
            dropped,
            reopen,
        }))
    }

    /// The fields of a record.
    pub fn fields(&self) -> &[LogField] {
        &self.fields
    }

    /// Opens the file anew, before the next line is written: the one that is open may have been moved or removed.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Release);
        // An empty line wakes the thread. When the queue is full it is awake.
        let _ = self.lines.as_ref().map(|lines| lines.try_send(Vec::new()));
    }

    /// Writes a record, or drops it when too many wait.
    pub fn write(&self, record: &AccessRecord) {
        let mut line = Vec::with_capacity(512);
        let written = serde_json::to_writer(
            &mut line,
            &Line {
                fields: &self.fields,
                record,
            },
        );
        line.push(b'\n');
        let send = |lines: &SyncSender<_>| written.is_ok() && lines.try_send(line).is_ok();
        if !self.lines.as_ref().is_some_and(send) {
            self.dropped.inc();
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.lines = None;
        let written = self.written.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Nothing is ever sent: this waits for the thread to end.
        let _ = written.recv_timeout(LAST_WORDS);
    }
}

/// Writes until every sender is gone. Flushes whenever nothing more is waiting.
fn write_lines(queue: &Receiver<Vec<u8>>, output: &mut Output, reopen: &AtomicBool, dropped: &Counter) {
    while let Ok(first) = queue.recv() {
        if reopen.swap(false, Ordering::Acquire) {
            output.reopen();
        }
        let mut result = output.writer.write_all(&first);
        while result.is_ok() && !reopen.load(Ordering::Acquire) {
            let Ok(line) = queue.try_recv() else { break };
            result = output.writer.write_all(&line);
        }
        // A full disk is no reason to stop serving; the next line is tried again.
        if result.and_then(|()| output.writer.flush()).is_err() {
            dropped.inc();
        }
    }
}

impl Output {
    fn new(writer: impl Write + Send + 'static, path: Option<PathBuf>) -> Self {
        Self {
            writer: BufWriter::with_capacity(64 * 1024, Box::new(writer)),
            path,
        }
    }

    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self::new(file, Some(path.to_owned())))
    }

    /// Where the file cannot be opened, lines go on to the one that is open.
    fn reopen(&mut self) {
        let Some(path) = self.path.clone() else { return };
        match Self::open(&path) {
            Ok(output) => {
                *self = output;
                tracing::info!(path = %path.display(), "access log opened anew");
            }
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "cannot open the access log anew; lines go where they went");
            }
        }
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(Some(self.fields.len()))?;
        let mut noted = self.record.noted.iter();
        for field in self.fields {
            match field.value {
                LogValue::Record => self.entry(&mut line, &field.name)?,
                LogValue::Query | LogValue::Header(_) | LogValue::Named(_) => {
                    line.serialize_entry(&field.name, &noted.next().and_then(Option::as_deref))?;
                }
            }
        }
        line.end()
    }
}

impl Line<'_> {
    /// What the record knows under a name.
    fn entry<M: SerializeMap>(&self, line: &mut M, name: &str) -> Result<(), M::Error> {
        let record = self.record;
        match name {
            "time" => line.serialize_entry(name, &rfc3339(record.received())),
            "request_id" => line.serialize_entry(name, &record.id.to_string()),
            "correlation_id" => line.serialize_entry(name, &record.correlation_id.as_deref()),
            "listener" => line.serialize_entry(name, &*record.listener),
            "client" => line.serialize_entry(name, &record.client.to_string()),
            "tls" => line.serialize_entry(name, &record.client.tls_version),
            "method" => line.serialize_entry(name, record.method.as_str()),
            "host" => {
                let host = record.authority.as_ref().and_then(|host| host.to_str().ok());
                line.serialize_entry(name, &host)
            }
            "path" => line.serialize_entry(name, &record.target.as_ref().map(|target| target.path())),
            "protocol" => line.serialize_entry(name, protocol(record.version)),
            "route" => line.serialize_entry(name, &record.route.as_deref()),
            "status" => line.serialize_entry(name, &shown_status(record)),
            "outcome" => line.serialize_entry(name, record.outcome.as_str()),
            "answered_by" => line.serialize_entry(name, &record.answered_by.as_deref()),
            "error" => line.serialize_entry(name, &record.problem.map(|kind| kind.code())),
            "cause" => line.serialize_entry(name, &record.cause.as_deref()),
            "cache" => line.serialize_entry(name, &record.cache.map(CacheUse::as_str)),
            "principal" => line.serialize_entry(name, &record.principal.as_deref()),
            "api_key" => line.serialize_entry(name, &record.api_key.as_deref()),
            "limit_remaining" => line.serialize_entry(name, &record.limit_remaining),
            "waf" => line.serialize_entry(name, &record.waf.as_deref()),
            "upstream" => line.serialize_entry(name, &record.upstream.as_deref()),
            "upstream_status" => line.serialize_entry(name, &record.upstream_status),
            "upstream_tries" => line.serialize_entry(name, &record.upstream_tries),
            "upstream_ms" => line.serialize_entry(name, &record.upstream_time.map(milliseconds)),
            "duration_ms" => line.serialize_entry(name, &milliseconds(record.elapsed())),
            "request_bytes" => line.serialize_entry(name, &(record.upload.as_ref().map_or(0, |upload| upload.bytes()))),
            "response_bytes" => line.serialize_entry(name, &record.response_bytes),
            // The configuration has no others.
            _ => Ok(()),
        }
    }
}

fn milliseconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn protocol(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_10 => "HTTP/1.0",
        http::Version::HTTP_11 => "HTTP/1.1",
        http::Version::HTTP_2 => "HTTP/2",
        _ => "HTTP",
    }
}

/// UTC with milliseconds, as RFC 3339 writes it.
fn rfc3339(time: SystemTime) -> String {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
    match jiff::Timestamp::new(seconds, 0) {
        Ok(second) => {
            let text = second.to_string();
            format!("{}.{:03}Z", text.trim_end_matches('Z'), since_epoch.subsec_millis())
        }
        Err(_) => String::new(),
    }
}
