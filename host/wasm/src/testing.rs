//! What the tests of this crate share: exchanges, a host, and guests, built by the first test that asks for one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use gatewright_config::ByteSize;
use gatewright_config::gateway::{BodyRule, OnFault, PluginConfig, PluginIntegrationConfig, PluginStageConfig};
use gatewright_core::{
    AccessRecord, Attributes, Body, Client, ClientAddress, Exchange, ExchangeId, Flow, Integration, Parameters,
    Problem, ProblemKind, Recorder, Request, Response, Stage,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use serde_json::Value;

use crate::{CodeStore, CompileLimits, Compiler, HostSettings, Plugin, PluginError, PluginHost, StageUse};

struct Nowhere;

impl Recorder for Nowhere {
    fn record(&self, _: &AccessRecord) {}
}

/// `GET /a` on route `route`, from 192.0.2.1, with ten seconds to go.
pub(crate) fn exchange() -> Exchange {
    let id = ExchangeId { process: 1, number: 2 };
    let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
    let client = Client {
        peer: ClientAddress::Tcp(peer),
        address: ClientAddress::Tcp(peer).into(),
        ipv6_prefix: 64,
        tls: false,
        tls_version: None,
        trusted: false,
        certificate: None,
    };
    let recorder: Arc<dyn Recorder> = Arc::new(Nowhere);
    Exchange {
        id,
        now: Instant::now(),
        deadline: Instant::now() + Duration::from_secs(10),
        client: client.clone(),
        request: Request {
            method: Method::GET,
            secure: false,
            authority: HeaderValue::from_static("Api.Example:8080"),
            host: "api.example".to_owned(),
            target: "/a".parse().unwrap(),
            version: Version::HTTP_11,
            encodings: gatewright_core::path::Encodings::default(),
            headers: HeaderMap::new(),
        },
        body: Body::empty(),
        route: "route".into(),
        parameters: Parameters::default(),
        attributes: Attributes::default(),
        for_response: HeaderMap::new(),
        rate_limit: None,
        interim: None,
        record: AccessRecord::new(id, "listener".into(), client, Method::GET, Version::HTTP_11, recorder),
    }
}

/// The same with header fields.
pub(crate) fn exchange_with(fields: &[(&'static str, &str)]) -> Exchange {
    let mut exchange = exchange();
    for (name, value) in fields {
        let value = HeaderValue::from_str(value).unwrap();
        exchange.request.headers.append(HeaderName::from_static(name), value);
    }
    exchange
}

/// The host of all tests, with its own store.
pub(crate) fn host() -> &'static PluginHost {
    static HOST: OnceLock<(PluginHost, tempfile::TempDir)> = OnceLock::new();
    &HOST
        .get_or_init(|| {
            let directory = tempfile::tempdir().unwrap();
            (own_host(directory.path(), 64), directory)
        })
        .0
}

/// A host of a test's own.
pub(crate) fn own_host(directory: &Path, instances: u32) -> PluginHost {
    let store = directory.join("store");
    PluginHost::new(HostSettings {
        store: CodeStore::kept(store),
        instances,
        file_bytes: 64 << 20,
        workers: 1,
        compiler: Compiler::InProcess.into(),
        compile: CompileLimits::default(),
    })
    .unwrap()
}

/// The file of a guest of `tests/guests`.
pub(crate) fn guest(name: &str) -> PathBuf {
    built("wasm32-unknown-unknown", &["--examples"], name)
}

/// The file of a guest that was built as a program of a system.
pub(crate) fn wasi_guest(name: &str) -> PathBuf {
    built("wasm32-wasip2", &["--example", name], name)
}

fn built(platform: &'static str, selection: &[&str], name: &str) -> PathBuf {
    static BUILT: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let target = root.join("target/guests");
    let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !built.contains(&platform) {
        // In the guests' folder: Cargo reads the settings of the folder it runs in. Not with this build's settings.
        let mut cargo = Command::new("cargo");
        cargo
            .current_dir(root.join("tests/guests"))
            .env_remove("RUSTFLAGS")
            .arg("build")
            .arg("--target-dir")
            .arg(&target);
        cargo
            .args(["--release", "--locked", "--quiet", "--target", platform])
            .args(selection);
        let status = cargo.status().expect("cargo runs");
        assert!(
            status.success(),
            "the guests do not build; is there `rustup target add {platform}`?"
        );
        built.push(platform);
    }
    target
        .join(platform)
        .join("release/examples")
        .join(format!("{}.wasm", name.replace('-', "_")))
}

/// Loads a guest with changed limits.
pub(crate) async fn load(name: &str, change: impl FnOnce(&mut PluginConfig)) -> Result<Arc<Plugin>, PluginError> {
    let mut config = PluginConfig {
        // Machines that build are slow; tests of time limits set their own.
        time: Duration::from_secs(5),
        ..PluginConfig::default()
    };
    change(&mut config);
    host().load(name, &guest(name), &config).await
}

/// The configuration of a stage with nothing in it.
pub(crate) fn stage_config() -> PluginStageConfig {
    PluginStageConfig {
        plugin: "plugin".to_owned(),
        identity: Vec::new(),
        cache: Duration::ZERO,
        on_fault: OnFault::Deny,
        body_bytes: ByteSize(1 << 20),
        request_bodies: BodyRule::default(),
        response_bodies: BodyRule::default(),
        config: Value::Null,
    }
}

/// A stage of a guest.
pub(crate) async fn stage(plugin: &Arc<Plugin>, change: impl FnOnce(&mut PluginStageConfig)) -> Arc<dyn Stage> {
    try_stage(plugin, change).await.unwrap()
}

/// A stage of a guest, or why not.
pub(crate) async fn try_stage(
    plugin: &Arc<Plugin>,
    change: impl FnOnce(&mut PluginStageConfig),
) -> Result<Arc<dyn Stage>, PluginError> {
    let mut config = stage_config();
    change(&mut config);
    let route = "route".into();
    plugin
        .stage(StageUse {
            config: &config,
            route: &route,
            last_authorizer: true,
        })
        .await
}

/// An integration of a guest.
pub(crate) async fn integration(plugin: &Arc<Plugin>, config: Value) -> Arc<dyn Integration> {
    let config = PluginIntegrationConfig {
        place: gatewright_config::Place::nowhere(),
        plugin: "plugin".to_owned(),
        body_bytes: ByteSize(1 << 20),
        config,
    };
    plugin.integration(&config, &"route".into()).await.unwrap()
}

/// Runs a stage, which must let the request pass.
pub(crate) async fn pass(stage: &Arc<dyn Stage>, exchange: &mut Exchange) {
    match stage.on_request(exchange).await {
        Ok(Flow::Proceed) => {}
        Ok(Flow::Answer(response)) => panic!("answered {}", response.status()),
        Err(problem) => panic!("{problem}"),
    }
}

/// Runs a stage, which must fail.
pub(crate) async fn fail(stage: &Arc<dyn Stage>, exchange: &mut Exchange) -> Problem {
    match stage.on_request(exchange).await {
        Ok(flow) => panic!("{flow:?}"),
        Err(problem) => problem,
    }
}

/// Asks an integration, which must fail with that kind; its cause.
pub(crate) async fn refuse(integration: &Arc<dyn Integration>, exchange: &mut Exchange, kind: ProblemKind) -> String {
    let problem = integration.call(exchange).await.err().unwrap();
    assert_eq!(problem.kind(), kind, "{problem}");
    problem.cause().unwrap().to_owned()
}

/// The text of a response.
pub(crate) async fn text(response: Response) -> String {
    let body = response.into_body().collect(1 << 20).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}
