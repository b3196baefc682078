//! P26. Built for `wasm32-wasip2`, so that it imports WASI, and tries to see the machine: environment, arguments, files,
//! directories, sockets, clocks. Expected: it loads, and sees nothing but the time.
//!
//! As integration it answers with a JSON object of what it saw; as authorizer it denies with that text as the reason when it
//! saw anything it should not, and grants otherwise. (Built for `wasm32-unknown-unknown` it sees nothing by construction.)

use gatewright_sdk::prelude::*;
use serde_json::{Value as Json, json};

struct ReadsTheWorld;

impl Plugin for ReadsTheWorld {
    fn info() -> Info {
        misbehaving_guests::about("reads-the-world")
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        config::none(config).map(|()| Self)
    }
}

impl Authorizer for ReadsTheWorld {
    fn authorize(&self, _request: &AuthorizeRequest) -> Result<Decision, Fault> {
        let seen = look();
        let hidden = [
            "environment",
            "arguments",
            "root",
            "passwd",
            "written",
            "connected",
            "input",
        ];
        match hidden.iter().all(|what| seen[what].is_null()) {
            true => Ok(Grant::to("guest").into()),
            false => Ok(Denial::forbidden(seen.to_string()).into()),
        }
    }
}

impl Integration for ReadsTheWorld {
    fn handle(&self, _request: &IntegrationRequest) -> Result<Response, Fault> {
        Response::new(200).json(&look())
    }
}

/// What can be seen; null where nothing is.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
fn look() -> Json {
    use std::io::Read;

    fn list(items: impl Iterator<Item = String>) -> Json {
        let items: Vec<String> = items.collect();
        if items.is_empty() { Json::Null } else { json!(items) }
    }

    let mut input = String::new();
    println!("a line for nobody");
    json!({
        "environment": list(std::env::vars_os().map(|pair| format!("{pair:?}"))),
        "arguments": list(std::env::args_os().map(|argument| format!("{argument:?}"))),
        "root": std::fs::read_dir("/").ok().map(|entries| list(entries.map(|entry| format!("{entry:?}")))),
        "passwd": std::fs::read_to_string("/etc/passwd").ok(),
        "written": std::fs::write("/tmp/gatewright-guest", "here").ok().map(|()| true),
        "connected": std::net::TcpStream::connect(("127.0.0.1", 80)).ok().map(|_| true),
        "input": std::io::stdin().read_to_string(&mut input).ok().filter(|length| *length > 0),
        "unix_seconds": std::time::SystemTime::UNIX_EPOCH.elapsed().ok().map(|time| time.as_secs()),
    })
}

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
fn look() -> Json {
    json!({})
}

plugin!(ReadsTheWorld: authorizer | integration);
