//! The start of a body, or all of it, for stages that look into bodies. What has been read is still there for whoever
//! comes after, trailers included.

use std::time::Instant;

pub use gatewright_core::body::Start;
use gatewright_core::{Exchange, Problem};

/// Waits for the start of a request's body. The exchange's time stands still meanwhile: how long a client may take to send
/// is for its listener to say. More than `limit` bytes may be read, and are kept, when a chunk goes beyond it, but no chunk
/// more.
///
/// # Errors
/// The body's own, 408 of a client that is too slow among them.
pub async fn of_request(exchange: &mut Exchange, limit: u64) -> Result<Start, Problem> {
    let began = Instant::now();
    let start = exchange.body.read_start(limit).await;
    exchange.deadline += began.elapsed();
    start.map_err(|error| error.0)
}
