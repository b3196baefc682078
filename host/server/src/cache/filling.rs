//! A response on its way to the client and into the store at once.
//!
//! The client sets the pace. What is kept has come whole: a body that breaks off, is longer than may be kept, does not have the
//! length that it says, has trailers, or that the client leaves, is kept by nobody.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use gatewright_core::{Body, BodyError};
use http::header;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::flight::Flight;
use super::key::Key;
use super::store::{Alone, Reservation, Store};
use super::stored::{Head, Stored};

/// How long nobody waits for others where the last answer could not be kept.
const ALONE: Duration = Duration::from_secs(10);
/// The same for an error, which may be over soon.
const ALONE_AFTER_ERROR: Duration = Duration::from_secs(1);

/// A fetch that has been entered in the store. Struck out when dropped before its end.
pub(super) struct Fetch {
    /// The store.
    pub(super) store: Arc<Store>,
    /// Under which key.
    pub(super) key: Key,
    flight: Option<Arc<Flight>>,
}

/// What will be kept when its body has come.
pub(super) struct Fill {
    fetch: Fetch,
    head: Head,
    body: BytesMut,
    most_bytes: u64,
    most_variants: usize,
    reservation: Reservation,
}

impl Fetch {
    /// One that has been entered.
    pub(super) fn new(store: &Arc<Store>, key: Key, flight: Arc<Flight>) -> Self {
        Self {
            store: Arc::clone(store),
            key,
            flight: Some(flight),
        }
    }

    /// Keeps what it has brought.
    pub(super) fn keep(mut self, stored: Stored, most_variants: usize) -> Arc<Stored> {
        let stored = Arc::new(stored);
        if let Some(flight) = self.flight.take() {
            self.store.keep(&self.key, &flight, Arc::clone(&stored), most_variants);
        }
        stored
    }

    /// The disk has had it.
    pub(super) fn restore(mut self, variants: Vec<Stored>, most_variants: usize) {
        if let Some(flight) = self.flight.take() {
            self.store.restore(&self.key, &flight, variants, most_variants);
        }
    }

    /// What it has brought cannot be kept. What was there is not the answer any more where `replaces` says so.
    pub(super) fn refuse(self, replaces: Option<&Arc<Stored>>) {
        self.leave(ALONE, false, replaces);
    }

    /// It has brought an error, which says nothing of what was there.
    pub(super) fn fail(self) {
        self.leave(ALONE_AFTER_ERROR, true, None);
    }

    fn leave(mut self, time: Duration, failed: bool, replaces: Option<&Arc<Stored>>) {
        let until = Instant::now() + time;
        if let Some(flight) = self.flight.take() {
            self.store.refuse(&self.key, &flight, Alone { until, failed }, replaces);
        }
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take() {
            self.store.abandon(&self.key, &flight);
        }
    }
}

impl Fill {
    /// Of a response whose body is to come, of at most `most_bytes`.
    pub(super) fn new(fetch: Fetch, head: Head, most_bytes: u64, most_variants: usize) -> Self {
        Self {
            reservation: Reservation::new(&fetch.store),
            fetch,
            head,
            body: BytesMut::new(),
            most_bytes,
            most_variants,
        }
    }

    /// The body, which is kept when it has come.
    pub(super) fn watch(self, body: Body) -> Body {
        let length = body.size_hint();
        if length.lower() > self.most_bytes {
            self.fetch.refuse(None);
            return body;
        }
        if body.is_empty() {
            self.complete();
            return body;
        }
        let expected = length.exact().unwrap_or_default();
        match self.with_room(expected) {
            Some(fill) => Body::stream(FillingBody { body, fill: Some(fill) }),
            None => body,
        }
    }

    fn with_room(mut self, bytes: u64) -> Option<Self> {
        if !self.reserve(bytes) {
            self.fetch.refuse(None);
            return None;
        }
        Some(self)
    }

    /// Room for so many bytes more.
    fn reserve(&mut self, bytes: u64) -> bool {
        let before = self.body.capacity();
        let Ok(bytes) = usize::try_from(bytes) else {
            return false;
        };
        if before - self.body.len() >= bytes {
            return true;
        }
        // What is not there is asked for before it is taken.
        let wanted = (self.body.len() + bytes).max(before.saturating_mul(2).min(before + (1 << 20)));
        let more = wanted - before;
        if !self.reservation.grow(more as u64) {
            return false;
        }
        self.body.reserve(wanted - self.body.len());
        true
    }

    fn push(mut self, data: &[u8]) -> Option<Self> {
        let length = data.len() as u64;
        if self.body.len() as u64 + length > self.most_bytes || !self.reserve(length) {
            self.fetch.refuse(None);
            return None;
        }
        self.body.extend_from_slice(data);
        Some(self)
    }

    fn complete(self) {
        let Self {
            fetch,
            head,
            body,
            reservation,
            most_variants,
            ..
        } = self;
        let said = head.headers.get(header::CONTENT_LENGTH);
        let said = said.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if said.is_some_and(|said| said != body.len()) {
            return;
        }
        // What is kept for long takes no more than it needs.
        let body = match body.capacity() - body.len() {
            0..1024 => body.freeze(),
            _ => Bytes::copy_from_slice(&body),
        };
        drop(reservation);
        fetch.keep(Stored::new(head, body), most_variants);
    }
}

pin_project_lite::pin_project! {
    /// A body that is kept when it has come.
    struct FillingBody {
        #[pin]
        body: Body,
        fill: Option<Fill>,
    }
}

impl HttpBody for FillingBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut this = self.project();
        let polled = this.body.as_mut().poll_frame(context);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(frame))) => {
                *this.fill = match (this.fill.take(), frame.data_ref()) {
                    (Some(fill), Some(data)) => fill.push(data),
                    // Trailers: they would have to be kept, and are hardly ever there.
                    (Some(fill), None) => {
                        fill.fetch.refuse(None);
                        None
                    }
                    (None, _) => None,
                };
                // hyper does not ask for the end of a body that it knows to be complete.
                if this.body.is_end_stream() {
                    this.fill.take().into_iter().for_each(Fill::complete);
                }
            }
            Poll::Ready(Some(Err(_))) => drop(this.fill.take()),
            Poll::Ready(None) => this.fill.take().into_iter().for_each(Fill::complete),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
