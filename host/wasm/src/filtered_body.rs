//! A body on its way through a plugin's filter. It is pulled: a chunk is asked for, and given to the filter, when
//! somebody wants what comes out, so that who does not read slows down who sends.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use gatewright_config::gateway::OnFault;
use gatewright_core::{Body, BodyError};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};

use crate::failure::Failure;
use crate::filter::Filter;
use crate::stage::with_status;

/// The longest chunk that a filter is given, as the plugin interface promises.
const CHUNK_BYTES: usize = 64 << 10;

/// What came of asking for a frame.
type Next = Option<Result<Frame<Bytes>, BodyError>>;
/// A frame, and what makes those after it; none when it is the last.
type Step = Pin<Box<dyn Future<Output = (Next, Option<Box<Filtering>>)> + Send>>;

/// A body that goes through a filter.
pub(crate) enum FilteredBody {
    /// Nobody asks for more.
    Idle(Box<Filtering>),
    /// Waits for the sender, or for the plugin.
    Busy(Step),
    Over,
}

/// What a filtered body is made of.
pub(crate) struct Filtering {
    body: Body,
    /// None when it is done and only trailers are left.
    filter: Option<Filter>,
    /// What came with the last chunk, and comes after it.
    rest: Bytes,
    trailers: Option<HeaderMap>,
    on_fault: OnFault,
}

impl FilteredBody {
    /// `body` through `filter`. When the plugin fails the body breaks off, with the problem that `on_fault` makes of it:
    /// it is answered by whoever still can answer.
    pub(crate) fn wrap(body: Body, filter: Filter, on_fault: OnFault) -> Body {
        Body::stream(Self::Idle(Box::new(Filtering {
            body,
            filter: Some(filter),
            rest: Bytes::new(),
            trailers: None,
            on_fault,
        })))
    }
}

impl HttpBody for FilteredBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Next> {
        let mut step = match std::mem::replace(&mut *self, Self::Over) {
            Self::Idle(filtering) => Box::pin(filtering.next()),
            Self::Busy(step) => step,
            Self::Over => return Poll::Ready(None),
        };
        let Poll::Ready((next, filtering)) = step.as_mut().poll(context) else {
            *self = Self::Busy(step);
            return Poll::Pending;
        };
        if let Some(filtering) = filtering {
            *self = Self::Idle(filtering);
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Over)
    }
}

impl Filtering {
    async fn next(mut self: Box<Self>) -> (Next, Option<Box<Self>>) {
        let Some(mut filter) = self.filter.take() else {
            return (self.last(), None);
        };
        match self.through(&mut filter).await {
            Ok(Some(output)) => {
                self.filter = Some(filter);
                return (Some(Ok(Frame::data(output))), Some(self));
            }
            Ok(None) => {}
            Err(error) => return (Some(Err(error)), None),
        }
        let plugin = Arc::clone(filter.plugin());
        match filter.finish().await {
            Ok(output) if output.is_empty() => (self.last(), None),
            Ok(output) => {
                let more = self.trailers.is_some().then_some(self);
                (Some(Ok(Frame::data(output))), more)
            }
            Err(failure) => (Some(Err(self.broken(&plugin, &failure))), None),
        }
    }

    /// What the filter passes on next; none when the body has come to its end.
    async fn through(&mut self, filter: &mut Filter) -> Result<Option<Bytes>, BodyError> {
        loop {
            // A sender who is always ready and a filter that passes nothing on would keep the worker to themselves.
            tokio::task::consume_budget().await;
            let Some(chunk) = self.chunk().await? else {
                return Ok(None);
            };
            match filter.push(&chunk).await {
                Ok(output) if output.is_empty() => {}
                Ok(output) => return Ok(Some(output)),
                Err(failure) => return Err(self.broken(filter.plugin(), &failure)),
            }
        }
    }

    /// The next chunk of the body; none when it has come to its end.
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        while self.rest.is_empty() {
            let Some(frame) = poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await else {
                return Ok(None);
            };
            match frame?.into_data() {
                Ok(data) => self.rest = data,
                Err(frame) => self.trailers = frame.into_trailers().ok(),
            }
        }
        Ok(Some(self.rest.split_to(self.rest.len().min(CHUNK_BYTES))))
    }

    fn last(&mut self) -> Next {
        self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers)))
    }

    fn broken(&self, plugin: &str, failure: &Failure) -> BodyError {
        BodyError(with_status(failure.problem(plugin, false), self.on_fault))
    }
}
