//! State that gateways share: real Redis servers, and what happens while they are away.

mod engine;
mod quotas;
mod servers;
mod standing;

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_tests::redis::RedisServer;
use gatewright_tests::{RawClient, RawOrigin, RawResponse, TestFiles, TestGateway, eventually, http};

/// A gateway with one throttled route.
fn gateway(redis: &str, throttle: &str) -> TestGateway {
    gateway_of(TestFiles::default(), redis, throttle)
}

fn gateway_of(files: TestFiles, redis: &str, throttle: &str) -> TestGateway {
    files.start(&format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"

        [admin]
        address = "127.0.0.1:0"

        [redis]
        {redis}

        [[route]]
        name = "shared"
        path = "/"
        chain = [{{ use = "throttle", by = "route", scope = "cluster", {throttle} }}]
        integration = {{ respond = 200, body = "in" }}
        "#
    ))
}

fn ask(gateway: &TestGateway) -> RawResponse {
    http(gateway.addr("public"), "GET", "/", &[], b"")
}

/// Who counted, where that is not as configured.
fn counted(response: &RawResponse) -> Option<&str> {
    response.header("x-gatewright-limit")
}

fn connected(gateway: &TestGateway) {
    eventually("the gateway is connected", || {
        (gateway.metric("gatewright_state_connections") > 0.0).then_some(())
    });
}

#[test]
fn s5_two_gateways_let_no_more_pass_together_than_the_limit_says() {
    const BURST: usize = 100;
    let redis = RedisServer::start();
    let gateways = [(); 2].map(|()| Arc::new(gateway(&redis.keys(), &format!("rate = \"1/h\", burst = {BURST}"))));
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let addr = gateways[client % 2].addr("public");
            std::thread::spawn(move || {
                let mut connection = RawClient::connect(addr);
                let passed = (0..50).filter(|_| {
                    let response = connection.request("GET", "/", &[], b"");
                    assert!(matches!(response.status, 200 | 429), "{response:?}");
                    assert_eq!(counted(&response), None);
                    response.status == 200
                });
                passed.count()
            })
        })
        .collect();
    let passed: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
    // One token comes in an hour: there is no slack.
    assert_eq!(passed, BURST);
}

#[test]
fn what_a_client_is_told_is_what_all_gateways_have_left() {
    let redis = RedisServer::start();
    let [one, other] = [(); 2].map(|()| gateway(&redis.keys(), "rate = \"1/m\", burst = 3"));
    let left = |gateway| ask(gateway).header("ratelimit-remaining").unwrap().to_owned();
    assert_eq!([left(&one), left(&other), left(&one)], ["2", "1", "0"]);
    let refused = ask(&other);
    assert_eq!((refused.status, refused.error()), (429, Some("THROTTLED")));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}

#[test]
fn gateways_with_another_prefix_share_nothing() {
    let redis = RedisServer::start();
    let other = format!("{}\nprefix = \"other\"", redis.keys());
    let gateways = [redis.keys(), other].map(|redis| gateway(&redis, "rate = \"1/h\", burst = 1"));
    assert_eq!(gateways.each_ref().map(|gateway| ask(gateway).status), [200, 200]);
    assert_eq!(gateways.each_ref().map(|gateway| ask(gateway).status), [429, 429]);
}

#[test]
fn s1_a_server_that_is_killed_is_replaced_as_the_limit_says_and_used_again_when_it_is_back() {
    let mut redis = RedisServer::start();
    let policies = ["local", "open", "closed"];
    let gateways = policies.map(|policy| {
        let prefix = format!("{}\nprefix = \"{policy}\"", redis.keys());
        gateway(
            &prefix,
            &format!("rate = \"1/h\", burst = 2, when_unavailable = \"{policy}\""),
        )
    });
    for gateway in &gateways {
        assert_eq!(ask(gateway).status, 200);
        connected(gateway);
    }
    redis.kill();
    let [local, open, closed] = &gateways;
    for _ in 0..2 {
        let response = ask(local);
        assert_eq!((response.status, counted(&response)), (200, Some("local")));
    }
    let response = ask(local);
    assert_eq!((response.status, counted(&response)), (429, Some("local")));
    for _ in 0..10 {
        let response = ask(open);
        assert_eq!((response.status, counted(&response)), (200, Some("off")));
        assert_eq!(response.header("ratelimit-remaining"), None);
    }
    let response = ask(closed);
    assert_eq!((response.status, response.error()), (503, Some("STATE_UNAVAILABLE")));
    for (gateway, policy) in gateways.iter().zip(policies) {
        let fallbacks = gateway.metric(&format!("gatewright_state_fallbacks_total{{policy=\"{policy}\"}}"));
        assert!(fallbacks >= 1.0, "{policy}: {fallbacks}");
    }
    let records = closed.wait_for_records(2);
    let cause = records.last().unwrap()["cause"].as_str().unwrap();
    assert!(cause.contains("the state store does not answer"), "{cause}");

    redis.restart();
    for gateway in &gateways {
        let response = eventually("the new server is used", || {
            let response = ask(gateway);
            (response.status != 503 && counted(&response).is_none()).then_some(response)
        });
        assert_eq!(response.status, 200, "a new server has all tokens");
    }
}

#[test]
fn s2_a_server_that_hangs_costs_its_timeout_a_few_times_and_then_nothing() {
    let redis = RedisServer::start();
    let settings = format!(
        "servers = [\"{}\"]\ntimeout = \"200ms\"\nconnect_timeout = \"200ms\"",
        redis.url()
    );
    let gateway = gateway(&settings, "rate = \"1/h\", burst = 1000, when_unavailable = \"local\"");
    assert_eq!(counted(&ask(&gateway)), None);
    redis.pause();
    let began = Instant::now();
    for _ in 0..200 {
        let response = ask(&gateway);
        assert_eq!((response.status, counted(&response)), (200, Some("local")));
    }
    // Each of them would have waited: 40 s. A connection is given up after five; to make another takes its time in the
    // background.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    redis.resume();
    eventually("the server is used again", || {
        counted(&ask(&gateway)).is_none().then_some(())
    });
}

#[test]
fn s3_a_server_that_is_flushed_begins_anew_and_needs_no_restart() {
    let redis = RedisServer::start();
    let gateway = gateway(&redis.keys(), "rate = \"1/h\", burst = 1");
    assert_eq!([ask(&gateway).status, ask(&gateway).status], [200, 429]);
    // Scripts are gone too.
    for command in [&["FLUSHALL"][..], &["SCRIPT", "FLUSH"]] {
        assert_eq!(redis.ask(command), "+OK\r\n");
    }
    let response = ask(&gateway);
    assert_eq!((response.status, counted(&response)), (200, None));
}

#[test]
fn s4_a_server_that_answers_nonsense_is_one_that_is_away() {
    let nonsense = [
        &b"HTTP/1.1 200 OK\r\n\r\n"[..],
        b"$9999999999\r\n",
        b"*1000000000\r\n",
        b"+OK\r\n+OK\r\n+OK\r\n+OK\r\n",
        b":1\r\n:2\r\n:3\r\n:4\r\n",
        b"\0\0\0\0",
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-MOVED 1 127.0.0.1:1\r\n",
        b"-NOAUTH Authentication required.\r\n",
    ];
    for bytes in nonsense {
        let server = RawOrigin::answering(bytes);
        let redis = format!("servers = [\"redis://{}\"]\nconnect_timeout = \"300ms\"", server.addr());
        let gateway = gateway(&redis, "rate = \"1/h\", burst = 1, when_unavailable = \"closed\"");
        let response = ask(&gateway);
        assert_eq!(
            (response.status, response.error()),
            (503, Some("STATE_UNAVAILABLE")),
            "{bytes:?}"
        );
    }
}

#[test]
fn s4_what_a_real_server_refuses_is_refused_and_over_when_it_is_well() {
    let redis = RedisServer::start_with(&["--busy-reply-threshold", "50", "--repl-timeout", "1"]);
    let gateway = gateway(
        &redis.keys(),
        "rate = \"1000/s\", burst = 1000, when_unavailable = \"closed\"",
    );
    let refused = |why: &str| {
        let refused = eventually(why, || Some(ask(&gateway)).filter(|response| response.status != 200));
        assert_eq!(
            (refused.status, refused.error()),
            (503, Some("STATE_UNAVAILABLE")),
            "{why}"
        );
    };
    let well = |again: &str| eventually(again, || (ask(&gateway).status == 200).then_some(()));
    well("it is connected");
    redis.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    refused("it has no memory left (OOM)");
    redis.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    well("it has memory again");
    // READONLY: what was the primary is a replica now.
    redis.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    refused("it is a replica (READONLY)");
    redis.ask(&["REPLICAOF", "NO", "ONE"]);
    well("it is a primary again");
    // Nobody can ask while somebody else's script runs, and the server says so (BUSY).
    std::thread::scope(|scope| {
        scope.spawn(|| redis.ask(&["EVAL", "while true do end", "0"]));
        refused("it is busy (BUSY)");
        eventually("the script ends", || {
            redis.ask(&["SCRIPT", "KILL"]).starts_with("+OK").then_some(())
        });
    });
    well("it is not busy any more");
}

#[test]
fn what_others_keep_under_a_key_of_the_gateways_is_an_error_and_nobody_passes() {
    let redis = RedisServer::start();
    let gateway = gateway(
        &redis.keys(),
        "rate = \"1/h\", burst = 1, when_unavailable = \"closed\"",
    );
    assert_eq!(ask(&gateway).status, 200);
    let keys = redis.ask(&["KEYS", "gatewright:limit:*"]);
    let key = keys
        .lines()
        .find(|line| line.starts_with("gatewright:"))
        .unwrap_or_else(|| panic!("{keys}"));
    redis.ask(&["DEL", key]);
    redis.ask(&["LPUSH", key, "something else"]);
    let response = ask(&gateway);
    assert_eq!((response.status, response.error()), (503, Some("STATE_UNAVAILABLE")));
    // A text that is none of the gateway's is a bucket that was never used.
    redis.ask(&["SET", key, "something else"]);
    assert_eq!([ask(&gateway).status, ask(&gateway).status], [200, 429]);
}
