//! A body filter: puts a mark before each line of a response, however long the response is.

use gatewright_sdk::prelude::*;

#[derive(serde::Deserialize)]
struct Quote {
    mark: String,
}

impl Plugin for Quote {
    fn info() -> Info {
        info!()
            .config_schema(include_str!("../config.schema.json"))
            .response_fields(["content-type"])
            .response_body(BodyMode::Chunks)
            .reuse(Reuse::Serial)
    }
    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        config::parse(config)
    }
}

impl BodyFilter for Quote {
    type Filter = Quoting;

    fn open(&self, input: &FilterInput) -> Result<Option<Quoting>, Fault> {
        let content_type = input
            .response
            .as_ref()
            .and_then(|response| response.fields.text("content-type"));
        let is_text = content_type.is_some_and(|content_type| content_type.starts_with("text/plain"));
        // None: what is no text passes by.
        Ok(is_text.then(|| Quoting {
            mark: self.mark.clone().into_bytes(),
            at_beginning: true,
        }))
    }
}

/// One body on its way. A chunk may end anywhere, so what is known of the line is kept.
struct Quoting {
    mark: Vec<u8>,
    at_beginning: bool,
}

impl Filter for Quoting {
    fn push(&mut self, chunk: Vec<u8>) -> Result<Vec<u8>, Fault> {
        let mut output = Vec::with_capacity(chunk.len());
        for byte in chunk {
            if self.at_beginning {
                output.extend_from_slice(&self.mark);
            }
            output.push(byte);
            self.at_beginning = byte == b'\n';
        }
        Ok(output)
    }

    fn finish(self) -> Result<Vec<u8>, Fault> {
        Ok(Vec::new())
    }
}

plugin!(Quote: body_filter);

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_sdk::testing::{self, TestResponse};

    #[test]
    fn every_line_is_marked_wherever_the_chunks_end() {
        let plugin: Quote = testing::configure(r#"{"mark":"> "}"#);
        let text = TestResponse::new(200).header("content-type", "text/plain");
        let quoted = text.filter(&plugin, ["go", "ld\n", "and silver\n"]);
        assert_eq!(quoted, Ok(Some(b"> gold\n> and silver\n".to_vec())));
        let picture = TestResponse::new(200).header("content-type", "image/png");
        assert_eq!(picture.filter(&plugin, ["\n"]), Ok(None));
    }
}
