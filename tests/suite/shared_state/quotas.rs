//! Quotas that gateways share: nothing is given twice, whatever becomes of the server.

use gatewright::state::bounds;
use gatewright_core::Period;
use gatewright_tests::redis::RedisServer;
use gatewright_tests::{RawResponse, TestGateway, eventually, http};

use super::counted;

fn gateway(redis: &str, quota: &str) -> TestGateway {
    TestGateway::start(&format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"

        [admin]
        address = "127.0.0.1:0"

        [redis]
        {redis}

        [[route]]
        name = "metered"
        path = "/"
        chain = [{{ use = "quota", period = "month", by = "route", scope = "cluster", {quota} }}]
        integration = {{ respond = 200, body = "in" }}
        "#
    ))
}

fn ask(gateway: &TestGateway) -> RawResponse {
    http(gateway.addr("public"), "GET", "/", &[], b"")
}

fn remaining(gateway: &TestGateway) -> u64 {
    let response = ask(gateway);
    assert_eq!((response.status, counted(&response)), (200, None));
    response.header("ratelimit-remaining").unwrap().parse().unwrap()
}

#[test]
fn s5_two_gateways_have_one_quota() {
    let redis = RedisServer::start();
    let gateways = [(); 2].map(|()| gateway(&redis.keys(), "limit = 20"));
    let passed: usize = std::thread::scope(|scope| {
        let asking = gateways
            .each_ref()
            .map(|gateway| scope.spawn(|| (0..20).filter(|_| ask(gateway).status == 200).count()));
        asking.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(passed, 20);
}

#[test]
fn s3_a_server_that_was_emptied_gets_the_counts_back() {
    let mut redis = RedisServer::start();
    let gateway = gateway(&redis.keys(), "limit = 10, when_unavailable = \"closed\"");
    assert_eq!([remaining(&gateway), remaining(&gateway)], [9, 8]);
    redis.ask(&["FLUSHALL"]);
    assert_eq!(remaining(&gateway), 7, "nothing is given twice");
    redis.kill();
    redis.restart();
    let response = eventually("the new server is used", || {
        let response = ask(&gateway);
        (response.status == 200).then_some(response)
    });
    assert_eq!(response.header("ratelimit-remaining"), Some("6"));
    assert_eq!(gateway.metric("gatewright_state_restored_quotas_total"), 2.0);
}

#[test]
fn s5_what_gateways_count_alone_during_a_partition_is_added_up_when_it_heals() {
    let redis = RedisServer::start();
    let keys = format!("servers = [\"{}\"]\ntimeout = \"1s\"", redis.url());
    let gateways = [(); 2].map(|()| gateway(&keys, "limit = 100, when_unavailable = \"local\""));
    let [one, other] = &gateways;
    assert_eq!([remaining(one), remaining(other)], [99, 98]);
    redis.pause();
    for gateway in &gateways {
        for _ in 0..10 {
            let response = ask(gateway);
            assert_eq!((response.status, counted(&response)), (200, Some("local")));
        }
    }
    redis.resume();
    // Now that it answers it is told, by the first request or one of the next: nothing of what was asked is not counted in
    // the end.
    let asked = std::cell::Cell::new(22);
    let spent = eventually("the server is told", || {
        for gateway in &gateways {
            asked.set(asked.get() + 1);
            let response = ask(gateway);
            if response.status == 200 && counted(&response).is_none() {
                let left: u64 = response.header("ratelimit-remaining").unwrap().parse().unwrap();
                let spent = 100 - left;
                if spent >= asked.get() {
                    return Some(spent);
                }
            }
        }
        None
    });
    // Operations that the server took up late may be counted twice.
    assert!(spent <= asked.get() + 34, "{spent} of {}", asked.get());
}

#[test]
fn closed_and_open_are_what_they_say_while_the_server_is_away() {
    let mut redis = RedisServer::start();
    let [closed, open] =
        ["closed", "open"].map(|policy| gateway(&redis.keys(), &format!("limit = 1, when_unavailable = \"{policy}\"")));
    assert_eq!(ask(&closed).status, 200);
    redis.kill();
    let response = ask(&closed);
    assert_eq!((response.status, response.error()), (503, Some("STATE_UNAVAILABLE")));
    for _ in 0..3 {
        let response = ask(&open);
        assert_eq!((response.status, counted(&response)), (200, Some("off")));
    }
}

#[test]
fn s6_the_server_and_the_gateway_have_the_same_calendar() {
    let redis = RedisServer::start();
    let calendar = include_str!("../../../host/server/src/state/redis/scripts/period.lua");
    let script = format!(
        "{calendar}
        local found = {{}}
        for index = 2, #ARGV do
          local start, over = bounds(ARGV[1], tonumber(ARGV[index]))
          found[#found + 1] = string.format('%.0f-%.0f', start, over)
        end
        return table.concat(found, ' ')"
    );
    // Two centuries in steps of somewhat more than a day, and the moments around them.
    let moments: Vec<u64> = (0..70_000_u64).map(|step| step * 90_001).collect();
    for period in Period::ALL {
        for moments in moments.chunks(300) {
            let texts: Vec<String> = moments.iter().map(ToString::to_string).collect();
            let mut words = vec!["EVAL", script.as_str(), "0", period.as_str()];
            words.extend(texts.iter().map(String::as_str));
            let expected: Vec<String> = moments
                .iter()
                .map(|now| bounds(period, *now))
                .map(|(start, end)| format!("{start}-{end}"))
                .collect();
            let answer = redis.ask(&words);
            assert!(
                answer.contains(&expected.join(" ")),
                "{period:?} from {}: {answer}",
                moments[0]
            );
        }
    }
}
