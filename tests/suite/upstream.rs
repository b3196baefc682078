//! What upstreams do, and what becomes of it: the rows U1–U8, U11 and U14 of `faults.md`, and how requests are rewritten and
//! shared out.

mod balance;
mod broken;
mod ejection;
mod fields;
mod hostile;
mod kept;
mod rewritten;
mod slow;
mod streamed;
mod tls;
mod unreachable;

use std::net::{SocketAddr, TcpListener};

use gatewright_tests::TestGateway;

/// A gateway with one worker that passes everything on to these targets. `upstream` and `route` are more lines for
/// those sections.
fn proxy_to(targets: &[&str], upstream: &str, route: &str) -> TestGateway {
    TestGateway::start(&config(targets, upstream, route))
}

/// The same with one target and nothing special.
fn proxy(target: &str) -> TestGateway {
    proxy_to(&[target], "", "")
}

fn config(targets: &[&str], upstream: &str, route: &str) -> String {
    let targets: Vec<String> = targets
        .iter()
        .map(|target| {
            if target.starts_with('{') {
                (*target).to_owned()
            } else {
                format!("{{ url = \"{target}\" }}")
            }
        })
        .collect();
    format!(
        r#"
        [server]
        workers = 1
        drain_timeout = "2s"

        [listener.public]
        address = "127.0.0.1:0"
        limits = {{ body = "8GiB" }}

        [upstream.app]
        targets = [{}]
        {upstream}

        [[route]]
        name = "all"
        path = "/{{rest+}}"
        integration = {{ http = "app" }}
        {route}
        "#,
        targets.join(", ")
    )
}

/// An address of loopback that refuses connections, as long as this test keeps the socket.
fn refusing() -> (TcpListener, SocketAddr) {
    // A socket that is bound and does not listen: nobody else gets the port, and nobody is answered on it.
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let addr = SocketAddr::try_from(getsockname(&socket).unwrap()).unwrap();
    (TcpListener::from(socket), addr)
}
