//! X1–X3: signals.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gatewright_tests::{Certificates, H2Client, RawClient, Signal, TestProcess, eventually, http, runtime};
use http::Request;

use super::{config, gated};

fn ready(process: &TestProcess) -> u16 {
    http(process.admin(), "GET", "/readyz", &[], b"").status
}

fn asking(addr: SocketAddr, path: &str) -> RawClient {
    let mut client = RawClient::connect(addr);
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    client
}

#[test]
fn x1_everything_in_flight_when_the_process_is_told_to_stop_finishes() {
    let (origin, gate) = gated();
    let mut process = TestProcess::start(&config(
        &origin.url(),
        "drain_delay = \"200ms\"\ndrain_timeout = \"8s\"",
    ));
    let addr = process.addr("public");
    let mut idle: Vec<RawClient> = (0..10).map(|_| asking(addr, "/fast")).collect();
    idle.iter_mut()
        .for_each(|client| assert_eq!(client.read_response().status, 200));
    let waiting: Vec<RawClient> = (0..100).map(|_| asking(addr, "/slow")).collect();
    let http2 = H2Client::connect(addr);
    let streams: Vec<_> = (0..20)
        .map(|_| {
            let mut client = http2.clone();
            let request = Request::get("http://a/slow").body(gatewright_tests::empty()).unwrap();
            runtime().spawn(async move { client.send_async(request).await })
        })
        .collect();
    // Half a request, the rest of which comes while the gateway stops.
    let mut uploading = RawClient::connect(addr);
    uploading.send("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfirst");
    eventually("everything is in flight", || (origin.hits() == 121).then_some(()));

    process.signal(Signal::TERM);
    eventually("it is not ready any more", || (ready(&process) == 503).then_some(()));
    eventually("new connections are refused", || {
        TcpStream::connect(addr).is_err().then_some(())
    });
    assert!(process.is_running(), "it waits for what is in flight");
    assert_eq!(
        http(process.admin(), "GET", "/healthz", &[], b"").status,
        200,
        "it is still alive"
    );
    uploading.send("-half");
    gate.open();

    for mut client in waiting {
        let response = client.read_response();
        assert_eq!((response.status, response.text().as_str()), (200, "answered"));
        assert!(response.closes(), "{response:?}");
        assert!(client.is_closed());
    }
    assert_eq!(uploading.read_response().status, 200);
    for stream in streams {
        let response = gatewright_tests::block_on(stream).unwrap().unwrap();
        assert_eq!((response.status.as_u16(), &response.body[..]), (200, &b"answered"[..]));
    }
    idle.iter_mut()
        .for_each(|client| assert!(client.is_closed(), "idle connections are closed"));
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
    let log = std::fs::read_to_string(process.dir().join("access.log")).unwrap();
    assert_eq!(log.lines().count(), 131, "every request has its record");
}

#[test]
fn x1_before_it_closes_it_says_so_and_goes_on_serving() {
    let (origin, _gate) = gated();
    let mut process = TestProcess::start(&config(&origin.url(), "drain_delay = \"1s\""));
    let addr = process.addr("public");
    let mut kept = asking(addr, "/fast");
    assert!(!kept.read_response().closes());
    assert_eq!(ready(&process), 200);
    let stopped = Instant::now();
    process.signal(Signal::TERM);
    eventually("readiness fails first", || (ready(&process) == 503).then_some(()));
    let response = kept.request("GET", "/fast", &[], b"");
    assert_eq!((response.status, response.closes()), (200, true));
    assert!(kept.is_closed());
    let response = http(addr, "GET", "/fast", &[], b"");
    assert_eq!(
        (response.status, response.closes()),
        (200, true),
        "new connections are served"
    );
    assert!(
        stopped.elapsed() < Duration::from_secs(1),
        "this machine is too slow for this test"
    );
    assert_eq!(process.wait().code(), Some(0));
    assert!(
        stopped.elapsed() >= Duration::from_secs(1),
        "it waited for {:?} only",
        stopped.elapsed()
    );
}

/// What became of the requests of one client that goes on until it can connect no more.
#[derive(Debug, Default)]
struct Load {
    answered: usize,
    lost: Vec<String>,
}

/// Sends one request after the other, over one connection for as long as the gateway says nothing else, or over a new one
/// each time.
fn load(addr: SocketAddr, keeps: bool, answered: &AtomicUsize) -> Load {
    let until = Instant::now() + Duration::from_secs(30);
    let mut load = Load::default();
    let mut kept: Option<RawClient> = None;
    let mut since = Instant::now();
    while Instant::now() < until {
        let was_kept = kept.is_some();
        let Some(mut client) = kept
            .take()
            .or_else(|| RawClient::try_connect(addr, Duration::from_secs(3)).ok())
        else {
            return load;
        };
        let connection = if keeps { "keep-alive" } else { "close" };
        let sent = client.try_send(format!(
            "GET /fast HTTP/1.1\r\nHost: a\r\nConnection: {connection}\r\n\r\n"
        ));
        let silent = since.elapsed();
        match sent.and_then(|()| client.try_read_response().map_err(std::io::Error::other)) {
            Ok(response) => {
                load.answered += 1;
                answered.fetch_add(1, Ordering::Relaxed);
                if keeps && !response.closes() {
                    kept = Some(client);
                }
            }
            // The machine has not let the client go on for as long as a connection without a request is kept.
            Err(_) if silent > Duration::from_millis(900) => {}
            Err(error) => load.lost.push(format!(
                "{error}, sent after {silent:?} on a connection that {}",
                if was_kept { "was used before" } else { "is new" }
            )),
        }
        since = Instant::now();
    }
    load
}

#[test]
fn x1_no_request_is_lost_when_the_process_is_told_to_stop_under_load() {
    for drain_delay in ["0s", "300ms"] {
        let (origin, _gate) = gated();
        let mut process = TestProcess::start(&config(&origin.url(), &format!("drain_delay = \"{drain_delay}\"")));
        let addr = process.addr("public");
        let answered = Arc::<AtomicUsize>::default();
        let loads: Vec<_> = (0..12)
            .map(|number| {
                let answered = Arc::clone(&answered);
                std::thread::spawn(move || load(addr, number % 2 == 0, &answered))
            })
            .collect();
        eventually("the load is on", || {
            (answered.load(Ordering::Relaxed) > 500).then_some(())
        });
        process.signal(Signal::TERM);
        assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
        for load in loads {
            let load = load.join().unwrap();
            assert!(load.answered > 0 && load.lost.is_empty(), "{drain_delay}: {load:?}");
        }
    }
}

#[test]
fn x1_the_last_response_of_a_connection_says_that_it_is_the_last() {
    let (origin, gate) = gated();
    let mut process = TestProcess::start(&config(&origin.url(), "drain_timeout = \"10s\""));
    let addr = process.addr("public");
    let mut idle = asking(addr, "/fast");
    assert!(!idle.read_response().closes());
    let mut silent = RawClient::connect(addr);
    let mut waiting = asking(addr, "/slow");
    eventually("the request is in flight", || (origin.hits() == 1).then_some(()));
    process.signal(Signal::TERM);
    eventually("it does not listen any more", || {
        TcpStream::connect(addr).is_err().then_some(())
    });
    gate.open();
    let response = waiting.read_response();
    assert_eq!((response.status, response.closes()), (200, true));
    // Whoever has a connection may be about to use it: this one, and the one that has asked for nothing yet.
    for client in [&mut idle, &mut silent] {
        if client.try_send("GET /fast HTTP/1.1\r\nHost: a\r\n\r\n").is_ok()
            && let Ok(response) = client.try_read_response()
        {
            assert_eq!((response.status, response.closes()), (200, true));
            assert!(client.is_closed());
        }
    }
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
}

#[test]
fn x1_while_it_leaves_http2_clients_are_told_to_go_and_new_ones_are_served() {
    use gatewright_tests::{H2Frames, frames::frame};
    let (origin, _gate) = gated();
    let mut process = TestProcess::start(&config(&origin.url(), "drain_delay = \"500ms\""));
    let addr = process.addr("public");
    let mut old = H2Frames::connect(addr);
    let fields = [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/fast"),
        (":authority", "a"),
    ];
    assert_eq!(old.headers(1, &fields, true).outcome(1).status(), Some(200));
    process.signal(Signal::TERM);
    let goaway = std::iter::from_fn(|| old.read()).find(|frame| frame.kind == frame::GOAWAY);
    assert!(
        goaway.is_some_and(|frame| frame.payload[4..8] == [0; 4]),
        "GOAWAY without an error"
    );
    assert!(process.is_running());
    assert_eq!(
        H2Frames::connect(addr).headers(1, &fields, true).outcome(1).status(),
        Some(200)
    );
    drop(old);
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn x1_clients_that_say_nothing_do_not_hold_up_the_end() {
    let certificates = Certificates::new();
    let (origin, _gate) = gated();
    let tls = format!(
        "[listener.tls]\naddress = \"127.0.0.1:0\"\ntls = {{ certificate = \"{}\", key = \"{}\" }}\n",
        certificates.path("server.pem"),
        certificates.path("server.key")
    );
    let text = format!("{tls}{}", config(&origin.url(), "drain_timeout = \"60s\""));
    let mut process = TestProcess::start(&text);
    let mut silent = Vec::new();
    for listener in ["public", "http1", "tls"] {
        silent.push(RawClient::connect(process.addr(listener)));
    }
    // Half a word that is no request yet, half a handshake.
    for (listener, bytes) in [("public", &b"PR"[..]), ("tls", b"\x16\x03")] {
        let mut client = RawClient::connect(process.addr(listener));
        client.send(bytes);
        silent.push(client);
    }
    for protocol in ["http/1.1", "h2"] {
        silent.push(RawClient::connect_tls(process.addr("tls"), certificates.client(&[protocol])).unwrap());
    }
    // They have been accepted when a later connection has been served, or soon after.
    for listener in ["public", "http1"] {
        (0..20).for_each(|_| assert_eq!(http(process.addr(listener), "GET", "/fast", &[], b"").status, 200));
    }
    let started = Instant::now();
    process.signal(Signal::TERM);
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn x1_a_gateway_without_connections_stops_at_once() {
    let tries = (0..5).map(|_| {
        let text = format!(
            "{}\n[listener.socket]\naddress = \"unix:gateway.sock\"\n",
            config("http://127.0.0.1:1", "")
        );
        let mut process = TestProcess::start(&text);
        // It has served, and its clients have gone.
        for listener in ["public", "http1"] {
            let response = http(process.addr(listener), "GET", "/fast", &[("Connection", "close")], b"");
            assert!(response.closes());
        }
        let started = Instant::now();
        process.signal(Signal::TERM);
        assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
        started.elapsed()
    });
    // One of them, on a machine that is busy with other things.
    let shortest = tries.min().unwrap();
    assert!(shortest < Duration::from_millis(150), "{shortest:?}");
}

#[test]
fn x1_what_does_not_end_in_time_is_cut_off() {
    let (origin, _gate) = gated();
    let mut process = TestProcess::start(&config(&origin.url(), "drain_timeout = \"300ms\""));
    let mut client = asking(process.addr("public"), "/slow");
    eventually("the request is in flight", || (origin.hits() == 1).then_some(()));
    process.signal(Signal::TERM);
    assert_eq!(process.wait().code(), Some(0));
    assert!(client.is_closed());
    assert!(process.stderr().contains("cut off"), "{}", process.stderr());
    let log = std::fs::read_to_string(process.dir().join("access.log")).unwrap();
    assert_eq!(log.lines().count(), 1, "even then there is a record: {log}");
    let record: serde_json::Value = serde_json::from_str(&log).unwrap();
    let said = |field: &str| record[field].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (said("outcome"), said("error"), record["status"].as_u64()),
        ("failed".to_owned(), "SERVICE_UNAVAILABLE".to_owned(), Some(503)),
        "the client has not left: {record}"
    );
}

#[test]
fn x2_a_second_signal_stops_at_once_and_is_no_success() {
    for (first, second) in [
        (Signal::TERM, Signal::TERM),
        (Signal::INT, Signal::INT),
        (Signal::TERM, Signal::INT),
    ] {
        let (origin, _gate) = gated();
        let mut process = TestProcess::start(&config(&origin.url(), "drain_delay = \"60s\"\ndrain_timeout = \"60s\""));
        let _client = asking(process.addr("public"), "/slow");
        eventually("the request is in flight", || (origin.hits() == 1).then_some(()));
        process.signal(first);
        eventually("it is stopping", || (ready(&process) == 503).then_some(()));
        let started = Instant::now();
        process.signal(second);
        let status = process.wait();
        assert_eq!(status.code(), Some(1), "{status}: {}", process.stderr());
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    }
}

#[test]
fn x3_a_hangup_loads_the_configuration_anew() {
    let (origin, _gate) = gated();
    let mut process = TestProcess::start(&config(&origin.url(), ""));
    let generation = |process: &TestProcess| {
        http(process.admin(), "GET", "/routes", &[], b"").json()["generation"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(generation(&process), 1);
    process.signal(Signal::HUP);
    eventually("there is another generation", || {
        (generation(&process) == 2).then_some(())
    });
    // One that is refused changes nothing.
    std::fs::write(process.dir().join("gateway.toml"), "nonsense").unwrap();
    process.signal(Signal::HUP);
    eventually("it is refused", || {
        let routes = http(process.admin(), "GET", "/routes", &[], b"").json();
        (!routes["last_refused_reload"].is_null()).then_some(())
    });
    assert_eq!(http(process.addr("public"), "GET", "/fast", &[], b"").status, 200);
    // And while it stops, it is no second signal.
    process.signal(Signal::TERM);
    process.signal(Signal::HUP);
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
}
