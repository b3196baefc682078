//! The body of a response that a guest is still making. It holds the guest: dropped before its end, the guest ends with it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use gatewright_core::BodyError;
use http_body::Body as HttpBody;
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::WasiBody;

use super::{Frame, fields, lost};
use crate::failure::{Failure, OutputError};
use crate::runtime::Runtime;

/// A guest that runs in a task of its own.
pub(super) struct Guest {
    /// None when it is left alone.
    task: Option<JoinHandle<()>>,
    /// Its instance goes when this does.
    _release: oneshot::Sender<()>,
    /// Tells it that all of its response has been taken.
    taken: Option<oneshot::Sender<()>>,
    /// It has full processor time again.
    fed: Arc<AtomicBool>,
    runtime: Arc<Runtime>,
}

impl Guest {
    pub(super) fn new(
        task: JoinHandle<()>,
        release: oneshot::Sender<()>,
        taken: oneshot::Sender<()>,
        fed: Arc<AtomicBool>,
        runtime: Arc<Runtime>,
    ) -> Self {
        Self {
            task: Some(task),
            _release: release,
            taken: Some(taken),
            fed,
            runtime,
        }
    }

    /// All of its response has been taken: what it has left to do it may do, within its time.
    fn leave_alone(&mut self) {
        drop(self.taken.take());
        let Some(mut task) = self.task.take().filter(|task| !task.is_finished()) else {
            return;
        };
        let time = self.runtime.plugin().caller().limits.time;
        tokio::spawn(async move {
            if tokio::time::timeout(time, &mut task).await.is_err() {
                task.abort();
            }
        });
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// How a guest ends.
pub(super) enum Ending {
    /// It has not ended, as far as is known.
    Waited(oneshot::Receiver<Result<(), Failure>>),
    /// It has.
    Known(Result<(), Failure>),
}

/// The body of a response.
pub(super) struct ProxyBody {
    inner: WasiBody,
    /// Bytes that are still to come, if the guest said how many.
    length: Option<u64>,
    /// Set when the request's body is asked for a piece.
    received: Arc<AtomicBool>,
    /// The request's body is the response's: it comes from the client, and the guest has no part in it.
    passed_on: bool,
    guest: Option<Guest>,
    ending: Ending,
    /// Somebody has asked for it.
    polled: bool,
    /// When the guest has had its time for the piece that somebody waits for.
    patience: Option<Pin<Box<Sleep>>>,
}

impl ProxyBody {
    pub(super) fn new(
        inner: WasiBody,
        length: Option<u64>,
        received: Arc<AtomicBool>,
        guest: Guest,
        ending: Ending,
    ) -> Self {
        Self {
            inner,
            length,
            received,
            passed_on: false,
            guest: Some(guest),
            ending,
            polled: false,
            patience: None,
        }
    }

    /// What has become of the guest; pending while it runs.
    fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let result = match &mut self.ending {
            Ending::Waited(ended) => match Pin::new(ended).poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(ended) => ended.unwrap_or_else(|_| Err(lost())),
            },
            Ending::Known(result) => std::mem::replace(result, Ok(())),
        };
        self.ending = Ending::Known(Ok(()));
        Poll::Ready(result)
    }

    fn poll_inner(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame, Failure>>> {
        loop {
            self.received.store(false, Ordering::Relaxed);
            if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
                return Poll::Ready(match frame {
                    Some(Ok(frame)) => Some(self.counted(frame).and_then(checked).map_err(Failure::Output)),
                    Some(Err(error)) => Some(Err(OutputError::invalid(format!("its body broke off: {error}")).into())),
                    // Finished: or the task has broken down and taken its instance with it, which looks the same.
                    None if self.is_lost() => Some(Err(lost())),
                    None => self.at_end().err().map(|error| Err(error.into())),
                });
            }
            // The guest's task does not run meanwhile: nobody else has asked.
            self.passed_on = self.received.load(Ordering::Relaxed);
            if self.passed_on && matches!(self.ending, Ending::Known(Ok(()))) {
                return Poll::Pending;
            }
            let had_ended = matches!(self.ending, Ending::Known(Ok(())));
            match self.poll_ended(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(failure)) => return Poll::Ready(Some(Err(failure))),
                Poll::Ready(Ok(())) if had_ended => {
                    let what = "it returned without finishing its body";
                    return Poll::Ready(Some(Err(OutputError::invalid(what).into())));
                }
                // What it wrote last may have come between the two looks.
                Poll::Ready(Ok(())) => {}
            }
        }
    }

    /// A piece that fits what the guest said of the body's length.
    fn counted(&mut self, frame: Frame) -> Result<Frame, OutputError> {
        let Some(data) = frame.data_ref() else {
            return self.at_end().map(|()| frame);
        };
        if let Some(left) = &mut self.length {
            let bytes = data.len().try_into().unwrap_or(u64::MAX);
            let more = || OutputError::invalid("its body is longer than its `content-length`");
            *left = left.checked_sub(bytes).ok_or_else(more)?;
        }
        Ok(frame)
    }

    fn at_end(&self) -> Result<(), OutputError> {
        match self.length {
            None | Some(0) => Ok(()),
            Some(_) => Err(OutputError::invalid("its body is shorter than its `content-length`")),
        }
    }

    fn is_lost(&mut self) -> bool {
        match &mut self.ending {
            Ending::Waited(ended) => matches!(ended.try_recv(), Err(TryRecvError::Closed)),
            Ending::Known(_) => false,
        }
    }

    /// Whether the guest has had its time.
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(guest) = &self.guest else {
            return Poll::Pending;
        };
        let time = guest.runtime.plugin().caller().limits.time;
        let patience = self
            .patience
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + time)));
        patience.as_mut().poll(context)
    }

    fn broken(&mut self, failure: &Failure) -> BodyError {
        let guest = self.guest.take();
        let name = guest
            .as_ref()
            .map(|guest| Arc::clone(&guest.runtime.plugin().caller().name));
        BodyError(failure.problem(name.as_deref().unwrap_or_default(), false))
    }
}

impl HttpBody for ProxyBody {
    type Data = bytes::Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame, BodyError>>> {
        let this = &mut *self;
        this.polled = true;
        if this.guest.is_none() {
            return Poll::Ready(None);
        }
        match this.poll_inner(context) {
            // Who sends has the time that connections and routes give.
            Poll::Pending if this.passed_on => Poll::Pending,
            Poll::Pending => match this.poll_patience(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => Poll::Ready(Some(Err(this.broken(&Failure::TimeExceeded)))),
            },
            Poll::Ready(None) => {
                if let Some(mut guest) = this.guest.take() {
                    guest.leave_alone();
                }
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(failure))) => Poll::Ready(Some(Err(this.broken(&failure)))),
            Poll::Ready(Some(Ok(frame))) => {
                this.patience = None;
                if let Some(guest) = &mut this.guest {
                    guest.fed.store(true, Ordering::Relaxed);
                    // Nothing comes after trailers, and nobody may ask whether something does.
                    if frame.is_trailers() {
                        guest.leave_alone();
                    }
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }
}

impl Drop for ProxyBody {
    fn drop(&mut self) {
        // Where the client gets no body whatever there is, as with `HEAD`, nobody asks for it, and nothing is wrong.
        if let Some(guest) = self.guest.as_mut().filter(|_| !self.polled) {
            guest.leave_alone();
        }
    }
}

fn checked(frame: Frame) -> Result<Frame, OutputError> {
    match frame.into_trailers() {
        Ok(trailers) => Ok(Frame::trailers(fields(&trailers)?)),
        Err(data) => Ok(data),
    }
}
