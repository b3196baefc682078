//! Requests and responses that others collected: what was used to smuggle, and what a parser must refuse.
//!
//! They are read from `GATEWRIGHT_TEST_DATA`, or else from `shared/data` beside the workspace; without them the tests
//! say so and pass.

mod desync;
mod llhttp;
mod wycheproof;

use std::path::PathBuf;

use gatewright_tests::{Origin, RawClient, RawResponse, Recorded, TestGateway};

/// The folder of that name among the data; none, with a message, when it is not there.
pub(crate) fn data(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("GATEWRIGHT_TEST_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")),
        PathBuf::from,
    );
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!(
        "skipped: there is no {}; set GATEWRIGHT_TEST_DATA to a folder that has `{name}`",
        folder.display()
    );
    None
}

/// What became of bytes that were sent on a connection of their own.
#[derive(Debug)]
struct Fate {
    /// The responses that came, each of them well-formed.
    responses: Vec<RawResponse>,
    /// The requests that reached the origin.
    forwarded: Vec<Recorded>,
}

/// Sends bytes, says that no more comes, and reads what there is to read.
fn send(gateway: &TestGateway, origin: &Origin, bytes: &[u8]) -> Fate {
    let before = origin.hits();
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send(bytes);
    client.finish_sending();
    let mut to_head = bytes.starts_with(b"HEAD ");
    let responses = std::iter::from_fn(|| {
        let first_is_to_head = std::mem::take(&mut to_head);
        let response = match first_is_to_head {
            true => client.try_read_response_to_head(),
            false => client.try_read_response(),
        };
        response.ok()
    });
    let responses = responses.collect();
    Fate {
        responses,
        forwarded: origin.requests().split_off(before),
    }
}

impl Fate {
    /// The last response is a refusal, or there is none; and nothing complete reached the origin.
    fn is_refused(&self) -> bool {
        let refuses = |response: &RawResponse| matches!(response.status, 400..=417 | 431 | 501 | 505);
        self.responses.len() <= 1
            && self.responses.iter().all(refuses)
            && self.forwarded.iter().all(|request| !request.complete)
    }
}
