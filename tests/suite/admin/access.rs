//! G6: who may see what the admin address shows, and ask for a reload.

use std::time::{Duration, Instant};

use gatewright_tests::{RawClient, TestFiles, TestProcess, http};

use super::{CONFIG, start};

#[test]
fn with_a_token_only_health_and_readiness_are_for_everybody() {
    let config = format!(
        "[admin]\naddress = \"127.0.0.1:0\"\ntoken = \"file:{{dir}}/token\"\n{}",
        CONFIG.replace("URL", "http://a")
    );
    let gateway = TestFiles::default().with("token", "open sesame\n").start(&config);
    let ask = |method: &str, path: &str, headers: &[(&str, &str)]| http(gateway.admin(), method, path, headers, b"");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(ask("GET", path, &[]).status, 200);
    }
    for (method, path) in [
        ("GET", "/metrics"),
        ("GET", "/routes"),
        ("GET", "/plugins"),
        ("POST", "/reload"),
        ("GET", "/none"),
    ] {
        for credentials in [
            None,
            Some("Bearer"),
            Some("Bearer "),
            Some("Bearer open"),
            Some("Bearer open sesame!"),
            Some("Basic open sesame"),
            Some("open sesame"),
        ] {
            let headers: Vec<(&str, &str)> = credentials.map(|value| ("authorization", value)).into_iter().collect();
            let response = ask(method, path, &headers);
            assert_eq!(
                (response.status, response.header("www-authenticate")),
                (401, Some("Bearer")),
                "{path} {credentials:?}"
            );
            assert!(!response.text().contains("sesame"));
        }
    }
    for scheme in ["Bearer", "bearer"] {
        let header = format!("{scheme} open sesame");
        assert_eq!(ask("GET", "/routes", &[("authorization", &header)]).status, 200);
        assert_eq!(ask("GET", "/none", &[("authorization", &header)]).status, 404);
    }
    assert_eq!(
        http(
            gateway.admin(),
            "GET",
            "/routes",
            &[("authorization", "Bearer open sesame")],
            b""
        )
        .json()["generation"],
        1
    );
}

#[test]
fn g6_a_web_page_cannot_make_a_browser_reload_the_gateway() {
    let (gateway, _origin) = start();
    let response = http(
        gateway.admin(),
        "POST",
        "/reload",
        &[("origin", "https://evil.example")],
        b"",
    );
    assert_eq!(response.status, 403);
    assert_eq!(gateway.metric("gatewright_generation"), 1.0);
}

#[test]
fn g6_off_loopback_a_token_is_asked_for_at_start() {
    let config = CONFIG.replace("URL", "http://a");
    let open = TestProcess::try_start(&format!("[admin]\naddress = \"0.0.0.0:0\"\n{config}"));
    let error = open.err().expect("an admin address for everybody is refused");
    assert!(
        error.contains("exit status: 2") && error.contains("needs a token"),
        "{error}"
    );
    let text = format!("[admin]\naddress = \"0.0.0.0:0\"\ntoken = \"env:ADMIN_TOKEN\"\n{config}");
    let process = TestProcess::start_in(TestFiles::default(), &text, &[("ADMIN_TOKEN", "sesame")]).unwrap();
    let addr = (std::net::Ipv4Addr::LOCALHOST, process.admin().port()).into();
    assert_eq!(http(addr, "GET", "/routes", &[], b"").status, 401);
    assert_eq!(
        http(addr, "GET", "/routes", &[("authorization", "Bearer sesame")], b"").status,
        200
    );
}

#[test]
fn g6_a_request_to_the_admin_address_may_not_be_large_or_slow() {
    let (gateway, _origin) = start();
    let mut client = RawClient::connect(gateway.admin());
    client.send("POST /reload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
    assert_eq!(client.read_response().status, 200, "the body is not waited for");
    let mut client = RawClient::connect(gateway.admin());
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(5) && client.try_send(vec![b'a'; 64 * 1024]).is_ok() {}
    assert!(client.try_send("a").is_err(), "a header section without end is taken");
}
