//! Connections that are kept between requests, each by the worker that opened it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use gatewright_core::{Body, PerWorker};
use hyper::client::conn::http1::SendRequest;

use super::Attempt;
use super::connect::Connected;
use super::guard::Sent;
use crate::alarm::Alarm;

/// Unused connections to one target.
pub struct Pool {
    idle: PerWorker<Mutex<Vec<Idle>>>,
    max_idle: usize,
    idle_timeout: Duration,
}

struct Idle {
    sender: SendRequest<Body>,
    sent: Sent,
    alarm: Alarm,
    since: Instant,
}

/// A connection in use. Goes back to its pool when [`Lease::give_back`] is called, and is closed when dropped before.
pub struct Lease {
    pool: Arc<Pool>,
    sender: SendRequest<Body>,
    sent: Sent,
    // Goes from request to request, so that none has to set it.
    alarm: Alarm,
    /// It has served before.
    pub reused: bool,
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
        while let Some(kept) = idle.pop() {
            let Idle {
                sender,
                sent,
                alarm,
                since,
            } = kept;
            if now.saturating_duration_since(since) >= self.idle_timeout {
                // The ones below are older still.
                idle.clear();
                return None;
            }
            if !sender.is_closed() {
                return Some(Lease {
                    pool: Arc::clone(self),
                    sender,
                    sent,
                    alarm,
                    reused: true,
                });
            }
        }
        None
    }

    /// A lease of a new connection.
    pub fn lease(self: &Arc<Self>, connected: Connected) -> Lease {
        let Connected { sender, sent } = connected;
        Lease {
            pool: Arc::clone(self),
            sender,
            sent,
            alarm: Alarm::default(),
            reused: false,
        }
    }

    /// Closes what has not been used for too long.
    pub fn close_idle(&self) {
        for idle in self.idle.iter() {
            let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(|idle| idle.since.elapsed() < self.idle_timeout && !idle.sender.is_closed());
        }
    }

    fn local(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        // A panic elsewhere leaves a list of connections whole.
        self.idle.local().lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Sends a request, whose response must begin by the `deadline`.
    pub fn send(mut self, request: http::Request<Body>, deadline: Instant) -> impl Future<Output = Attempt> + Send {
        self.sent.count(request.method());
        // Not within the future, which would have to hold the request.
        let sending = self.sender.try_send_request(request);
        async move {
            let mut sending = pin!(sending);
            let sent = poll_fn(|context| match sending.as_mut().poll(context) {
                Poll::Ready(sent) => Poll::Ready(Some(sent)),
                Poll::Pending => self.alarm.poll(deadline.into(), context).map(|()| None),
            });
            match sent.await {
                None => Attempt::Late,
                Some(Ok(response)) => Attempt::Answered(response, self),
                Some(Err(mut error)) => match error.take_message() {
                    Some(request) => Attempt::Unsent(request.into_body()),
                    None => Attempt::Broken {
                        error: error.into_error(),
                        reused: self.reused,
                    },
                },
            }
        }
    }

    /// Keeps the connection for another request. The response must have been read to its end. `now` is the time.
    pub fn give_back(self, now: Instant) {
        let Self {
            pool,
            sender,
            sent,
            alarm,
            reused: _,
        } = self;
        if sender.is_closed() {
            return;
        }
        let mut idle = pool.local();
        if idle.len() < pool.max_idle {
            idle.push(Idle {
                sender,
                sent,
                alarm,
                since: now,
            });
        }
    }
}
