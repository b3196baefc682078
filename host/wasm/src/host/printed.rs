//! What a guest prints: lines of the gateway's log, out of the same kind of budget as those of the service `log`.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use gatewright_core::ExchangeId;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::log::{self, LogBudget};
use crate::api::bindings::gatewright::plugin::log::Level;
use crate::state::Caller;
use crate::text::escaped;

/// Lines that are kept for the case that the guest traps: a trace of Python's ends with what matters.
const LAST_LINES: usize = 6;
/// Lines that are kept from the beginning of an account: a trace of Go's begins with what matters.
const FIRST_LINES: usize = 8;
/// How an account of why a guest breaks off begins: in Go, in Python, and in C.
const BEGINNINGS: [&str; 4] = [
    "panic: ",
    "fatal error: ",
    "Traceback (most recent call last):",
    "Assertion failed: ",
];
/// Bytes of one of them.
const LAST_LINE: usize = 256;
/// Bytes that a guest may write at once.
const WRITE_BYTES: usize = 8 << 10;

/// Standard output and standard error of one instance, which are one: what they say is in the order in which it was said.
#[derive(Clone)]
pub(crate) struct Printed(Arc<Mutex<Lines>>);

struct Lines {
    caller: Arc<Caller>,
    exchange: Option<ExchangeId>,
    budget: LogBudget,
    /// The beginning of a line.
    line: Vec<u8>,
    /// The first lines of the last account of an end, if one was begun in this call.
    first: Vec<String>,
    /// The last lines of this call: where a runtime prints a panic or a trace before it traps, they say why.
    last: VecDeque<String>,
}

impl Printed {
    pub(crate) fn new(caller: &Arc<Caller>, exchange: Option<ExchangeId>) -> Self {
        Self(Arc::new(Mutex::new(Lines {
            caller: Arc::clone(caller),
            exchange,
            budget: LogBudget::new(caller.limits.log_bytes),
            line: Vec::new(),
            first: Vec::new(),
            last: VecDeque::new(),
        })))
    }

    /// A full budget for a new call.
    pub(crate) fn begin(&self, exchange: Option<ExchangeId>) {
        self.with(|lines| {
            lines.end();
            lines.first.clear();
            lines.last.clear();
            lines.exchange = exchange;
            lines.budget = LogBudget::new(lines.caller.limits.log_bytes);
        });
    }

    /// The beginning of an account of why the guest breaks off, and the last lines that were printed in this call, in one text.
    pub(crate) fn last_lines(&self) -> Option<String> {
        let mut last = None;
        self.with(|lines| {
            lines.end();
            let said: Vec<_> = lines.first.iter().chain(&lines.last).map(String::as_str).collect();
            last = (!said.is_empty()).then(|| said.join(" | "));
        });
        last
    }

    fn with(&self, change: impl FnOnce(&mut Lines)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Printed {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let piece = bytes.get(..WRITE_BYTES).unwrap_or(bytes);
        self.with(|lines| lines.print(piece));
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.with(|lines| lines.print(&bytes));
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

impl Lines {
    fn print(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            self.line.extend_from_slice(text);
            if text.len() < piece.len() || self.line.len() > log::LONGEST_MESSAGE {
                self.end();
            }
        }
    }

    /// The line is as long as it gets.
    fn end(&mut self) {
        let line = mem::take(&mut self.line);
        if line.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(&line);
        self.note(escaped(&text, LAST_LINE));
        log::write(&self.caller, self.exchange, &mut self.budget, Level::Info, &text, &[]);
    }

    fn note(&mut self, text: String) {
        let begins = BEGINNINGS.iter().any(|beginning| text.starts_with(beginning));
        if begins {
            self.first.clear();
            self.last.clear();
        }
        if begins || (1..FIRST_LINES).contains(&self.first.len()) {
            self.first.push(text);
            return;
        }
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
        }
        self.last.push_back(text);
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.end();
    }
}
