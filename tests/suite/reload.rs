//! The rows G4 and G8 of `faults.md`: a configuration that changes while it serves.

mod files;
mod listeners;
mod load;
mod whole;

use std::net::SocketAddr;

use gatewright_tests::http;

/// A configuration that says which one it is.
fn numbered(number: usize) -> String {
    format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"

        [[route]]
        name = "number"
        path = "/number"
        integration = {{ respond = 200, headers = {{ x-number = "{number}" }}, body = "{number}" }}
        "#
    )
}

/// Which configuration serves. Each must serve whole.
fn number(addr: SocketAddr) -> usize {
    let response = http(addr, "GET", "/number", &[], b"");
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(
        response.header("x-number"),
        Some(response.text().as_str()),
        "half of another configuration"
    );
    response.text().parse().unwrap()
}
