//! Content codings: gzip, deflate, brotli and zstd, as they are named in header fields and as they are undone.

pub mod decoder;
pub mod encoder;

use bytes::{Buf as _, Bytes};
use compression_codecs::zstd::params::DParameter;
use compression_codecs::{BrotliDecoder, DecodeV2, GzipDecoder, ZlibDecoder, ZstdDecoder};
use compression_core::util::{PartialBuffer, WriteBuffer};
use http::header::{self, HeaderMap};

/// How much comes out of a decoder at once.
const CHUNK_BYTES: usize = 32 << 10;
/// The largest window of zstd that is kept, as a power of two: 8 MiB, which is what clients may be asked for (RFC 9659).
const ZSTD_WINDOW: u32 = 23;

/// A content coding (RFC 9110, section 8.4.1; RFC 7932; RFC 8878).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// `gzip`
    Gzip,
    /// `deflate`: the zlib format.
    Deflate,
    /// `br`
    Brotli,
    /// `zstd`
    Zstd,
}

/// What a message says of its content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coded {
    /// Nothing, or `identity`.
    Plain,
    /// One that can be undone.
    By(Coding),
    /// One that is not known, or several.
    Unknown,
}

impl Coding {
    /// The coding of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let names = [
            ("gzip", Self::Gzip),
            ("x-gzip", Self::Gzip),
            ("deflate", Self::Deflate),
            ("br", Self::Brotli),
            ("zstd", Self::Zstd),
        ];
        let known = names.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map(|(_, coding)| *coding)
    }

    /// Its name in header fields.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// What `Content-Encoding` says.
#[must_use]
pub fn coded(headers: &HeaderMap) -> Coded {
    let mut coded = Coded::Plain;
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let Ok(value) = value.to_str() else {
            return Coded::Unknown;
        };
        for name in value.split(',').map(str::trim) {
            if name.is_empty() || name.eq_ignore_ascii_case("identity") {
                continue;
            }
            coded = match (coded, Coding::named(name)) {
                (Coded::Plain, Some(coding)) => Coded::By(coding),
                _ => return Coded::Unknown,
            };
        }
    }
    coded
}

/// Undoes a content coding, a piece at a time and in bounded memory.
pub struct Decoder {
    codec: Box<dyn DecodeV2 + Send>,
    /// Several of it may follow each other: members of gzip, frames of zstd.
    repeats: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the beginning of a member.
    Between,
    Within,
    /// Within, and there was no room for all that there was.
    Full,
}

/// Why a body cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is not what it says to be.
    #[error("it is not of the content coding that it says")]
    Broken,
    /// It ends before its end.
    #[error("it ends too early")]
    Cut,
}

impl Decoder {
    /// A decoder of one body.
    #[must_use]
    pub fn new(coding: Coding) -> Self {
        Self {
            codec: match coding {
                Coding::Gzip => Box::new(GzipDecoder::new()),
                Coding::Deflate => Box::new(ZlibDecoder::new()),
                Coding::Brotli => Box::new(BrotliDecoder::new()),
                Coding::Zstd => Box::new(ZstdDecoder::new_with_params(&[DParameter::window_log_max(ZSTD_WINDOW)])),
            },
            repeats: matches!(coding, Coding::Gzip | Coding::Zstd),
            state: State::Between,
        }
    }

    /// What comes next, at most 32 KiB of it; nothing when more `input` is needed. Takes what it has read out of `input`.
    ///
    /// # Errors
    /// When the input is not what it should be.
    pub fn decode(&mut self, input: &mut Bytes) -> Result<Bytes, DecodeError> {
        let mut output = vec![0; CHUNK_BYTES];
        let mut written = 0;
        while written == 0 && (!input.is_empty() || self.state == State::Full) {
            let (read, made) = self.step(input, &mut output)?;
            input.advance(read);
            written = made;
        }
        output.truncate(written);
        Ok(Bytes::from(output))
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<(usize, usize), DecodeError> {
        let mut from = PartialBuffer::new(input);
        let mut to = WriteBuffer::new_initialized(output);
        let drains = input.is_empty();
        let done = match self.codec.decode(&mut from, &mut to) {
            Ok(done) => done,
            // There may have been nothing left to drain, which some decoders take for a mistake.
            Err(_) if drains => false,
            Err(_) => return Err(DecodeError::Broken),
        };
        let (read, written) = (from.written_len(), to.written_len());
        self.state = match () {
            () if done && (self.repeats || read == input.len()) => {
                self.codec.reinit().map_err(|_| DecodeError::Broken)?;
                State::Between
            }
            // Something follows what is complete.
            () if done => return Err(DecodeError::Broken),
            () if to.has_no_spare_space() => State::Full,
            () if read == 0 && written == 0 && !drains => return Err(DecodeError::Broken),
            () => State::Within,
        };
        Ok((read, written))
    }

    /// Nothing more comes.
    ///
    /// # Errors
    /// When there should.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.state {
            State::Between => Ok(()),
            State::Within | State::Full => Err(DecodeError::Cut),
        }
    }

    /// The first `limit` bytes of what is decoded, and whether that is all of it.
    ///
    /// # Errors
    /// When the input is not what it should be. Input that ends too early counts as such only where it is `complete`.
    pub fn start_of(mut self, mut input: Bytes, complete: bool, limit: usize) -> Result<(Bytes, bool), DecodeError> {
        let mut decoded = Vec::new();
        loop {
            let chunk = self.decode(&mut input)?;
            if chunk.is_empty() {
                break;
            }
            decoded.extend_from_slice(&chunk);
            if decoded.len() > limit {
                decoded.truncate(limit);
                return Ok((decoded.into(), false));
            }
        }
        if complete {
            self.finish()?;
        }
        Ok((decoded.into(), complete))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_encoding_is_one_known_coding_or_none() {
        for (value, expected) in [
            ("", Coded::Plain),
            ("identity", Coded::Plain),
            ("X-GZIP", Coded::By(Coding::Gzip)),
            ("identity, br", Coded::By(Coding::Brotli)),
            ("gzip, gzip", Coded::Unknown),
            ("compress", Coded::Unknown),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_ENCODING, value.parse().unwrap());
            assert_eq!(coded(&headers), expected, "{value}");
        }
    }

    #[test]
    fn what_is_not_a_coding_is_an_error_and_never_a_loop() {
        let noise: Vec<u8> = (0_u32..4096)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
            let decoded = Decoder::new(coding).start_of(Bytes::from(noise.clone()), true, 1 << 20);
            assert!(decoded.is_err(), "{coding:?}: {decoded:?}");
            let cut = Decoder::new(coding).start_of(Bytes::new(), true, 1);
            assert_eq!(cut, Ok((Bytes::new(), true)), "{coding:?}");
        }
    }
}
