//! The process from its start to its end: the rows X1–X3, X5, X9 and X12 of `faults.md`.

mod exhausted;
mod flooding;
mod looking;
mod panics;
mod signals;
mod sockets;
mod starting;
mod stopping;

use std::sync::Arc;

use gatewright_tests::{Origin, full};
use http::Response;
use tokio::sync::Semaphore;

/// An upstream that answers when it is told to. The handle lets everybody through when it is dropped.
fn gated() -> (Origin, Gate) {
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let origin = Origin::start(move |_| {
        let gate = Arc::clone(&waiting);
        async move {
            let _ = gate.acquire().await;
            Response::new(full("answered"))
        }
    });
    (origin, Gate(gate))
}

struct Gate(Arc<Semaphore>);

impl Gate {
    fn open(&self) {
        self.0.close();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

fn config(upstream: &str, server: &str) -> String {
    format!(
        r#"
        [server]
        workers = 2
        {server}

        [listener.public]
        address = "127.0.0.1:0"

        [listener.http1]
        address = "127.0.0.1:0"
        protocols = ["http/1.1"]

        [upstream.app]
        targets = [{{ url = "{upstream}" }}]

        [[route]]
        name = "slow"
        path = "/slow"
        integration = {{ http = "app" }}

        [[route]]
        name = "fast"
        path = "/fast"
        integration = {{ respond = 200, body = "fast" }}
        "#
    )
}
