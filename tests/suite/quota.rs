//! The `quota` stage end to end: what a client is told, what survives, and what does not count.

use gatewright_tests::{RawResponse, Signal, TestFiles, TestGateway, TestProcess, eventually, http};

fn config(quota: &str, state: &str) -> String {
    format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"

        [admin]
        address = "127.0.0.1:0"

        {state}

        [[route]]
        name = "metered"
        path = "/"
        chain = [{{ use = "quota", period = "month", by = "header:x-tenant", {quota} }}]
        integration = {{ respond = 200, body = "in" }}
        "#
    )
}

fn ask(addr: std::net::SocketAddr, tenant: &str) -> RawResponse {
    http(addr, "GET", "/", &[("x-tenant", tenant)], b"")
}

#[test]
fn a_quota_that_is_used_up_is_429_until_the_next_period() {
    let gateway = TestGateway::start(&config("limit = 2", ""));
    let addr = gateway.addr("public");
    for left in ["1", "0"] {
        let response = ask(addr, "a");
        assert_eq!(
            (response.status, response.header("ratelimit-remaining")),
            (200, Some(left))
        );
        assert_eq!(response.header("ratelimit-limit"), Some("2"));
    }
    let refused = ask(addr, "a");
    assert_eq!((refused.status, refused.error()), (429, Some("QUOTA_EXCEEDED")));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=31 * 24 * 3600).contains(&wait), "{wait}");
    assert_eq!(ask(addr, "b").status, 200, "another tenant has another quota");
    assert!(gateway.metrics().contains("stage=\"quota\""));
}

#[test]
fn an_offset_is_taken_off_in_the_period_of_its_start_only() {
    let this_month = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    for (start, expected) in [(this_month.as_str(), [200, 429]), ("2020-01-31", [200, 200])] {
        let quota = format!("limit = 2, offset = 1, start = \"{start}\"");
        let gateway = TestGateway::start(&config(&quota, ""));
        let addr = gateway.addr("public");
        assert_eq!([ask(addr, "a").status, ask(addr, "a").status], expected, "{start}");
    }
}

#[test]
fn a_reload_keeps_what_was_spent_and_a_larger_quota_holds_at_once() {
    let gateway = TestGateway::start(&config("limit = 1", ""));
    let addr = gateway.addr("public");
    assert_eq!([ask(addr, "a").status, ask(addr, "a").status], [200, 429]);
    gateway.rewrite_config(&config("limit = 2", ""));
    gateway.reload().unwrap();
    assert_eq!([ask(addr, "a").status, ask(addr, "a").status], [200, 429]);
}

#[test]
fn s8_a_gateway_that_stops_forgets_nothing_and_one_that_is_killed_what_it_did_not_write() {
    let state = "[state]\nsnapshot = \"quotas\"\ninterval = \"50ms\"";
    let files = TestFiles::default();
    let path = files.dir().join("quotas");
    let text = config("limit = 3", &state.replace("quotas", path.to_str().unwrap()));
    let mut first = TestProcess::start(&text);
    assert_eq!(ask(first.addr("public"), "a").status, 200);
    first.signal(Signal::TERM);
    assert!(first.wait().success());

    let mut second = TestProcess::start(&text);
    let before = std::fs::read(&path).unwrap();
    assert_eq!(ask(second.addr("public"), "a").header("ratelimit-remaining"), Some("1"));
    eventually("the count is written", || {
        (std::fs::read(&path).unwrap() != before).then_some(())
    });
    second.signal(Signal::KILL);
    second.wait();

    let third = TestProcess::start(&text);
    let addr = third.addr("public");
    assert_eq!([ask(addr, "a").status, ask(addr, "a").status], [200, 429]);
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(!written.contains("x-tenant"), "keys are not readable: {written}");
}

#[test]
fn a_snapshot_that_is_not_whole_keeps_the_gateway_from_starting() {
    let files = TestFiles::default().with("quotas", "gatewright quotas 1 5\n");
    let path = files.dir().join("quotas");
    let text = config("limit = 3", &format!("[state]\nsnapshot = {path:?}"));
    let error = TestGateway::try_start(&text).err().expect("it is refused");
    assert!(
        error.contains("0 counts instead of 5") && error.contains("move it away"),
        "{error}"
    );
}
