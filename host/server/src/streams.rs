//! Bodies that come in over a connection, on their way to the other side: bounded, paced, counted.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use gatewright_core::{BodyError, Problem, ProblemKind, Upload};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::alarm::Alarm;
use crate::received::{ReceiveError, Received};
use crate::trailers;
use crate::upstream::pool::Lease;

/// Whose body it is: decides what its failures mean, and what its end is good for.
pub enum Sender {
    /// A request's body.
    Client {
        /// Who is told how far it has come.
        upload: Arc<Upload>,
        /// Whether its trailers may have names with an underscore.
        underscores: bool,
    },
    /// A response's body, and the connection that is free when it has come whole, with the time as its header section
    /// came.
    Upstream(Option<(Lease, std::time::Instant)>),
}

impl Sender {
    fn stalled(&self, pace: &Pace) -> BodyError {
        let kind = match self {
            Self::Client { .. } => ProblemKind::RequestTimeout,
            Self::Upstream(_) => ProblemKind::IntegrationTimeout,
        };
        match pace.is_too_slow() {
            true => BodyError::new(
                kind,
                format_args!("less than {} bytes of the body came in a second", pace.rate),
            ),
            false => BodyError::new(kind, "nothing of the body came for too long"),
        }
    }

    fn broken(&self, error: &ReceiveError) -> BodyError {
        let kind = match self {
            Self::Upstream(_) => ProblemKind::IntegrationFailure,
            Self::Client { .. } if error.is_malformed() => ProblemKind::BadRequest,
            Self::Client { .. } => ProblemKind::ClientClosed,
        };
        BodyError::new(kind, error)
    }

    fn poll(
        &self,
        body: Pin<&mut Received>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReceiveError>>> {
        match self {
            Self::Upstream(Some((lease, _))) => lease.poll_body(body, context),
            Self::Upstream(None) | Self::Client { .. } => body.poll_frame(context),
        }
    }

    /// The trailers that are passed on. What an upstream calls its fields is left to it, as in the header section.
    fn trailers(&self, trailers: HeaderMap) -> HeaderMap {
        let underscores = match self {
            Self::Client { underscores, .. } => *underscores,
            Self::Upstream(_) => true,
        };
        trailers::allowed(trailers, underscores)
    }

    /// The next piece is waited for.
    fn waits(&self) {
        if let Self::Client { upload, .. } = self {
            upload.waits();
        }
    }

    /// So many bytes have come.
    fn sent(&self, bytes: u64) {
        if let Self::Client { upload, .. } = self {
            upload.passed_on(bytes, std::time::Instant::now());
        }
    }

    /// The body has come whole. A body that was waited for came later than its header section.
    fn complete(&mut self, waited: bool) {
        match self {
            Self::Client { upload, .. } => upload.end(std::time::Instant::now()),
            Self::Upstream(lease) => {
                if let Some((lease, answered)) = lease.take() {
                    lease.give_back(if waited { std::time::Instant::now() } else { answered });
                }
            }
        }
    }
}

/// How slowly a body may come.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The longest pause.
    pub pause: Duration,
    /// Bytes a second, over all the time in which it is waited for. 0: as slowly as it likes.
    pub rate: u64,
    /// Bytes that have come.
    received: u64,
    /// How long it was waited for, before the wait that goes on.
    waited: Duration,
}

impl Pace {
    /// What a body may take of waiting whatever its rate is: what is short is not measured by it.
    const GRACE: Duration = Duration::from_secs(60);

    /// Of a body that has not begun.
    pub const fn new(pause: Duration, rate: u64) -> Self {
        Self {
            pause,
            rate,
            received: 0,
            waited: Duration::ZERO,
        }
    }

    /// How much longer it may be waited for, when a wait begins.
    fn patience(&self) -> Duration {
        self.pause.min(self.allowed().saturating_sub(self.waited))
    }

    /// Whether it is its rate and not a pause that ends its patience.
    fn is_too_slow(&self) -> bool {
        self.patience() < self.pause
    }

    fn allowed(&self) -> Duration {
        match self.received.checked_div(self.rate) {
            Some(seconds) => Self::GRACE.saturating_add(Duration::from_secs(seconds)),
            None => Duration::MAX,
        }
    }
}

pin_project_lite::pin_project! {
    /// A body that comes in over a connection.
    pub struct IncomingBody {
        #[pin]
        inner: Received,
        sender: Sender,
        limit: u64,
        pace: Pace,
        alarm: Alarm,
        // Since when nothing comes, and when patience ends.
        waiting: Option<(Instant, Instant)>,
        waited: bool,
    }

    impl PinnedDrop for IncomingBody {
        fn drop(this: Pin<&mut Self>) {
            // Nobody wants more of it: whoever waits does not wait for the client.
            if let Sender::Client { upload, .. } = &this.sender
                && !upload.has_ended()
            {
                upload.end(std::time::Instant::now());
            }
        }
    }
}

impl IncomingBody {
    /// A body of at most `limit` bytes that comes at this pace.
    pub fn new(inner: impl Into<Received>, sender: Sender, limit: u64, pace: Pace) -> Self {
        Self {
            inner: inner.into(),
            sender,
            limit,
            pace,
            alarm: Alarm::default(),
            waiting: None,
            waited: false,
        }
    }
}

impl Body for IncomingBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut this = self.project();
        let Poll::Ready(frame) = this.sender.poll(this.inner.as_mut(), context) else {
            *this.waited = true;
            let patience = this.pace.patience();
            let (_, until) = *this.waiting.get_or_insert_with(|| {
                this.sender.waits();
                let now = Instant::now();
                (now, now + patience)
            });
            let stalled = this.alarm.poll(until, context);
            return stalled.map(|()| Some(Err(this.sender.stalled(this.pace))));
        };
        if let Some((since, _)) = this.waiting.take() {
            this.pace.waited += since.elapsed();
        }
        Poll::Ready(match frame {
            None => {
                this.sender.complete(*this.waited);
                None
            }
            Some(Err(error)) => Some(Err(this.sender.broken(&error))),
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                this.pace.received += length;
                this.sender.sent(length);
                if this.pace.received > *this.limit {
                    return Poll::Ready(Some(Err(BodyError(
                        Problem::new(ProblemKind::RequestTooLarge).closing(),
                    ))));
                }
                // hyper does not ask for the end of a body that it knows to be complete.
                if this.inner.is_end_stream() {
                    this.sender.complete(*this.waited);
                }
                Some(Ok(match frame.into_trailers() {
                    Ok(trailers) => Frame::trailers(this.sender.trailers(trailers)),
                    Err(frame) => frame,
                }))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_may_be_waited_for_as_long_as_its_bytes_take_at_the_rate_and_a_minute_more() {
        let pause = Duration::from_secs(30);
        let mut pace = Pace::new(pause, 100);
        assert_eq!(pace.patience(), pause);
        pace.waited = Duration::from_secs(55);
        assert_eq!((pace.patience(), pace.is_too_slow()), (Duration::from_secs(5), true));
        pace.received = 2_000;
        assert_eq!((pace.patience(), pace.is_too_slow()), (Duration::from_secs(25), true));
        pace.received = 10_000;
        assert_eq!((pace.patience(), pace.is_too_slow()), (pause, false));
        pace.waited = Duration::from_secs(1_000);
        assert_eq!(pace.patience(), Duration::ZERO);
        let mut slow = Pace::new(pause, 0);
        slow.waited = Duration::from_secs(1_000_000);
        assert_eq!((slow.patience(), slow.is_too_slow()), (pause, false));
    }
}
