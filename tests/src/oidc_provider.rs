//! A real OpenID provider, which `cargo xtask test` installs.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::guests::root;
use crate::raw_client::http;

/// A provider, which ends with it.
pub struct OidcProvider {
    child: Option<Child>,
    port: u16,
    clients: String,
    /// The host of its name; it listens at 127.0.0.1 in any case.
    host: &'static str,
}

impl OidcProvider {
    /// Starts one that signs with a new key of that name.
    pub fn start(key: &str) -> Self {
        Self::with_clients(key, "[]")
    }

    /// Starts one that knows these clients too, as JSON.
    pub fn with_clients(key: &str, clients: &str) -> Self {
        let mut provider = Self {
            child: None,
            port: 0,
            clients: clients.to_owned(),
            host: "127.0.0.1",
        };
        provider.run(key);
        provider
    }

    /// Ends it. Nobody listens at its address until it starts again.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again at the same address, with a new key of that name and without anything that it knew.
    pub fn start_again(&mut self, key: &str) {
        self.stop();
        self.run(key);
    }

    /// Starts it again at the same address, with other clients, as JSON.
    pub fn start_with(&mut self, clients: &str) {
        clients.clone_into(&mut self.clients);
        self.start_again("key-1");
    }

    /// Its issuer identifier.
    pub fn issuer(&self) -> String {
        format!("http://{}:{}", self.host, self.port)
    }

    /// Where it is reached, whatever it calls itself.
    pub fn internal(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From its next start on it has another name than the one it is reached by. Returns that name.
    pub fn be_public(&mut self) -> String {
        self.host = "localhost";
        self.issuer()
    }

    /// An access token of the client `service`.
    pub fn token(&self, resource: &str, scope: &str) -> String {
        let answer = self.post(
            "/token",
            &format!("grant_type=client_credentials&resource={resource}&scope={scope}"),
        );
        answer["access_token"].as_str().expect("an access token").to_owned()
    }

    /// Sends a form as the client `service`, and reads what is answered.
    pub fn post(&self, path: &str, form: &str) -> Value {
        let credentials = STANDARD.encode("service:service-secret-of-the-tests");
        let fields = [
            ("authorization", &*format!("Basic {credentials}")),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let address = ([127, 0, 0, 1], self.port).into();
        let answer = http(address, "POST", path, &fields, form.as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    fn run(&mut self, key: &str) {
        let mut command = Command::new("node");
        command
            .arg(root().join("tests/issuer/provider.mjs"))
            .env("TOOLS", root().join("target/tools"))
            .env("PORT", self.port.to_string())
            .env("HOST", self.host)
            .env("KEY", key)
            .env("CLIENTS", &self.clients)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start node, which `cargo xtask test` installs: {error}"));
        let mut output = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let port = output.find_map(|line| {
            let port = line.strip_prefix("listening ")?;
            port.parse().ok()
        });
        // It goes on talking, and ends when nobody listens.
        std::thread::spawn(move || output.for_each(drop));
        self.child = Some(child);
        self.port = port.expect("the provider says where it listens; `cargo xtask test` installs it");
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        self.stop();
    }
}
