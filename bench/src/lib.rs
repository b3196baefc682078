//! What the micro benchmarks share: exchanges to measure with, and plugins.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a benchmark that cannot be set up has nothing to say"
)]

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use gatewright_config::{BodyRule, ByteSize, IdentitySource, InstancePolicy, PluginConfig, PluginStageConfig};
use gatewright_core::{
    AccessRecord, Attributes, Body, Client, ClientAddress, Exchange, ExchangeId, Parameters, Recorder, Request, Stage,
};
use gatewright_wasm::{CodeStore, CompileLimits, Compiler, HostSettings, Plugin, PluginHost, StageUse};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

/// The gateway's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Nowhere;

impl Recorder for Nowhere {
    fn record(&self, _record: &AccessRecord) {}
}

/// An exchange whose request has so many header fields besides `authorization`.
pub fn exchange(fields: usize) -> Exchange {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer secret"));
    for number in 0..fields {
        let name = HeaderName::try_from(format!("x-field-{number}")).unwrap();
        headers.insert(name, HeaderValue::from_static("a value of ordinary length"));
    }
    let id = ExchangeId { process: 1, number: 1 };
    let address = "192.0.2.7:5000".parse().unwrap();
    let client = Client {
        peer: ClientAddress::Tcp(address),
        address: ClientAddress::Tcp(address).into(),
        ipv6_prefix: 64,
        tls: false,
        tls_version: None,
        trusted: false,
        certificate: None,
    };
    let listener: Arc<str> = Arc::from("bench");
    let record = AccessRecord::new(
        id,
        listener,
        client.clone(),
        Method::GET,
        Version::HTTP_11,
        Arc::new(Nowhere),
    );
    Exchange {
        id,
        now: Instant::now(),
        deadline: Instant::now() + Duration::from_secs(3600),
        client,
        request: Request {
            method: Method::GET,
            secure: false,
            authority: HeaderValue::from_static("api.example.com"),
            host: "api.example.com".to_owned(),
            target: "/users/42?verbose=1".parse().unwrap(),
            version: Version::HTTP_11,
            encodings: gatewright_core::path::Encodings::default(),
            headers,
        },
        body: Body::empty(),
        route: Arc::from("user-by-id"),
        parameters: Parameters::default(),
        attributes: Attributes::default(),
        for_response: http::HeaderMap::new(),
        rate_limit: None,
        interim: None,
        record,
    }
}

/// The benchmarks' guest, loaded.
pub struct Guests {
    host: PluginHost,
    runtime: tokio::runtime::Runtime,
}

impl Guests {
    /// Starts the plugin engine.
    pub fn start() -> Self {
        Self::start_in(std::env::temp_dir().join("gatewright-bench-store"))
    }

    /// Starts the plugin engine, with compiled code kept there.
    pub fn start_in(store: PathBuf) -> Self {
        let settings = HostSettings {
            store: CodeStore::kept(store),
            instances: 64,
            file_bytes: 1 << 26,
            workers: 1,
            compiler: Compiler::InProcess.into(),
            compile: CompileLimits::default(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        Self {
            host: PluginHost::new(settings).expect("the plugin engine starts"),
            runtime,
        }
    }

    /// A stage of the guest `bearer`.
    pub fn authorizer(&self, instances: InstancePolicy, cache: Duration) -> Arc<dyn Stage> {
        let plugin = self.load("bearer", &guest_file(), instances);
        self.stage(&plugin, "bearer", cache, serde_json::json!({}))
    }

    /// A stage of any authorizer, with room for interpreters.
    pub fn authorizer_of(&self, file: &Path, instances: InstancePolicy, config: serde_json::Value) -> Arc<dyn Stage> {
        let plugin = self.load("authorizer", file, instances);
        self.stage(&plugin, "authorizer", Duration::ZERO, config)
    }

    /// How long a file takes to compile; none when it was compiled before.
    pub fn compile_ms(&self, file: &Path) -> Option<u64> {
        self.load("authorizer", file, InstancePolicy::Fresh)
            .summary()
            .compile_ms
    }

    fn stage(&self, plugin: &Arc<Plugin>, name: &str, cache: Duration, config: serde_json::Value) -> Arc<dyn Stage> {
        let config = PluginStageConfig {
            plugin: name.to_owned(),
            identity: vec![IdentitySource::Header("authorization".to_owned())],
            cache,
            on_fault: gatewright_config::OnFault::Deny,
            body_bytes: ByteSize(1 << 20),
            request_bodies: BodyRule::default(),
            response_bodies: BodyRule::default(),
            config,
        };
        let route = Arc::from("user-by-id");
        let stage = plugin.stage(StageUse {
            config: &config,
            route: &route,
            last_authorizer: true,
        });
        self.runtime.block_on(stage).expect("the guest takes its configuration")
    }

    fn load(&self, name: &str, file: &Path, instances: InstancePolicy) -> Arc<Plugin> {
        let config = PluginConfig {
            instances,
            memory: ByteSize(64 << 20),
            time: Duration::from_secs(10),
            cpu: Duration::from_secs(10),
            ..PluginConfig::default()
        };
        assert!(
            file.is_file(),
            "{} is missing; `cargo xtask bench` builds it",
            file.display()
        );
        self.runtime
            .block_on(self.host.load(name, file, &config))
            .expect("the guest loads")
    }

    /// Enters the runtime, once for many calls: a gateway's workers do not enter theirs for each of them either.
    pub fn enter(&self) -> tokio::runtime::EnterGuard<'_> {
        self.runtime.enter()
    }

    /// One request through a stage, in the runtime that was entered. A guest that yields goes on at once.
    pub fn call(&self, stage: &dyn Stage, exchange: &mut Exchange) {
        let mut step = pin!(stage.on_request(exchange));
        let mut context = Context::from_waker(Waker::noop());
        let flow = loop {
            if let Poll::Ready(flow) = step.as_mut().poll(&mut context) {
                break flow;
            }
        };
        assert!(
            matches!(flow, Ok(gatewright_core::Flow::Proceed)),
            "the guest lets the key pass: {flow:?}"
        );
    }
}

fn guest_file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/bench/bearer.wasm")
}
