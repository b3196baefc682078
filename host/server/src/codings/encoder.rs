//! Bodies of responses on their way into a content coding. What has come is sent on when nothing more is there, so that no
//! chunk waits for the next one.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use compression_codecs::brotli::params::EncoderParams;
use compression_codecs::flate::params::FlateEncoderParams;
use compression_codecs::zstd::params::CParameter;
use compression_codecs::{BrotliEncoder, EncodeV2, GzipEncoder, ZlibEncoder, ZstdEncoder};
use compression_core::Level;
use compression_core::util::{PartialBuffer, WriteBuffer};
use gatewright_config::CompressLevel;
use gatewright_core::{Body, BodyError, ProblemKind};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};

use super::Coding;

/// How much comes out at once.
const CHUNK_BYTES: usize = 16 << 10;
/// Windows, as powers of two: what an encoder keeps of a stream.
const BROTLI_WINDOW: i32 = 18;
const ZSTD_WINDOW: u32 = 20;

/// A body in a content coding.
pub struct EncodedBody {
    body: Body,
    codec: Box<dyn EncodeV2 + Send>,
    input: Bytes,
    state: State,
    trailers: Option<HeaderMap>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Everything that has come is out.
    Clean,
    /// The encoder keeps something back.
    Dirty,
    /// What it keeps is on its way out, while nothing more comes.
    Flushing,
    /// The body has ended, and the end of the coding is on its way out.
    Finishing,
    /// Only trailers are left.
    Ended,
}

impl EncodedBody {
    /// Encodes a body.
    pub fn wrap(body: Body, coding: Coding, level: CompressLevel) -> Body {
        Body::stream(Self {
            body,
            codec: encoder(coding, level),
            input: Bytes::new(),
            state: State::Clean,
            trailers: None,
        })
    }

    /// Lets the codec write, and says whether it is done with what it was asked for.
    fn write(
        &mut self,
        write: impl FnOnce(&mut dyn EncodeV2, &mut Bytes, &mut WriteBuffer<'_>) -> std::io::Result<bool>,
    ) -> Result<(Bytes, bool), BodyError> {
        let mut output = vec![0; CHUNK_BYTES];
        let mut to = WriteBuffer::new_initialized(&mut output);
        let done = write(self.codec.as_mut(), &mut self.input, &mut to);
        let written = to.written_len();
        output.truncate(written);
        let done = done.map_err(|error| {
            let cause = format!("compress: {error}");
            BodyError::new(ProblemKind::InternalError, cause)
        })?;
        Ok((Bytes::from(output), done))
    }

    /// What is ready without asking the body for more.
    fn step(&mut self) -> Result<Bytes, BodyError> {
        if !self.input.is_empty() {
            let (output, _) = self.write(|codec, input, to| {
                let mut from = PartialBuffer::new(&input[..]);
                codec.encode(&mut from, to)?;
                let read = from.written_len();
                input.advance(read);
                Ok(true)
            })?;
            self.state = State::Dirty;
            return Ok(output);
        }
        let (output, next) = match self.state {
            State::Flushing => (self.write(|codec, _, to| codec.flush(to))?, State::Clean),
            State::Finishing => (self.write(|codec, _, to| codec.finish(to))?, State::Ended),
            State::Clean | State::Dirty | State::Ended => return Ok(Bytes::new()),
        };
        let (output, done) = output;
        if done {
            self.state = next;
        }
        Ok(output)
    }

    /// Takes what has come of the body. Pending only when there is nothing to flush either.
    fn pull(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending if self.state == State::Dirty => self.state = State::Flushing,
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => self.state = State::Finishing,
            Poll::Ready(Some(Err(error))) => {
                self.state = State::Ended;
                return Poll::Ready(Err(error));
            }
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => self.input = data,
                Err(frame) => self.trailers = frame.into_trailers().ok(),
            },
        }
        Poll::Ready(Ok(()))
    }
}

impl HttpBody for EncodedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            let output = self.step()?;
            if !output.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(output))));
            }
            match self.state {
                _ if !self.input.is_empty() => {}
                State::Ended => return Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers)))),
                State::Clean | State::Dirty => ready!(self.pull(context))?,
                State::Flushing | State::Finishing => {}
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.state == State::Ended && self.trailers.is_none()
    }
}

fn encoder(coding: Coding, level: CompressLevel) -> Box<dyn EncodeV2 + Send> {
    let of = |fast, balanced, small| match level {
        CompressLevel::Fast => fast,
        CompressLevel::Balanced => balanced,
        CompressLevel::Small => small,
    };
    match coding {
        Coding::Gzip => Box::new(GzipEncoder::new(FlateEncoderParams::from(Level::Precise(of(1, 6, 9))))),
        Coding::Deflate => Box::new(ZlibEncoder::new(FlateEncoderParams::from(Level::Precise(of(1, 6, 9))))),
        Coding::Brotli => {
            let params = EncoderParams::default().window_size(BROTLI_WINDOW);
            Box::new(BrotliEncoder::new(params.quality(Level::Precise(of(1, 4, 9)))))
        }
        Coding::Zstd => {
            let window = [CParameter::window_log(ZSTD_WINDOW)];
            Box::new(ZstdEncoder::new_with_params(of(1, 3, 12), &window))
        }
    }
}
