//! Bodies that tests make.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tokio::sync::mpsc;

/// A body of any kind.
pub type BoxBody = http_body_util::combinators::BoxBody<Bytes, io::Error>;

/// A body of these bytes, with `Content-Length`.
pub fn full(bytes: impl Into<Bytes>) -> BoxBody {
    Full::new(bytes.into()).map_err(never).boxed()
}

/// No body.
pub fn empty() -> BoxBody {
    Empty::new().map_err(never).boxed()
}

/// A body of these bytes with a trailer section; its length is not announced.
pub fn with_trailers(bytes: impl Into<Bytes>, trailers: HeaderMap) -> BoxBody {
    let frames = [Ok(Frame::data(bytes.into())), Ok(Frame::trailers(trailers))];
    BodyExt::boxed(StreamBody::new(futures_util::stream::iter(frames)))
}

/// A body that does not begin and does not end.
pub fn endless() -> BoxBody {
    let frames = futures_util::stream::pending::<io::Result<Frame<Bytes>>>();
    BodyExt::boxed(StreamBody::new(frames))
}

/// A body that is what is sent into the channel. It ends when the sender is dropped, and breaks off with an error.
pub fn channel() -> (mpsc::UnboundedSender<io::Result<Bytes>>, BoxBody) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, BodyExt::boxed(ChannelBody(receiver)))
}

/// What [`channel`] makes.
#[derive(Debug)]
pub struct ChannelBody(mpsc::UnboundedReceiver<io::Result<Bytes>>);

impl Body for ChannelBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.0
            .poll_recv(context)
            .map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

fn never(never: Infallible) -> io::Error {
    match never {}
}
