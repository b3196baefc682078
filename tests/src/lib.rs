//! The harness of the whole-gateway tests: a gateway, its clients and its upstreams, all in one process and on
//! loopback.
//!
//! Everything here blocks, so that a test reads from top to bottom; servers run on threads of their own. Everything
//! that waits gives up after [`DEADLINE`] and fails the test.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test harness: a panic is how a test fails, and says where"
)]

pub mod body;
pub mod certificates;
pub mod frames;
pub mod gateway;
pub mod guests;
pub mod http2;
pub mod neighbour;
pub mod oidc_provider;
pub mod origin;
pub mod process;
pub mod raw_client;
pub mod raw_origin;
pub mod redis;
pub mod response;
pub mod tokens;

use std::future::Future;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

pub use self::body::{BoxBody, ChannelBody, channel, empty, endless, full, with_trailers};
pub use self::certificates::Certificates;
pub use self::frames::{Frame, H2Frames};
pub use self::gateway::{TestFiles, TestGateway};
pub use self::http2::{H2Client, H2Response};
pub use self::oidc_provider::OidcProvider;
pub use self::origin::{Origin, OriginBody, Recorded};
pub use self::process::{Signal, TestProcess};
pub use self::raw_client::{RawClient, http};
pub use self::raw_origin::RawOrigin;
pub use self::response::RawResponse;
pub use self::tokens::Signer;

/// How long anything may take before the test fails.
pub const DEADLINE: Duration = Duration::from_secs(30);

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the harness needs a runtime")
});

/// Runs a future on the harness's runtime, for at most [`DEADLINE`].
pub fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(async {
        tokio::time::timeout(DEADLINE, future)
            .await
            .expect("the test's future took longer than the deadline")
    })
}

/// The runtime that origins and HTTP/2 clients run on.
pub fn runtime() -> &'static tokio::runtime::Runtime {
    &RUNTIME
}

/// Asks until there is an answer; `what` is said when there is none before the deadline.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "waited {DEADLINE:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
