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

use gatewright_config::AccessLogOutput;
use gatewright_core::{AccessRecord, CacheUse};
use prometheus_client::metrics::counter::Counter;
use serde::Serialize;

use crate::telemetry::shown_status;

/// Lines that may wait to be written.
const QUEUE: usize = 16 * 1024;

/// How long the end of the process waits for records to be written. A reader that has stopped reading must not keep it.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Writes access records. When dropped, it waits until they are written.
pub struct AccessLog {
    // Always there until dropped.
    lines: Option<SyncSender<Vec<u8>>>,
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
#[derive(Serialize)]
struct LogLine<'r> {
    time: String,
    request_id: String,
    correlation_id: Option<&'r str>,
    listener: &'r str,
    client: String,
    method: &'r str,
    host: Option<&'r str>,
    path: Option<&'r str>,
    protocol: &'static str,
    route: Option<&'r str>,
    status: u16,
    outcome: &'static str,
    answered_by: Option<&'r str>,
    error: Option<&'static str>,
    cause: Option<&'r str>,
    cache: Option<&'static str>,
    principal: Option<&'r str>,
    api_key: Option<&'r str>,
    limit_remaining: Option<u64>,
    waf: Option<&'r str>,
    upstream: Option<&'r str>,
    upstream_ms: Option<f64>,
    duration_ms: f64,
    request_bytes: u64,
    response_bytes: u64,
}

impl AccessLog {
    /// Opens the log and starts its thread. None when the log is off.
    ///
    /// # Errors
    /// When the file cannot be appended to.
    pub fn open(output: &AccessLogOutput, dropped: Counter) -> io::Result<Option<Self>> {
        let mut output = match output {
            AccessLogOutput::Off => return Ok(None),
            AccessLogOutput::Stdout => Output::new(io::stdout(), None),
            AccessLogOutput::File(path) => Output::open(path)?,
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
            written: Mutex::new(written),
            dropped,
            reopen,
        }))
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
        let written = serde_json::to_writer(&mut line, &LogLine::from(record));
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

impl<'r> From<&'r AccessRecord> for LogLine<'r> {
    fn from(record: &'r AccessRecord) -> Self {
        Self {
            time: rfc3339(record.received()),
            request_id: record.id.to_string(),
            correlation_id: record.correlation_id.as_deref(),
            listener: &record.listener,
            client: record.client.to_string(),
            method: record.method.as_str(),
            host: record.authority.as_ref().and_then(|host| host.to_str().ok()),
            path: record.target.as_ref().map(|target| target.path()),
            protocol: protocol(record.version),
            route: record.route.as_deref(),
            status: shown_status(record),
            outcome: record.outcome.as_str(),
            answered_by: record.answered_by.as_deref(),
            error: record.problem.map(|kind| kind.code()),
            cause: record.cause.as_deref(),
            cache: record.cache.map(CacheUse::as_str),
            principal: record.principal.as_deref(),
            api_key: record.api_key.as_deref(),
            limit_remaining: record.limit_remaining,
            waf: record.waf.as_deref(),
            upstream: record.upstream.as_deref(),
            upstream_ms: record.upstream_time.map(milliseconds),
            duration_ms: milliseconds(record.elapsed()),
            request_bytes: record.upload.as_ref().map_or(0, |upload| upload.bytes()),
            response_bytes: record.response_bytes,
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
