//! Whether the servers can be used is known from the start on, and said with their names and the key to look at.

use gatewright_tests::redis::{PATIENT, RedisServer};
use gatewright_tests::{RawResponse, TestFiles, TestGateway, TestProcess, eventually, http};

use super::{ask, gateway, gateway_of};

const ONE: &str = "rate = \"1/h\", burst = 1, when_unavailable = \"closed\"";

fn ready(gateway: &TestGateway) -> RawResponse {
    http(gateway.admin(), "GET", "/readyz", &[], b"")
}

/// What `/readyz` warns of, when it does.
fn warning(gateway: &TestGateway) -> String {
    let response = eventually("there is a warning", || {
        Some(ready(gateway)).filter(|response| response.text().contains("warning: "))
    });
    assert_eq!(response.status, 200);
    assert!(response.text().starts_with("ready\n"), "{}", response.text());
    response.text()
}

#[track_caller]
fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn a_server_that_is_not_there_is_a_warning_until_it_is_there() {
    let mut redis = RedisServer::start();
    let keys = redis.keys();
    redis.kill();
    let gateway = gateway(&keys, ONE);
    let said = warning(&gateway);
    assert_has(&said, &["`[redis]`", &redis.addr().to_string(), "refused"]);
    redis.restart();
    eventually("there is no warning any more", || {
        (ready(&gateway).text() == "ready\n").then_some(())
    });
    assert_eq!(ask(&gateway).status, 200);
}

#[test]
fn a_gateway_that_requires_its_servers_is_ready_only_with_them() {
    let mut redis = RedisServer::start();
    let gateway = gateway(&format!("{}\nreadiness = \"require\"", redis.keys()), ONE);
    eventually("it is ready", || (ready(&gateway).status == 200).then_some(()));
    redis.kill();
    let response = eventually("it is not ready", || {
        Some(ready(&gateway)).filter(|response| response.status == 503)
    });
    assert_has(&response.text(), &["not ready: ", &redis.addr().to_string()]);
    redis.restart();
    eventually("it is ready again", || (ready(&gateway).status == 200).then_some(()));
}

#[test]
fn what_the_server_refuses_is_said_at_start_with_the_key_to_look_at() {
    let redis = RedisServer::start_with(&[
        "--requirepass",
        "sesame",
        "--user",
        "other",
        "on",
        ">open",
        "~others:*",
        "+@all",
    ]);
    let address = redis.addr().to_string();
    let files = || TestFiles::default().with("wrong", "guess").with("other", "open");
    for (login, expected) in [
        ("password = \"file:wrong\"", "`redis.password`"),
        ("", "`redis.password`"),
        (
            "username = \"other\"\npassword = \"file:other\"",
            "the user (`redis.username`) may not",
        ),
    ] {
        let gateway = gateway_of(files(), &format!("{}\n{login}", redis.keys()), ONE);
        assert_has(&warning(&gateway), &[&address, expected]);
        assert_eq!(ask(&gateway).error(), Some("STATE_UNAVAILABLE"));
    }
    // In the log too, before anybody asks.
    let config = format!(
        "[listener.public]\naddress = \"127.0.0.1:0\"\n[redis]\n{}\n\
         [[route]]\nname = \"a\"\npath = \"/\"\nintegration = {{ respond = 200 }}\n",
        redis.keys()
    );
    let process = TestProcess::start(&config);
    let line = eventually("it is logged", || {
        let said = process.stderr();
        said.lines()
            .find(|line| line.contains("cannot be used"))
            .map(str::to_owned)
    });
    assert_has(&line, &["WARN", &address, "`redis.password`"]);
}

#[test]
fn sentinels_may_have_a_password_of_their_own() {
    let primary = RedisServer::start_with(&["--requirepass", "of the server"]);
    let sentinel = RedisServer::sentinel_with(
        "gateways",
        &primary,
        "requirepass of-the-sentinel\nsentinel auth-pass gateways \"of the server\"\n",
    );
    let start = |more: &str| {
        let files = TestFiles::default()
            .with("server", "of the server")
            .with("sentinel", "of-the-sentinel");
        let redis = format!(
            "mode = \"sentinel\"\nservers = [\"{}\"]\n{PATIENT}\n{more}",
            sentinel.url()
        );
        gateway_of(files, &redis, ONE)
    };
    let (server, of_sentinel) = ("password = \"file:server\"", "sentinel_password = \"file:sentinel\"");
    let right = start(&format!("primary = \"gateways\"\n{server}\n{of_sentinel}"));
    assert_eq!([ask(&right).status, ask(&right).status], [200, 429]);
    eventually("there is no warning", || {
        (ready(&right).text() == "ready\n").then_some(())
    });

    let address = sentinel.addr().to_string();
    let without = start(&format!("primary = \"gateways\"\n{server}"));
    assert_has(&warning(&without), &[&address, "`redis.sentinel_password`"]);
    let wrong_server = start(&format!("primary = \"gateways\"\n{of_sentinel}"));
    let primary = primary.addr().to_string();
    assert_has(&warning(&wrong_server), &[&primary, "`gateways`", "`redis.password`"]);
    let unknown = start(&format!("primary = \"nobody\"\n{server}\n{of_sentinel}"));
    assert_has(
        &warning(&unknown),
        &[&address, "knows no primary `nobody` (`redis.primary`)"],
    );
}
