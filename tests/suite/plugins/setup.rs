//! Gateways with plugins, and how a test asks them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use gatewright_tests::{Origin, RawClient, RawResponse, TestFiles, TestGateway, eventually};
use serde_json::Value;
use tempfile::TempDir;

/// The hooks, as the metrics' label `hook` has them.
pub(super) const HOOKS: [&str; 4] = ["authorizer", "request-transform", "response-transform", "integration"];

/// Limits of a plugin whose time is not the subject: machines that run tests are slow.
pub(super) const PATIENT: &str = "time = \"10s\"\ncpu = \"5s\"";

/// Tests that use up the whole machine, or measure it, wait for each other.
pub(super) fn heavy() -> MutexGuard<'static, ()> {
    static HEAVY: Mutex<()> = Mutex::new(());
    HEAVY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The beginning of every configuration: a listener, the plugin folder, and compiled code that all tests share.
pub(super) fn base() -> String {
    static STORE: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder for compiled code"));
    base_with(&format!("store = \"{}\"", STORE.path().join("store").display()))
}

/// The same with further lines of `[plugins]`.
pub(super) fn base_with(plugins: &str) -> String {
    format!(
        "[listener.public]\naddress = \"127.0.0.1:0\"\n[plugins]\ndirectory = \"plugins\"\n{plugins}\n\
         [[route]]\nname = \"neighbour\"\npath = \"/neighbour\"\nintegration = {{ respond = 200, body = \"here\" }}\n"
    )
}

/// A route for `/NAME` and all below it.
pub(super) fn route(name: &str, chain: &str, integration: &str) -> String {
    let route = |suffix: &str, path: &str| {
        format!(
            "[[route]]\nname = \"{name}{suffix}\"\npath = \"/{name}{path}\"\nchain = [{chain}]\n\
             integration = {{ {integration} }}\n"
        )
    };
    route("", "") + &route("-below", "/{rest+}")
}

/// An upstream `app`.
pub(super) fn upstream(origin: &Origin) -> String {
    format!("[upstream.app]\ntargets = [{{ url = \"{}\" }}]\n", origin.url())
}

/// A gateway that calls one guest in every hook that it has, and an origin behind it.
pub(super) struct Kinds {
    pub(super) gateway: TestGateway,
    pub(super) origin: Origin,
    guest: &'static str,
    asked: AtomicUsize,
}

/// What became of a request.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) response: RawResponse,
    pub(super) record: Value,
}

impl Kinds {
    /// `limits` are lines of `[plugin.GUEST]`, `stage` further settings of its use in a chain.
    pub(super) fn start(guest: &'static str, limits: &str, stage: &str) -> Self {
        let origin = Origin::saying("from the origin");
        let config = [
            base(),
            upstream(&origin),
            format!("[plugin.{guest}]\n{limits}\n"),
            route("stage", &format!("{{ plugin = \"{guest}\"{stage} }}"), "http = \"app\""),
            route("integration", "", &format!("plugin = \"{guest}\"")),
        ];
        let gateway = TestFiles::default().with_guests(&[guest]).start(&config.concat());
        let asked = AtomicUsize::new(0);
        Self {
            gateway,
            origin,
            guest,
            asked,
        }
    }

    /// Asks for something that calls the guest in `hook` in this mode, and harmlessly in the others.
    pub(super) fn ask(&self, hook: &str, mode: &str) -> Asked {
        self.ask_with(hook, &[("x-mode", mode)])
    }

    /// The same with these header fields.
    pub(super) fn ask_with(&self, hook: &str, headers: &[(&str, &str)]) -> Asked {
        let headers = [&[("x-hook", hook)], headers].concat();
        let path = self.path(hook);
        let response = gatewright_tests::http(self.gateway.addr("public"), "GET", &path, &headers, b"");
        Asked {
            response,
            record: record(&self.gateway, &path),
        }
    }

    /// A path that nobody has asked for.
    pub(super) fn path(&self, hook: &str) -> String {
        let route = if hook == "integration" { "integration" } else { "stage" };
        format!("/{route}/{}", self.asked.fetch_add(1, Ordering::Relaxed))
    }

    /// Asserts that the guest works, in every hook.
    pub(super) fn assert_works(&self) {
        for hook in HOOKS {
            let asked = self.ask(hook, "off");
            assert_eq!(asked.response.status, 200, "{hook}: {asked:?}");
            assert_eq!(asked.record["error"], Value::Null);
        }
    }

    /// A metric of the guest: `metric("calls_total", "outcome=\"trap\"")`.
    pub(super) fn metric(&self, name: &str, labels: &str) -> f64 {
        let separator = if labels.is_empty() { "" } else { "," };
        self.gateway.metric(&format!(
            "gatewright_plugin_{name}{{plugin=\"{}\"{separator}{labels}}}",
            self.guest
        ))
    }
}

impl Asked {
    /// Asserts how an exchange failed, for the client and in its record.
    pub(super) fn assert_failed(&self, hook: &str, guest: &str, status: u16, error: &str) {
        assert_eq!(
            (self.response.status, self.response.error()),
            (status, Some(error)),
            "{hook}: {self:?}"
        );
        assert_eq!(self.record["status"], status, "{hook}");
        assert_eq!(self.record["error"], error, "{hook}");
        let who = if hook == "integration" {
            Value::Null
        } else {
            Value::from(guest)
        };
        assert_eq!(self.record["answered_by"], who, "{hook}");
        // The cause is for operators: it names the plugin, and nothing of it is sent.
        let cause = self.record["cause"].as_str().unwrap_or_default();
        assert!(cause.contains(&format!("plugin `{guest}`")), "{hook}: {cause}");
        assert!(!self.response.text().contains(guest), "{hook}: {:?}", self.response);
    }
}

/// The code that an authorizer's failure has, or any other hook's.
pub(super) fn code(hook: &str, other: &'static str) -> &'static str {
    if hook == "authorizer" {
        "AUTHORIZER_FAILURE"
    } else {
        other
    }
}

/// The access record of a path that was asked for once.
pub(super) fn record(gateway: &TestGateway, path: &str) -> Value {
    eventually(&format!("a record of {path}"), || {
        gateway.access_log().into_iter().find(|record| record["path"] == path)
    })
}

/// Many requests at once, each on a connection of its own; nothing is read before `answers`.
pub(super) struct Crowd(Vec<RawClient>);

impl Crowd {
    pub(super) fn send(gateway: &TestGateway, count: usize, path: &str, headers: &[(&str, &str)]) -> Self {
        let connect = |_| RawClient::connect(gateway.addr("public"));
        let mut clients: Vec<_> = (0..count).map(connect).collect();
        let request = gatewright_tests::raw_client::request("GET", path, headers, b"");
        clients.iter_mut().for_each(|client| _ = client.send(&request));
        Self(clients)
    }

    pub(super) fn answers(mut self) -> Vec<RawResponse> {
        self.0.iter_mut().map(RawClient::read_response).collect()
    }
}
