//! Body filters: pass a body on chunk by chunk, changed, without ever having all of it.

use crate::{Exchange, Fault, Plugin, RequestHead, ResponseHead};

/// Filters bodies. Which ones, [`Info::request_body`](crate::Info) and `response_body` say, with
/// [`BodyMode::Chunks`](crate::BodyMode).
pub trait BodyFilter: Plugin {
    /// What there is of one body while it passes.
    type Filter: Filter;

    /// Runs once per body, when its head is known and before its first chunk. Messages without a body are not asked
    /// about. None: this body is not interesting, and passes by at no cost.
    ///
    /// # Errors
    /// The route's `on_fault` decides.
    fn open(&self, input: &FilterInput) -> Result<Option<Self::Filter>, Fault>;
}

/// The filter of one body. The instance is its own until it ends. When the client or the upstream leaves in the middle,
/// the instance ends with it, and nothing of it runs any more, not even `drop`.
pub trait Filter: Sized + 'static {
    /// Takes the next chunk, of 1 byte to 64 KiB, and returns what is to be passed on, which may be nothing. A word that one
    /// is looking for may begin in one chunk and end in another.
    ///
    /// # Errors
    /// The body breaks off: what was passed on cannot be taken back.
    fn push(&mut self, chunk: Vec<u8>) -> Result<Vec<u8>, Fault>;

    /// Returns the last bytes. Runs only when the body was complete.
    ///
    /// # Errors
    /// The body breaks off.
    fn finish(self) -> Result<Vec<u8>, Fault>;
}

/// Whose body it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The client's.
    Request,
    /// The upstream's, or whoever's who answers.
    Response,
}

/// What a filter is told of a body.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterInput {
    /// The exchange.
    pub exchange: Exchange,
    /// Whose body it is.
    pub direction: Direction,
    /// The request.
    pub request: RequestHead,
    /// The response, if it is its body.
    pub response: Option<ResponseHead>,
    /// Bytes, when the sender said how many there will be.
    pub content_length: Option<u64>,
}
