//! A new version of a plugin on trial: what it may do to requests, and what ends its trial.

use gatewright_tests::{Origin, RawResponse, TestFiles, TestGateway, eventually, full, guests, http};
use http::Response;
use serde_json::Value;

use super::setup::{PATIENT, base, base_with, route, upstream};

const FILE: &str = "plugins/changing.wasm";
const NEXT: &str = "plugins/changing.next.wasm";

/// A gateway in which version one serves and `next` is on trial by these rules.
struct OnTrial {
    gateway: TestGateway,
    // Tells which versions a request met on the way to it.
    _origin: Origin,
}

impl OnTrial {
    fn start(next: &str, rules: &str) -> Self {
        Self::start_with(&base(), next, rules)
    }

    fn start_with(base: &str, next: &str, rules: &str) -> Self {
        let origin = Origin::start(|request| async move {
            let met = ["x-authorizer-version", "x-request-version"]
                .map(|name| request.headers()[name].to_str().unwrap().to_owned());
            Response::new(full(met.join(" ")))
        });
        let files = TestFiles::default()
            .with(FILE, guests::guest("version-one"))
            .with(NEXT, guests::guest(next));
        let gateway = files.start(&config(base, &origin, rules));
        Self {
            gateway,
            _origin: origin,
        }
    }

    fn ask(&self, headers: &[(&str, &str)]) -> RawResponse {
        http(self.gateway.addr("public"), "GET", "/stage", headers, b"")
    }

    /// The version that served the request; all hooks must agree.
    fn version(&self) -> String {
        let answer = self.ask(&[]);
        let version = answer.header("x-response-version").unwrap_or_default().to_owned();
        assert_eq!(
            answer.text(),
            format!("{version} {version}"),
            "two versions in one exchange"
        );
        version
    }

    fn candidate(&self) -> Value {
        let shown = http(self.gateway.admin(), "GET", "/plugins", &[], b"").text();
        serde_json::from_str::<Value>(&shown).unwrap()["plugins"][0]["candidate"].clone()
    }

    fn assert_over(&self, reason: &str) {
        let over = self.candidate()["over"].as_str().unwrap_or_default().to_owned();
        assert!(over.contains(reason), "{over:?}");
        assert_eq!(
            self.gateway.metric("gatewright_plugin_candidates{plugin=\"changing\"}"),
            0.0
        );
    }

    fn requests(&self, outcome: &str) -> f64 {
        let name = "gatewright_plugin_candidate_requests_total";
        self.gateway
            .metric(&format!("{name}{{plugin=\"changing\",outcome=\"{outcome}\"}}"))
    }
}

fn config(base: &str, origin: &Origin, rules: &str) -> String {
    [
        base.to_owned(),
        upstream(origin),
        format!("[plugin.changing]\n{PATIENT}\n[plugin.changing.candidate]\n{rules}\n"),
        route("stage", "{ plugin = \"changing\" }", "http = \"app\""),
        route("integration", "", "plugin = \"changing\""),
    ]
    .concat()
}

#[test]
fn a_canary_serves_its_share_and_no_exchange_meets_two_versions() {
    let trial = OnTrial::start("version-three", "mode = \"canary\"\npercent = 30");
    let served = (0..400).filter(|_| trial.version() == "v3").count();
    // By chance, but fewer or more than that in less than one of a million runs.
    assert!((75..165).contains(&served), "{served} of 400");
    assert_eq!(trial.requests("served"), served as f64);
    // Its numbers are its own.
    assert_eq!(
        trial
            .gateway
            .metric("gatewright_plugin_calls_total{plugin=\"changing.next\",hook=\"authorizer\"}"),
        served as f64
    );
    let shown = trial.candidate();
    assert_eq!(
        (&shown["version"], &shown["on_trial"]),
        (&"v3".into(), &true.into()),
        "{shown:#}"
    );
    let integration = (0..100).map(|_| http(trial.gateway.addr("public"), "GET", "/integration", &[], b"").text());
    let integration: std::collections::BTreeSet<_> = integration.collect();
    assert_eq!(integration.into_iter().collect::<Vec<_>>(), ["v1", "v3"]);
}

#[test]
fn a_canary_by_client_serves_each_client_one_version() {
    let trial = OnTrial::start("version-three", "mode = \"canary\"\nby = \"client\"\npercent = 50");
    let first = trial.version();
    assert!(
        (0..50).all(|_| trial.version() == first),
        "all requests are from one address"
    );
    let none = OnTrial::start("version-three", "mode = \"canary\"\npercent = 0");
    assert!((0..50).all(|_| none.version() == "v1"));
}

#[test]
fn a_canary_that_traps_is_rolled_back_on_the_spot_and_stays_so() {
    let trial = OnTrial::start("version-three", "mode = \"canary\"\npercent = 100");
    assert_eq!(trial.version(), "v3");
    assert_eq!(
        trial
            .gateway
            .metric("gatewright_plugin_candidates{plugin=\"changing\"}"),
        1.0
    );
    let answer = trial.ask(&[("x-three", "trap")]);
    assert_eq!((answer.status, answer.error()), (500, Some("AUTHORIZER_FAILURE")));
    assert_eq!(trial.version(), "v1");
    trial.assert_over("rolled back: 1 of 4 calls failed (`failures` is 0)");

    trial.gateway.reload().unwrap();
    assert_eq!(trial.version(), "v1", "a reload is no second chance");
    trial.assert_over("rolled back");

    trial.gateway.write(NEXT, guests::guest("version-two"));
    trial.gateway.reload().unwrap();
    assert_eq!(trial.version(), "v2", "another file is");
    std::fs::remove_file(trial.gateway.dir().join(NEXT)).unwrap();
    trial.gateway.reload().unwrap();
    assert_eq!(trial.version(), "v1");
    assert_eq!(trial.candidate(), Value::Null);
    assert_eq!(
        trial
            .gateway
            .metric("gatewright_plugin_candidates{plugin=\"changing\"}"),
        0.0
    );
}

#[test]
fn a_canary_that_is_slow_is_rolled_back() {
    let rules = "mode = \"canary\"\npercent = 100\nslow_after = \"30ms\"\nslow = 0\nfailures = 100";
    let trial = OnTrial::start("version-three", rules);
    // It takes 40 ms, whatever the machine does meanwhile.
    assert_eq!(trial.ask(&[("x-three", "slow")]).status, 200);
    assert_eq!(trial.version(), "v1");
    trial.assert_over("took longer than 30ms (`slow` is 0)");
}

#[test]
fn a_shadow_is_asked_and_not_used() {
    let trial = OnTrial::start("version-three", "percent = 100\ndifferences = 0");
    assert_eq!(trial.version(), "v1");
    eventually("it is compared", || {
        (trial.requests("other_edits") == 1.0).then_some(())
    });
    // It denies, and nobody is denied.
    let answer = trial.ask(&[("x-three", "deny")]);
    assert_eq!((answer.status, answer.header("x-response-version")), (200, Some("v1")));
    eventually("it is rolled back", || {
        trial.candidate()["over"].is_string().then_some(())
    });
    trial.assert_over(
        "1 of 2 decisions were other ones (`differences` is 0), the last one answer 403 instead of proceed",
    );
    assert_eq!(trial.requests("served"), 0.0);
    assert_eq!(trial.version(), "v1");
    assert_eq!(trial.requests("other_decision"), 1.0);
}

#[test]
fn a_shadow_that_answers_the_same_is_the_same_and_one_that_traps_is_rolled_back() {
    let same = OnTrial::start("version-one", "percent = 100\ndifferences = 0");
    for asked in 1..=5 {
        assert_eq!(same.version(), "v1");
        eventually("it is compared", || {
            (same.requests("same") == f64::from(asked)).then_some(())
        });
    }
    assert_eq!(same.candidate()["on_trial"], true);
    // What it counts of its own is not counted twice.
    let counted = "gatewright_plugin_custom_calls_total{plugin=\"changing\"}";
    assert_eq!(same.gateway.metric(counted), 0.0, "nothing is granted");

    let traps = OnTrial::start("version-three", "percent = 100");
    assert_eq!(traps.ask(&[("x-three", "trap")]).status, 200);
    eventually("it is rolled back", || {
        traps.candidate()["over"].is_string().then_some(())
    });
    traps.assert_over("1 of 1 calls failed");
}

#[test]
fn a_candidate_that_cannot_be_on_trial_says_why_and_stops_nothing() {
    let trial = OnTrial::start("echo", "mode = \"canary\"\npercent = 100");
    trial.assert_over("refused: it does not export the same interfaces");
    assert_eq!(trial.version(), "v1");
    let mut check = std::process::Command::new(gatewright_tests::process::binary());
    let checked = check
        .arg("check")
        .arg(trial.gateway.dir().join("gateway.toml"))
        .output()
        .unwrap();
    let said = String::from_utf8(checked.stderr).unwrap();
    assert!(
        checked.status.success()
            && said.contains("plugin.changing.candidate: the candidate of plugin `changing` is refused"),
        "{said}"
    );
    for (bytes, reason) in [
        (b"no plugin".to_vec(), "refused: cannot load plugin `changing`"),
        (guests::guest("version-two")[..1000].to_vec(), "changing.next.wasm"),
    ] {
        trial.gateway.write(NEXT, bytes);
        trial.gateway.reload().unwrap();
        trial.assert_over(reason);
        assert_eq!(trial.version(), "v1");
    }
    trial.gateway.write(
        "plugins/changing.next.tests.toml",
        "[[case]]\nname = \"no\"\nas = \"integration\"\nexpect = { body = \"v9\" }\n",
    );
    trial.gateway.write(NEXT, guests::guest("version-three"));
    trial.gateway.reload().unwrap();
    trial.assert_over("does not pass its tests: case `no`");
    std::fs::remove_file(trial.gateway.dir().join("plugins/changing.next.tests.toml")).unwrap();
    trial.gateway.reload().unwrap();
    assert_eq!(trial.version(), "v3", "what was in its way is gone");
}

#[test]
fn a_candidate_is_held_to_the_lock_file() {
    let trial = OnTrial::start_with(
        &base_with("lock_policy = \"wishes\""),
        "version-three",
        "mode = \"canary\"\npercent = 100",
    );
    std::fs::remove_file(trial.gateway.dir().join(NEXT)).unwrap();
    let lock = || {
        let mut command = std::process::Command::new(gatewright_tests::process::binary());
        let output = command
            .current_dir(trial.gateway.dir())
            .args(["plugin", "lock", "gateway.toml"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    lock();
    trial.gateway.write(NEXT, guests::guest("version-three"));
    trial.gateway.reload().unwrap();
    assert_eq!(trial.version(), "v1");
    trial.assert_over("plugin `changing.next` v3 is not in the lock file");
    assert!(lock().contains("changing.next v3 is new"));
    trial.gateway.reload().unwrap();
    assert_eq!(trial.version(), "v3");
}
