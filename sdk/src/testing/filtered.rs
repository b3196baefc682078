//! Bodies that go through a filter, in the pieces that a test cuts them into.

use crate::{BodyFilter, BodyMode, Fault, Filter as _, FilterInput};

/// The longest chunk that a filter is given.
const CHUNK_BYTES: usize = 64 << 10;

/// What comes out; none when the plugin is not interested.
pub(super) fn filtered<P: BodyFilter>(
    plugin: &P,
    mode: BodyMode,
    input: &FilterInput,
    pieces: impl IntoIterator<Item = impl AsRef<[u8]>>,
) -> Result<Option<Vec<u8>>, Fault> {
    if mode != BodyMode::Chunks {
        return Ok(None);
    }
    let Some(mut filter) = plugin.open(input)? else {
        return Ok(None);
    };
    let mut output = Vec::new();
    for piece in pieces {
        for chunk in piece.as_ref().chunks(CHUNK_BYTES) {
            output.extend(filter.push(chunk.to_vec())?);
        }
    }
    output.extend(filter.finish()?);
    Ok(Some(output))
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use crate::testing::{TestRequest, TestResponse};

    struct Counts;

    impl Plugin for Counts {
        fn info() -> Info {
            info!().response_body(BodyMode::Chunks).response_fields(["x-count"])
        }
        fn configure(_config: &str) -> Result<Self, Vec<ConfigError>> {
            Ok(Self)
        }
    }

    #[derive(Default)]
    struct Lengths(Vec<usize>);

    impl BodyFilter for Counts {
        type Filter = Lengths;

        fn open(&self, input: &FilterInput) -> Result<Option<Lengths>, Fault> {
            assert_eq!(input.direction, Direction::Response);
            assert_eq!(input.content_length, Some(70_003));
            let fields = input.response.as_ref().map(|response| &response.fields);
            Ok(fields
                .and_then(|fields| fields.text("x-count"))
                .map(|_| Lengths::default()))
        }
    }

    impl Filter for Lengths {
        fn push(&mut self, chunk: Vec<u8>) -> Result<Vec<u8>, Fault> {
            self.0.push(chunk.len());
            Ok(Vec::new())
        }
        fn finish(self) -> Result<Vec<u8>, Fault> {
            Ok(format!("{:?}", self.0).into_bytes())
        }
    }

    plugin!(Counts: body_filter);

    #[test]
    fn a_filter_gets_chunks_as_the_gateway_cuts_them_and_only_the_bodies_it_asked_for() {
        let response = TestResponse::new(200).header("content-length", "70003");
        let pieces = ["abc".to_owned(), String::new(), "x".repeat(70_000)];
        let counted = response.clone().header("x-count", "1").filter(&Counts, &pieces);
        assert_eq!(counted, Ok(Some(b"[3, 65536, 4464]".to_vec())));
        assert_eq!(response.filter(&Counts, &pieces), Ok(None));
        assert_eq!(TestRequest::get("/").filter(&Counts, &pieces), Ok(None));
    }
}
