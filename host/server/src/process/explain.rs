//! `gatewright explain`: one request through a whole gateway that listens nowhere. It comes in over a pair of sockets, so
//! that it is read, checked and routed by what reads, checks and routes any other.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright_config::units::format_duration;
use gatewright_config::{ConfigErrors, GatewayConfig, ListenerConfig};
use gatewright_core::ClientAddress;
use gatewright_wasm::Compiling;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value as Json, json};
use tokio::net::UnixStream;

use super::StartError;
use super::foundation::{Purpose, foundation, without_traces};
use crate::assemble::assemble;
use crate::drain;
use crate::explain::{Explaining, Explanations};
use crate::listener::guard::Watch;
use crate::listener::socket::Socket;
use crate::listener::{Settings, connection};
use crate::live::Live;

/// A request longer than this has no answer to be explained.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is to be explained.
#[derive(Debug)]
pub struct Question {
    /// The listener it comes in by; none for the only one.
    pub listener: Option<String>,
    /// Where it comes from.
    pub client: IpAddr,
    /// Whether upstreams are asked, and plugins may send requests.
    pub online: bool,
    /// The request; its target is a path with or without a query.
    pub request: Request<Full<Bytes>>,
}

/// Why nothing can be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The configuration cannot serve.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is no listener of that name, or none was named where there are several.
    #[error("{0}")]
    Listener(String),
    /// The gateway closed the connection.
    #[error("the gateway did not answer: {0}")]
    NoAnswer(String),
}

/// Serves a request and explains what became of it.
///
/// # Errors
/// When the configuration cannot serve, or the request cannot even be sent.
pub fn explain(file: &Path, question: Question, compiler: &Compiling) -> Result<Json, ExplainError> {
    let config = gatewright_config::load(file).map_err(StartError::from)?;
    let (name, listener) = listener(&config, question.listener.as_deref())?;
    let settings =
        Settings::new(&name, &listener).map_err(|error| StartError::from(ConfigErrors::from(error.mistake())))?;
    let mut mistakes = Vec::new();
    let config = without_traces(config);
    let purpose = Purpose::Looking {
        online: question.online,
    };
    let explanations = Arc::<Explanations>::default();
    let mut foundation = foundation(purpose, &config, &Arc::default(), 1, compiler, &mut mistakes)?;
    foundation.explaining = Some(Arc::new(Explaining {
        signature: None,
        explanations: Arc::clone(&explanations),
    }));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(StartError::from)?.block_on(async {
        let assembled = assemble(config, 1, &foundation, None, mistakes).await;
        let (gateway, _generation) = assembled.map_err(StartError::from)?;
        let answered = serve(Live::new(gateway), settings, question);
        let status = match tokio::time::timeout(PATIENCE, answered).await {
            Ok(answered) => answered?,
            Err(_) => {
                return Err(ExplainError::NoAnswer(format!(
                    "nothing came within {}",
                    format_duration(PATIENCE)
                )));
            }
        };
        let explained = explanations.last().and_then(|text| serde_json::from_str(&text).ok());
        // The protocol itself was broken, so there was no exchange.
        Ok(explained.unwrap_or_else(|| json!({ "listener": name, "outcome": { "status": status } })))
    })
}

/// The listener without what is about its connections: there is none.
fn listener(config: &GatewayConfig, name: Option<&str>) -> Result<(String, ListenerConfig), ExplainError> {
    let names = || {
        config
            .listeners
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let found = match (name, config.listeners.len()) {
        (Some(name), _) => config.listeners.get_key_value(name),
        (None, 1) => config.listeners.first_key_value(),
        (None, _) => {
            let message = format!("there are several listeners; name one with --listener: {}", names());
            return Err(ExplainError::Listener(message));
        }
    };
    let unknown = || ExplainError::Listener(format!("there is no such listener; there are: {}", names()));
    let (name, listener) = found.ok_or_else(unknown)?;
    let listener = ListenerConfig {
        tls: None,
        http1: true,
        http2: false,
        ..listener.clone()
    };
    Ok((name.clone(), listener))
}

async fn serve(live: Live, settings: Settings, question: Question) -> Result<u16, ExplainError> {
    let refused = |error: hyper::Error| ExplainError::NoAnswer(crate::upstream::causes(&error));
    let (here, there) = UnixStream::pair().map_err(StartError::from)?;
    let (_drainer, drain) = drain::new();
    let client = ClientAddress::Tcp(SocketAddr::new(question.client, 0));
    tokio::spawn(connection::serve(
        Socket::Unix(there),
        client,
        Arc::new(settings),
        live,
        drain,
        Watch::new(),
    ));
    let (mut sender, connection) = http1::handshake(TokioIo::new(here)).await.map_err(refused)?;
    tokio::spawn(connection);
    let response = sender.send_request(question.request).await.map_err(refused)?;
    let (head, mut body) = response.into_parts();
    // To its end, a piece at a time: what is in it is nobody's business here.
    while let Some(Ok(_)) = body.frame().await {}
    Ok(head.status.as_u16())
}
