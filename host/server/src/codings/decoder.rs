//! Bodies on their way out of a content coding, as long as they do not become larger than they may.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use gatewright_core::{Body, BodyError, Problem, ProblemKind};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};

use super::{Coding, Decoder};

/// Below this a ratio says nothing: a short text of one letter is no bomb.
const HARMLESS_BYTES: u64 = 64 << 10;

/// What a body may become, and what it means when it becomes more.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes.
    pub bytes: u64,
    /// Times its own length.
    pub ratio: u64,
    /// When it becomes more.
    pub too_large: ProblemKind,
    /// When it is not what it says to be.
    pub broken: ProblemKind,
}

/// A body without its content coding.
pub struct DecodedBody {
    body: Body,
    decoder: Decoder,
    bounds: Bounds,
    input: Bytes,
    received: u64,
    made: u64,
    trailers: Option<HeaderMap>,
    ended: bool,
}

impl DecodedBody {
    /// Decodes a body.
    pub fn wrap(body: Body, coding: Coding, bounds: Bounds) -> Body {
        Body::stream(Self {
            body,
            decoder: Decoder::new(coding),
            bounds,
            input: Bytes::new(),
            received: 0,
            made: 0,
            trailers: None,
            ended: false,
        })
    }

    /// What comes next; nothing when more of the body is needed.
    fn step(&mut self) -> Result<Bytes, BodyError> {
        let broken = self.bounds.broken;
        let decoded = self.decoder.decode(&mut self.input);
        let decoded = decoded.map_err(|error| BodyError::new(broken, format!("decompress: {error}")))?;
        self.made += decoded.len() as u64;
        let ratio = self.received.saturating_mul(self.bounds.ratio).max(HARMLESS_BYTES);
        if self.made > self.bounds.bytes.min(ratio) {
            let cause = format!("decompress: {} bytes become more than {}", self.received, self.made);
            let problem = Problem::new(self.bounds.too_large).with_cause(cause);
            return Err(BodyError(match self.bounds.too_large {
                ProblemKind::RequestTooLarge => problem.closing(),
                _ => problem,
            }));
        }
        Ok(decoded)
    }

    fn pull(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            None => {
                self.ended = true;
                let finished = self.decoder.finish();
                let broken = self.bounds.broken;
                Poll::Ready(finished.map_err(|error| BodyError::new(broken, format!("decompress: {error}"))))
            }
            Some(frame) => {
                match frame?.into_data() {
                    Ok(data) => {
                        self.received += data.len() as u64;
                        self.input = data;
                    }
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                }
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl HttpBody for DecodedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        while !self.ended {
            let decoded = self.step()?;
            if !decoded.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(decoded))));
            }
            ready!(self.pull(context))?;
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.trailers.is_none()
    }
}
