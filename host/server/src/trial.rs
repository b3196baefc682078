//! A plugin outside of a gateway: loaded into the real host, with the real limits, and given exchanges of which only
//! the client and the upstream are made up. What `plugin test`, `bench` and `inspect` share with the tests that a new
//! version has to pass before it serves ([`proof`]). [`script`] is what services answer in a
//! case, [`observe`] runs it, [`compare`] judges it, and [`recorded`] makes one of a recording.

pub(crate) mod compare;
pub(crate) mod observe;
mod pieces;
pub mod proof;
pub(crate) mod recorded;
pub(crate) mod script;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_config::Place;
use gatewright_config::cases::{CaseRequest, CaseResponse, PluginCase, Role};
use gatewright_config::{BodyRule, ByteSize, OnFault, PluginConfig, PluginIntegrationConfig, PluginStageConfig};
use gatewright_core::body::CollectError;
use gatewright_core::{
    AccessRecord, Attributes, Body, Client, ClientAddress, ClientIp, Exchange, ExchangeId, Integration, Parameters,
    Problem, ProblemKind, Recorder, Request, Response, RouteName, Stage, Value,
};
use gatewright_wasm::{
    CodeStore, CompileLimits, CompileWatcher, Compiler, Compiling, HostSettings, Loading, Plugin, PluginError,
    PluginHost, PluginKind, StageUse, Trust,
};
use http::{HeaderMap, Version};
use serde_json::Value as Json;

use self::script::Script;

/// The largest body that a plugin gets, as in a route that says nothing of it.
const BODY: ByteSize = ByteSize(1 << 20);
/// How long an exchange may take: longer than the plugin, whose own limits are to be seen.
const EXCHANGE: Duration = Duration::from_secs(3600);
/// Cases run one after the other.
const INSTANCES: u32 = 16;

/// The real host.
pub(crate) struct Trial {
    host: PluginHost,
}

/// A plugin with the configuration of one case.
pub(crate) enum Used {
    /// In a chain.
    Stage(Arc<dyn Stage>),
    /// As what answers.
    Integration(Arc<dyn Integration>),
}

impl Trial {
    /// Starts the host. `watcher` is told what it compiles.
    pub(crate) fn new(
        store: CodeStore,
        file_bytes: u64,
        watcher: Arc<dyn CompileWatcher>,
    ) -> Result<Self, PluginError> {
        let settings = HostSettings {
            store,
            instances: INSTANCES,
            file_bytes,
            workers: 1,
            compiler: Compiling {
                compiler: Compiler::InProcess,
                watcher: Some(watcher),
            },
            compile: CompileLimits::default(),
        };
        Ok(Self {
            host: PluginHost::new(settings)?,
        })
    }

    /// A host beside one that serves, with its compiler and its store: nothing that is tried is counted, cached or kept
    /// where requests would meet it.
    pub(crate) fn beside(serving: &HostSettings) -> Result<Self, PluginError> {
        let settings = HostSettings {
            instances: INSTANCES,
            workers: 1,
            ..serving.clone()
        };
        Ok(Self {
            host: PluginHost::new(settings)?,
        })
    }

    /// Loads a plugin, named after its file.
    pub(crate) async fn load(&self, file: &Path, config: &PluginConfig) -> Result<Arc<Plugin>, PluginError> {
        self.host.load(&name(file), file, config).await
    }

    /// Loads a plugin under a name, with the services of a case. One that is still in use would be taken with those of
    /// another.
    pub(crate) async fn load_with(&self, name: &str, file: &Path, script: &Script) -> Result<Arc<Plugin>, PluginError> {
        let loading = Loading {
            name,
            file,
            config: script.config(),
            trust: Trust::default(),
            granted: script.granted(),
            observer: None,
        };
        self.host.load_with(loading).await
    }

    /// Uses a plugin as a case says. No decision of before is known.
    pub(crate) async fn used(&self, plugin: &Arc<Plugin>, case: &PluginCase) -> Result<Used, PluginError> {
        self.host.purge_decisions();
        let name = plugin.summary().name.clone();
        let role = case.role.unwrap_or_else(|| match plugin.summary().kinds.as_slice() {
            [PluginKind::Integration] => Role::Integration,
            _ => Role::Stage,
        });
        Ok(match role {
            Role::Stage => {
                let config = PluginStageConfig {
                    plugin: name,
                    identity: case.identity.clone(),
                    cache: case.cache,
                    on_fault: OnFault::Deny,
                    body_bytes: BODY,
                    request_bodies: BodyRule::default(),
                    response_bodies: BodyRule::default(),
                    config: case.config.clone(),
                };
                let route: RouteName = case.route.as_str().into();
                let stage = plugin.stage(StageUse {
                    config: &config,
                    route: &route,
                    // Otherwise nobody could tell an abstention from a denial.
                    last_authorizer: false,
                });
                Used::Stage(stage.await?)
            }
            Role::Integration => {
                let config = PluginIntegrationConfig {
                    place: Place {
                        line: case.line,
                        ..Place::nowhere()
                    },
                    plugin: name,
                    body_bytes: BODY,
                    config: case.config.clone(),
                };
                Used::Integration(plugin.integration(&config, &case.route.as_str().into()).await?)
            }
        })
    }
}

/// What a plugin is called: as its file.
pub(crate) fn name(file: &Path) -> String {
    let stem = file.file_stem();
    stem.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

struct Nowhere;

impl Recorder for Nowhere {
    fn record(&self, _: &AccessRecord) {}
}

/// The exchange of a case.
pub(crate) fn exchange(case: &PluginCase) -> Exchange {
    let CaseRequest {
        method,
        target,
        authority,
        host,
        headers,
        body,
        chunks,
        client,
        tls,
        parameters,
        attributes: known,
    } = &case.request;
    let id = ExchangeId { process: 0, number: 1 };
    let client = Client {
        peer: ClientAddress::Tcp(SocketAddr::new(*client, 40_000)),
        address: ClientIp::Known(*client),
        ipv6_prefix: 64,
        tls: *tls,
        tls_version: None,
        trusted: false,
        certificate: None,
    };
    let mut attributes = Attributes::default();
    for (name, value) in known {
        attributes.set(name.clone(), attribute(value));
    }
    let recorder: Arc<dyn Recorder> = Arc::new(Nowhere);
    let (version, listener) = (Version::HTTP_11, "test".into());
    let now = Instant::now();
    Exchange {
        id,
        now,
        deadline: now + EXCHANGE,
        client: client.clone(),
        request: Request {
            method: method.clone(),
            secure: *tls,
            authority: authority.clone(),
            host: host.clone(),
            target: target.clone(),
            encodings: gatewright_core::path::Encodings::default(),
            version,
            headers: headers.clone(),
        },
        body: pieces::body(headers, body, chunks),
        route: case.route.as_str().into(),
        parameters: self::parameters(parameters),
        attributes,
        for_response: HeaderMap::new(),
        rate_limit: None,
        interim: None,
        record: AccessRecord::new(id, listener, client, method.clone(), version, recorder),
    }
}

fn parameters(parameters: &[(String, String)]) -> Parameters {
    let names: Arc<[Arc<str>]> = parameters.iter().map(|(name, _)| Arc::from(name.as_str())).collect();
    let bytes = parameters.iter().map(|(_, value)| value.len() + 1).sum();
    Parameters::new(&names, parameters.iter().map(|(_, value)| value.as_str()), bytes)
}

fn attribute(value: &Json) -> Value {
    match value {
        Json::String(text) => Value::Text(text.clone()),
        Json::Bool(truth) => Value::Truth(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Value::Integer(integer),
            (None, float) => Value::Number(float.unwrap_or_default()),
        },
        other => Value::Json(other.to_string()),
    }
}

/// The upstream's response of a case; an empty 200 when it says nothing of one.
pub(crate) fn response(case: Option<&CaseResponse>) -> Response {
    let Some(CaseResponse {
        status,
        headers,
        body,
        chunks,
    }) = case
    else {
        return Response::new(Body::empty());
    };
    let mut response = Response::new(pieces::body(headers, body, chunks));
    *response.status_mut() = *status;
    *response.headers_mut() = headers.clone();
    response
}

/// Reads what there is of bodies, and keeps it in their place.
pub(crate) async fn whole(
    exchange: &mut Exchange,
    mut response: Option<Response>,
) -> Result<Option<Response>, Problem> {
    let of_response = response.as_mut().map(Response::body_mut);
    for body in std::iter::once(&mut exchange.body).chain(of_response) {
        let bytes = body.take().collect(u64::MAX).await.map_err(|error| match error {
            CollectError::Body(error) => error.0,
            CollectError::TooLarge => ProblemKind::InternalError.into(),
        })?;
        *body = Body::full(bytes);
    }
    Ok(response)
}

/// Whether a case has an upstream's response to be changed; `asks` is whether the plugin sees requests too.
pub(crate) fn sees_response(stage: &dyn Stage, plugin: &Plugin, case: &PluginCase) -> bool {
    let summary = plugin.summary();
    let sees_requests = summary.needs.request_chunks
        || summary
            .kinds
            .iter()
            .any(|kind| matches!(kind, PluginKind::Authorizer | PluginKind::RequestTransform));
    stage.sees_responses() && (case.response.is_some() || !sees_requests)
}
