//! Numbers of what is so now: connections, requests, handshakes that fail, targets, certificates, reloads.

use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use gatewright_tests::{Certificates, Origin, RawClient, TestFiles, TestGateway, TestProcess, eventually, full, http};
use http::Response;
use tokio::sync::Semaphore;

fn until(gateway: &TestGateway, metric: &str, value: f64) {
    eventually(&format!("{metric} is {value}"), || {
        (gateway.metric(metric) == value).then_some(())
    });
}

fn config(targets: &str) -> String {
    format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"
        [upstream.app]
        targets = [{targets}]
        [[route]]
        name = "app"
        path = "/app"
        integration = {{ http = "app" }}
        "#
    )
}

#[test]
fn open_connections_and_requests_in_flight_are_counted_until_they_end() {
    let gate = std::sync::Arc::new(Semaphore::new(0));
    let waiting = std::sync::Arc::clone(&gate);
    let origin = Origin::start(move |_| {
        let gate = std::sync::Arc::clone(&waiting);
        async move {
            let _ = gate.acquire().await;
            Response::new(full("answered"))
        }
    });
    let gateway = TestGateway::start(&config(&format!("{{ url = \"{}\" }}", origin.url())));
    let idle: Vec<_> = (0..3)
        .map(|_| TcpStream::connect(gateway.addr("public")).unwrap())
        .collect();
    let mut asking: Vec<_> = (0..2).map(|_| RawClient::connect(gateway.addr("public"))).collect();
    for client in &mut asking {
        client.send("GET /app HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    let (connections, requests) = (
        "gatewright_connections{listener=\"public\"}",
        "gatewright_requests_in_flight{listener=\"public\"}",
    );
    until(&gateway, connections, 5.0);
    until(&gateway, requests, 2.0);
    gate.close();
    for client in &mut asking {
        assert_eq!(client.read_response().status, 200);
    }
    until(&gateway, requests, 0.0);
    drop((idle, asking));
    until(&gateway, connections, 0.0);
}

#[test]
fn handshakes_that_fail_are_counted_by_reason_and_said_to_operators() {
    let certificates = Certificates::new();
    let config = format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"
        tls = {{ certificate = "{}", key = "{}", min_version = "1.3" }}
        limits = {{ handshake_timeout = "1s" }}
        [[route]]
        name = "a"
        path = "/"
        integration = {{ respond = 200 }}
        "#,
        certificates.path("server.pem"),
        certificates.path("server.key")
    );
    let process = TestProcess::start(&config);
    let addr = process.addr("public");
    let failed = |reason: &str| {
        let series = format!("gatewright_tls_handshake_failures_total{{listener=\"public\",reason=\"{reason}\"}} ");
        eventually(&format!("{reason} is counted"), || {
            let page = http(process.admin(), "GET", "/metrics", &[], b"").text();
            page.lines().any(|line| line.starts_with(&series)).then_some(())
        });
    };
    let said = |reason: &str| {
        let is_it = |line: &serde_json::Value| line["fields"]["reason"] == reason;
        let line = || process.messages("TLS handshake failed").into_iter().find(is_it);
        eventually(&format!("{reason} is logged"), line)
    };
    RawClient::connect(addr).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    failed("not_tls");
    let line = said("not_tls");
    assert_eq!(
        (&line["level"], &line["fields"]["listener"]),
        (&"WARN".into(), &"public".into())
    );
    assert!(
        line["fields"]["client"].as_str().unwrap().starts_with("127.0.0.1:"),
        "{line}"
    );
    let _silent = TcpStream::connect(addr).unwrap();
    failed("timeout");
    said("timeout");
    // A client of TLS 1.2, to whom this is all that a client may be.
    let curl = |arguments: &[&str]| {
        let url = format!("https://localhost:{}/", addr.port());
        let mut command = std::process::Command::new("curl");
        command
            .args(["-sS", "-o", "/dev/null", &url])
            .args(arguments)
            .output()
            .unwrap()
    };
    assert!(!curl(&["-k", "--tls-max", "1.2"]).status.success());
    failed("version");
    said("version");
    assert!(!curl(&[]).status.success(), "it does not know the authority");
    failed("client_alert");
    said("client_alert");
    drop(TcpStream::connect(addr).unwrap());
    failed("closed");
    assert!(!process.stderr().contains("\"closed\""), "that is no news");
}

#[test]
fn each_target_has_the_state_that_it_is_in() {
    let origin = Origin::saying("up");
    let (up, down) = (origin.addr(), "127.0.0.1:1");
    let targets = format!("{{ url = \"http://{up}\" }}, {{ url = \"http://{down}\" }}");
    let gateway = TestGateway::start(&config(&targets));
    let state = |target: &str, state: &str| {
        let labels = format!("upstream=\"app\",target=\"http://{target}\",state=\"{state}\"");
        gateway.metric(&format!("gatewright_upstream_target_state{{{labels}}}"))
    };
    assert_eq!(
        (state(down, "up"), state(down, "unreachable")),
        (1.0, 0.0),
        "nobody has asked it"
    );
    for _ in 0..4 {
        assert_eq!(http(gateway.addr("public"), "GET", "/app", &[], b"").status, 200);
    }
    assert_eq!((state(down, "up"), state(down, "unreachable")), (0.0, 1.0));
    for _ in 0..40 {
        http(gateway.addr("public"), "GET", "/app", &[], b"");
    }
    assert_eq!((state(down, "unreachable"), state(down, "ejected")), (0.0, 1.0));
    let up = up.to_string();
    assert_eq!((state(&up, "up"), state(&up, "ejected")), (1.0, 0.0));
}

#[test]
fn expiry_of_certificates_and_the_last_reload_are_shown() {
    let certificates = Certificates::new();
    let read = |name: &str| std::fs::read(certificates.file(name)).unwrap();
    let files = TestFiles::default()
        .with("server.pem", read("server.pem"))
        .with("server.key", read("server.key"));
    let text = "
        [listener.public]
        address = \"127.0.0.1:0\"
        tls = { certificate = \"server.pem\", key = \"server.key\" }
        [[route]]
        name = \"a\"
        path = \"/\"
        integration = { respond = 200 }
    ";
    let gateway = files.start(text);
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let expiry =
        gateway.metric("gatewright_certificate_expiry_timestamp_seconds{key=\"listener.public.tls.certificate\"}");
    assert!(expiry > (now() + Duration::from_secs(3600)).as_secs_f64(), "{expiry}");
    let published = gateway.metric("gatewright_last_reload_success_timestamp_seconds");
    assert!((now().as_secs_f64() - published).abs() < 3600.0, "{published}");
    assert_eq!(gateway.metric("gatewright_last_reload_successful"), 1.0);
    gateway.write("gateway.toml", "nonsense");
    assert!(gateway.reload().is_err());
    assert_eq!(gateway.metric("gatewright_last_reload_successful"), 0.0);
    assert_eq!(
        gateway.metric("gatewright_last_reload_success_timestamp_seconds"),
        published
    );
    for process in ["process_resident_memory_bytes", "process_open_fds", "process_threads"] {
        assert!(gateway.metric(process) > 1.0, "{process}");
    }
    assert!(gateway.metric("process_start_time_seconds") > 1e9);
    assert_eq!(gateway.metric("gatewright_build_info"), 1.0);
}
