//! What the gateway says on a connection beside hyper's responses: answers to what is no HTTP, and interim responses.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use gatewright_core::ProblemKind;
use tokio::io::AsyncWrite;

use super::Guard;
use super::look::Look;
use crate::answer;

/// An answer on its way out, and how much of it has left.
#[derive(Debug)]
pub(super) struct Refusal {
    message: Vec<u8>,
    written: usize,
}

impl<S> Guard<S> {
    /// The status of an answer that hyper gives by itself, if these bytes begin one: its own are bare, and nobody could find
    /// their record. No request is being answered then.
    pub(super) fn own_status(&self, bytes: &[u8]) -> Option<u16> {
        if !matches!(self.look, Look::Http1(_)) || self.watch.served() != self.flushed || self.watch.has_in_flight() {
            return None;
        }
        let [_minor, b' ', status @ ..] = bytes.strip_prefix(b"HTTP/1.")? else {
            return None;
        };
        let status = std::str::from_utf8(status.get(..3)?).ok()?.parse().ok()?;
        (400..500).contains(&status).then_some(status)
    }

    /// Begins to tell the client the same as hyper does, as the gateway says it.
    pub(super) fn refuse(&mut self, status: u16) {
        let kind = match status {
            414 => ProblemKind::UriTooLong,
            431 => ProblemKind::HeadersTooLarge,
            _ => ProblemKind::BadRequest,
        };
        let refused = self.watch.refuse(kind);
        self.refusal = Some(Refusal {
            message: answer::unread(refused.kind, refused.id),
            written: 0,
        });
    }
}

impl<S: AsyncWrite + Unpin> Guard<S> {
    /// Writes what the client is told instead of what hyper says by itself. Ready when all of it has left.
    pub(super) fn poll_refusal(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(refusal) = &mut self.refusal {
            let rest = refusal.message.get(refusal.written..).unwrap_or_default();
            if rest.is_empty() {
                self.refusal = None;
                break;
            }
            let result = Pin::new(&mut self.stream).poll_write(context, rest);
            match self.after_write(context, result) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(written) => {
                    let written = written?;
                    if let Some(refusal) = &mut self.refusal {
                        refusal.written += written;
                    }
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes interim responses. Only where nothing of another message is on its way: hyper flushes when it has written
    /// everything, and whoever has an interim response for its client does not answer before it has gone out.
    pub(super) fn write_interims(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.interim.is_empty() {
                self.interim = interim_bytes(&self.watch.interims().take());
                if self.interim.is_empty() {
                    self.watch.interims().sent();
                    return Poll::Ready(Ok(()));
                }
            }
            ready!(self.finish_interim(context))?;
        }
    }

    pub(super) fn finish_interim(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.interim.is_empty() {
            let result = Pin::new(&mut self.stream).poll_write(context, &self.interim);
            match ready!(self.after_write(context, result))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => drop(self.interim.split_to(written)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Interim responses as HTTP/1.1 writes them.
fn interim_bytes(interims: &[http::Response<()>]) -> Bytes {
    let mut bytes = Vec::new();
    for interim in interims {
        let status = interim.status();
        let reason = status.canonical_reason().unwrap_or_default();
        bytes.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).as_bytes());
        for (name, value) in interim.headers() {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.into()
}
