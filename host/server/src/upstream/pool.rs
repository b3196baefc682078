//! Connections that are kept between requests, each by the worker that opened it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_core::{Body, Interim, PerWorker, Upload};
use http::header::{self, HeaderValue};
use http_body::Frame;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::TrySendError;

use super::connect::Connected;
use super::{Failure, anticipates_content, keep_alive};
use crate::received::{ReceiveError, Received};

/// Unused connections to one target.
pub struct Pool {
    idle: PerWorker<Mutex<Vec<Idle>>>,
    max_idle: usize,
    idle_timeout: Duration,
}

struct Idle {
    connection: Box<Connected>,
    since: Instant,
}

/// How long an upstream may take until its response begins.
#[derive(Clone, Debug)]
pub enum Time {
    /// Until then.
    Until(Instant),
    /// So long after the end of the body that it is sent, and after every piece of it that it takes. While the client is
    /// waited for it is not the upstream's turn.
    After(Arc<Upload>, Duration),
}

impl Time {
    /// When it ends, as far as is known now: never later than it will turn out to.
    fn ends(&self) -> Instant {
        match self {
            Self::Until(deadline) => *deadline,
            Self::After(upload, time) => upload.passed_on_at().unwrap_or_else(Instant::now) + *time,
        }
    }
}

/// A connection in use. Goes back to its pool when [`Lease::give_back`] is called, and is closed when dropped before.
pub struct Lease {
    pool: Arc<Pool>,
    // Boxed, so that a request's futures are not larger by it.
    connection: Box<Connected>,
    /// It has served before.
    reused: bool,
}

impl Pool {
    /// A pool that keeps so many connections for each worker, for so long.
    pub fn new(workers: usize, max_idle: usize, idle_timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            idle: PerWorker::new(workers, |_| Mutex::default()),
            max_idle,
            idle_timeout,
        })
    }

    /// The connection that was used last, if there is one that still is open: the others may grow old and go.
    pub fn take(self: &Arc<Self>, now: Instant) -> Option<Lease> {
        let mut idle = self.local();
        while let Some(Idle { connection, since }) = idle.pop() {
            let unused = now.saturating_duration_since(since);
            if unused >= self.idle_timeout {
                // The ones below are older still.
                idle.clear();
                return None;
            }
            if !connection.sender.is_closed() && connection.kept_for.is_none_or(|limit| unused < limit) {
                return Some(Lease {
                    pool: Arc::clone(self),
                    connection,
                    reused: true,
                });
            }
        }
        None
    }

    /// A lease of a new connection.
    pub fn lease(self: &Arc<Self>, connected: Connected) -> Lease {
        Lease {
            pool: Arc::clone(self),
            connection: Box::new(connected),
            reused: false,
        }
    }

    /// Closes what has not been used for too long.
    pub fn close_idle(&self) {
        for idle in self.idle.iter() {
            let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(|Idle { connection, since }| {
                let limit = connection
                    .kept_for
                    .map_or(self.idle_timeout, |limit| limit.min(self.idle_timeout));
                since.elapsed() < limit && !connection.sender.is_closed()
            });
        }
    }

    fn local(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        // A panic elsewhere leaves a list of connections whole.
        self.idle.local().lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Sends a request, whose response must begin by the `deadline`.
    ///
    /// # Errors
    /// When there is no response. The connection is of no use any more.
    pub fn send(
        &mut self,
        request: http::Request<Body>,
        deadline: Instant,
    ) -> impl Future<Output = Result<http::Response<Incoming>, Failure>> + Send {
        self.send_for(request, Time::Until(deadline), None)
    }

    /// The same with a `time` of another kind, and for a client that gets the interim responses, if it gets any.
    ///
    /// # Errors
    /// As with [`Lease::send`].
    pub fn send_for<'l>(
        &'l mut self,
        mut request: http::Request<Body>,
        time: Time,
        client: Option<&'l dyn Interim>,
    ) -> impl Future<Output = Result<http::Response<Incoming>, Failure>> + Send + 'l {
        let Connected {
            sender,
            sent,
            alarm,
            kept_for,
            ..
        } = &mut *self.connection;
        let reused = self.reused;
        frame(&mut request);
        sent.count(request.method());
        // Not within the future, which would have to hold the request.
        let sending = sender.try_send_request(request);
        async move {
            let mut sending = pin!(sending);
            // What comes out is moved as seldom as can be: a response is large.
            let answered = poll_fn(|context| {
                if let Some(client) = client {
                    sent.pass_on_interims(client);
                }
                if let Poll::Ready(answered) = sending.as_mut().poll(context) {
                    return Poll::Ready(Some(answered));
                }
                if let Some(client) = client {
                    sent.wait_for_interims(client, context.waker());
                }
                alarm.poll(time.ends().into(), context).map(|()| None)
            });
            match answered.await {
                Some(Ok(response)) => {
                    *kept_for = keep_alive::kept_for(response.headers());
                    Ok(response)
                }
                Some(Err(error)) => Err(failure(error, reused)),
                None => Err(Failure::Late),
            }
        }
    }

    /// Polls a response's body, which comes over this connection. To take its last piece is no reason to wake the
    /// connection's task.
    pub fn poll_body(
        &self,
        mut body: Pin<&mut Received>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReceiveError>>> {
        let hold = self.connection.calls.hold();
        let polled = body.as_mut().poll_frame(context);
        if body.is_end_stream() {
            hold.forget();
        }
        polled
    }

    /// Keeps the connection for another request. The response must have been read to its end. `now` is the time.
    pub fn give_back(self, now: Instant) {
        let Self { pool, connection, .. } = self;
        if connection.sender.is_closed() || connection.kept_for == Some(Duration::ZERO) {
            return;
        }
        let mut idle = pool.local();
        if idle.len() < pool.max_idle {
            idle.push(Idle { connection, since: now });
        }
    }
}

/// Says how long the body is where hyper would not. It takes a body of unknown length that a `GET` or `HEAD` has for none,
/// and says nothing of a body that a `POST` has not: some servers wait for one then (RFC 9110, section 8.6).
fn frame(request: &mut http::Request<Body>) {
    let exact = request.body().size_hint().exact();
    if !request.body().is_empty() && exact.is_none() {
        let chunked = HeaderValue::from_static("chunked");
        request.headers_mut().insert(header::TRANSFER_ENCODING, chunked);
    } else if exact == Some(0) && anticipates_content(request.method()) {
        let none = HeaderValue::from_static("0");
        request.headers_mut().insert(header::CONTENT_LENGTH, none);
    }
}

fn failure(mut error: TrySendError<http::Request<Body>>, reused: bool) -> Failure {
    match error.take_message() {
        Some(request) => Failure::Unsent(request.into_body()),
        None => Failure::Broken {
            error: error.into_error(),
            reused,
        },
    }
}
