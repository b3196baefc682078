//! Commands that ask a gateway that runs, at the admin address of its configuration.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use gatewright_config::SecretSource;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::output::{failure, mistake};
use crate::secret;

/// One question and its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of an answer.
const LONGEST: usize = 16 << 20;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum AskError {
    /// What was given has a mistake: the configuration, or what is asked for.
    Mistake(String),
    /// The gateway cannot be asked, or cannot do it.
    Failure(String),
}

impl AskError {
    /// Prints it, and gives the exit code.
    pub(super) fn exit(self) -> ExitCode {
        match self {
            Self::Mistake(message) => mistake(message),
            Self::Failure(message) => failure(message),
        }
    }
}

/// Asks the admin address.
pub(super) struct AdminClient {
    address: String,
    token: Option<SecretSource>,
}

impl AdminClient {
    /// For the gateway with this configuration, which may listen somewhere else than that says.
    pub(super) fn of(config: &Path, address: Option<&str>) -> Result<Self, AskError> {
        let loaded = gatewright_config::load(config).map_err(|errors| AskError::Mistake(errors.to_string()))?;
        let admin = loaded.admin.ok_or_else(|| {
            AskError::Mistake(format!(
                "{} says `enabled = false` of the admin address",
                config.display()
            ))
        })?;
        // What listens on all addresses does on loopback too.
        let mut known = admin.address;
        if known.ip().is_unspecified() {
            known.set_ip(match known.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        match address {
            None if known.port() == 0 => {
                let message = "the admin address has port 0: say `--address HOST:PORT`";
                Err(AskError::Mistake(message.to_owned()))
            }
            address => Ok(Self {
                address: address.map_or_else(|| known.to_string(), str::to_owned),
                token: admin.token,
            }),
        }
    }

    /// Asks, and reads the answer, or what is said instead.
    pub(super) fn ask(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Value, AskError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| AskError::Failure(error.to_string()))?;
        let token = self.token.as_ref().map(|token| {
            let read = secret::read(&token.reference);
            read.map_err(|error| AskError::Mistake(token.place.mistake(&error).with_hint(error.hint()).to_string()))
        });
        let token = token.transpose()?;
        let unreachable = |reason: &dyn std::fmt::Display| {
            AskError::Failure(format!(
                "cannot ask the gateway at its admin address {}: {reason}; does it run?",
                self.address
            ))
        };
        match runtime.block_on(async { tokio::time::timeout(PATIENCE, self.send(method, path, body, token)).await }) {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Err(unreachable(&error)),
            Err(_) => Err(unreachable(&format_args!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }

    async fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        token: Option<String>,
    ) -> anyhow::Result<Result<Value, AskError>> {
        let stream = TcpStream::connect(&self.address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.address);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let bytes = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(bytes))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LONGEST)
            .collect()
            .await
            .map_err(anyhow::Error::from_boxed)?;
        let answer: Value = serde_json::from_slice(&body.to_bytes())?;
        if status.is_success() {
            return Ok(Ok(answer));
        }
        let message = answer.get("message").and_then(Value::as_str);
        let message = message.unwrap_or(status.as_str()).to_owned();
        Ok(Err(match status.is_client_error() {
            true => AskError::Mistake(message),
            false => AskError::Failure(message),
        }))
    }
}
