//! The decision cache: what an authorizer has decided is used again for the same question, and for no other.

use gatewright_tests::{Origin, RawClient, RawResponse, TestFiles, TestGateway, eventually, guests};

use super::setup::{PATIENT, base, record, route, upstream};

const USE: &str = "identity = [\"header:x-key\"], cache = \"60s\"";

struct Deciding {
    gateway: TestGateway,
    origin: Origin,
}

impl Deciding {
    /// `settings` are those of the authorizer's use in the routes `/open` and `/other`.
    fn start(settings: &str) -> Self {
        let origin = Origin::saying("from the origin");
        let gateway = TestFiles::default()
            .with_guests(&["decides"])
            .start(&Self::config(&origin, settings));
        Self { gateway, origin }
    }

    fn config(origin: &Origin, settings: &str) -> String {
        let chain = format!("{{ plugin = \"decides\", {settings} }}");
        let limits = format!("[plugin.decides]\n{PATIENT}\n");
        let routes = ["open", "other"].map(|name| route(name, &chain, "http = \"app\""));
        [base(), upstream(origin), limits, routes.concat()].concat()
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> RawResponse {
        gatewright_tests::http(self.gateway.addr("public"), method, path, headers, b"")
    }

    /// The number of the decision that answered `GET path` with this key, and the status.
    fn decided(&self, path: &str, key: &str) -> (u16, String) {
        self.decided_for("GET", path, &[("x-key", key)])
    }

    fn decided_for(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let answer = self.ask(method, path, headers);
        let number = match answer.header("x-decision-number") {
            Some(number) => number.to_owned(),
            None if answer.status == 200 => {
                let sent = self.origin.requests().pop().unwrap();
                sent.headers["x-decision-number"].to_str().unwrap().to_owned()
            }
            None => String::new(),
        };
        (answer.status, number)
    }

    fn cache(&self, result: &str) -> f64 {
        self.gateway.metric(&format!(
            "gatewright_plugin_decision_cache_total{{plugin=\"decides\",result=\"{result}\"}}"
        ))
    }

    fn calls(&self) -> f64 {
        self.gateway.metric("gatewright_plugin_calls_total{plugin=\"decides\"}")
    }
}

#[test]
fn a_decision_is_used_again_for_the_same_question() {
    let deciding = Deciding::start(USE);
    let first = deciding.decided("/open/a", "alice");
    for _ in 0..10 {
        assert_eq!(deciding.decided("/open/a", "alice"), first);
    }
    assert_eq!(
        (deciding.cache("miss"), deciding.cache("hit"), deciding.calls()),
        (1.0, 10.0, 1.0)
    );
    // The record names who it was, also when nobody was asked.
    assert_eq!(record(&deciding.gateway, "/open/a")["principal"], "holder of alice");
    assert!(
        deciding
            .gateway
            .access_log()
            .iter()
            .all(|record| record["principal"] == "holder of alice")
    );
}

#[test]
fn a_decision_for_one_question_is_none_for_another() {
    let deciding = Deciding::start(USE);
    let asked = [
        deciding.decided("/open/a", "alice"),
        deciding.decided("/open/b", "alice"),
        deciding.decided("/open/a/", "alice"),
        deciding.decided("/other/a", "alice"),
        deciding.decided("/open/a", "bob"),
        deciding.decided("/open/a", ""),
        deciding.decided_for("GET", "/open/a", &[]),
        deciding.decided_for("POST", "/open/a", &[("x-key", "alice")]),
        deciding.decided_for("GET", "/open/a", &[("x-key", "alice"), ("host", "other.example")]),
    ];
    for (place, one) in asked.iter().enumerate() {
        assert_eq!(one.0, 200);
        assert!(
            asked[..place].iter().all(|other| other.1 != one.1),
            "{place}: {asked:?}"
        );
    }
    assert_eq!((deciding.cache("miss"), deciding.cache("hit")), (9.0, 0.0));
    // The path is the normalised one, and the query is not shown to the authorizer.
    assert_eq!(deciding.decided("/open/x/../%61?x=1", "alice"), asked[0]);
}

#[test]
fn a_denial_is_used_again_with_its_response() {
    let deciding = Deciding::start(USE);
    let first = deciding.decided("/open/a", "deny");
    assert_eq!(first.0, 403);
    assert_eq!(deciding.decided("/open/a", "deny"), first);
    let answer = deciding.ask("GET", "/open/a", &[("x-key", "deny")]);
    assert_eq!(answer.error(), Some("ACCESS_DENIED"));
    assert_eq!((deciding.calls(), deciding.origin.hits()), (1.0, 0));
    let refused = deciding.gateway.wait_for_records(3).pop().unwrap();
    assert_eq!(
        (refused["outcome"].as_str(), refused["answered_by"].as_str()),
        (Some("refused"), Some("decides"))
    );
    assert!(
        refused["cause"].as_str().unwrap().contains("asked to deny"),
        "{refused}"
    );
}

#[test]
fn faults_traps_and_abstaining_are_never_used_again() {
    let deciding = Deciding::start(USE);
    for (key, status, error) in [
        ("fault", 500, "AUTHORIZER_FAILURE"),
        ("trap", 500, "AUTHORIZER_FAILURE"),
        ("abstain", 403, "ACCESS_DENIED"),
    ] {
        let calls = deciding.calls();
        for _ in 0..3 {
            let answer = deciding.ask("GET", "/open/a", &[("x-key", key)]);
            assert_eq!((answer.status, answer.error()), (status, Some(error)), "{key}");
        }
        assert_eq!(deciding.calls(), calls + 3.0, "{key}");
    }
    assert_eq!((deciding.cache("hit"), deciding.origin.hits()), (0.0, 0));
}

#[test]
fn a_decision_lives_as_long_as_the_plugin_says_and_no_longer_than_the_route() {
    let deciding = Deciding::start(USE);
    for key in ["ttl:0", "deny-ttl:0"] {
        assert_ne!(
            deciding.decided("/open/a", key),
            deciding.decided("/open/a", key),
            "{key}"
        );
    }
    let first = deciding.decided("/open/a", "ttl:300");
    assert_eq!(deciding.decided("/open/a", "ttl:300"), first);
    eventually("it is asked again", || {
        (deciding.decided("/open/a", "ttl:300") != first).then_some(())
    });

    let brief = Deciding::start("identity = [\"header:x-key\"], cache = \"300ms\"");
    let first = brief.decided("/open/a", "ttl:3600000");
    assert_eq!(brief.decided("/open/a", "ttl:3600000"), first);
    eventually("it is asked again", || {
        (brief.decided("/open/a", "ttl:3600000") != first).then_some(())
    });
}

#[test]
fn without_a_cache_or_an_identity_every_request_is_asked_about() {
    for settings in [
        "identity = [\"header:x-key\"]",
        "identity = [\"header:x-key\"], cache = \"0s\"",
        "identity = []",
    ] {
        let deciding = Deciding::start(settings);
        assert_ne!(
            deciding.decided("/open/a", "alice"),
            deciding.decided("/open/a", "alice"),
            "{settings}"
        );
        let results = ["hit", "miss", "bypass"].map(|result| deciding.cache(result));
        assert_eq!(results, [0.0; 3], "{settings}");
    }
}

#[test]
fn one_decision_with_a_policy_covers_what_it_says_and_nothing_else() {
    let deciding = Deciding::start(USE);
    let first = deciding.decided("/open/a", "policy");
    assert_eq!(first.0, 200);
    assert_eq!(deciding.decided("/open/b", "policy"), first);
    for (method, path) in [
        ("GET", "/open/secret"),
        ("POST", "/open/a"),
        ("GET", "/other/a"),
        ("DELETE", "/open/secret"),
    ] {
        let answer = deciding.ask(method, path, &[("x-key", "policy")]);
        assert_eq!(
            (answer.status, answer.error()),
            (403, Some("ACCESS_DENIED")),
            "{method} {path}"
        );
    }
    assert_eq!(
        (deciding.calls(), deciding.cache("hit"), deciding.origin.hits()),
        (1.0, 5.0, 2)
    );
}

#[test]
fn an_identity_that_is_unclear_is_never_looked_up() {
    let deciding = Deciding::start(USE);
    deciding.decided("/open/a", "alice");
    for _ in 0..2 {
        let twice = [("x-key", "alice"), ("x-key", "bob")];
        assert_eq!(deciding.ask("GET", "/open/a", &twice).status, 200);
    }
    let mut client = RawClient::connect(deciding.gateway.addr("public"));
    client.send(b"GET /open/a HTTP/1.1\r\nHost: localhost\r\nx-key: \xff\xfe\r\n\r\n");
    assert_eq!(client.read_response().status, 200);
    let long = format!("alice:{}", "a".repeat(9 << 10));
    assert_ne!(deciding.decided("/open/a", &long), deciding.decided("/open/a", &long));
    assert_eq!(
        (deciding.cache("bypass"), deciding.cache("hit"), deciding.calls()),
        (5.0, 0.0, 6.0)
    );
}

#[test]
fn decisions_outlive_a_reload_and_die_with_the_plugin_or_its_configuration() {
    let deciding = Deciding::start(USE);
    let first = deciding.decided("/open/a", "alice");
    deciding.gateway.reload().unwrap();
    assert_eq!(deciding.decided("/open/a", "alice"), first);
    // The same code as another file: one custom section more.
    let mut other = guests::guest("decides");
    other.extend(b"\0\x05\x04note");
    deciding.gateway.write("plugins/decides.wasm", other);
    deciding.gateway.reload().unwrap();
    let second = deciding.decided("/open/a", "alice");
    assert_ne!(second, first);
    deciding.gateway.rewrite_config(&Deciding::config(
        &deciding.origin,
        &format!("{USE}, config = {{ region = \"eu\" }}"),
    ));
    deciding.gateway.reload().unwrap();
    assert_ne!(deciding.decided("/open/a", "alice"), second);
}

#[test]
fn a_plugin_that_reads_more_than_the_key_holds_is_refused_with_a_cache() {
    let origin = Origin::saying("");
    for (settings, guest, words) in [
        (
            "identity = [\"client\"], cache = \"60s\"",
            "decides",
            "add \"header:x-key\" to `identity`",
        ),
        (USE, "version-one", "add \"header:x-decision\" to `identity`"),
        (USE, "traps", "it reads all request fields"),
    ] {
        let config = Deciding::config(&origin, settings);
        let files = TestFiles::default().with("plugins/decides.wasm", guests::guest(guest));
        let message = files.try_start(&config).err().expect(settings);
        assert!(
            message.contains(words) && message.contains("cache = \"0s\""),
            "{message}"
        );
    }
}

#[test]
fn an_hour_is_the_longest_that_a_decision_may_be_used_again() {
    let config = Deciding::config(&Origin::saying(""), "identity = [\"header:x-key\"], cache = \"61m\"");
    let message = TestFiles::default()
        .with_guests(&["decides"])
        .try_start(&config)
        .err()
        .expect("too long");
    assert!(
        message.contains("cache") && message.contains("hour") | message.contains("1h"),
        "{message}"
    );
}
