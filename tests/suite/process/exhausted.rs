//! X5: the process runs out of file descriptors.

use std::time::{Duration, Instant};

use gatewright_tests::{H2Frames, RawClient, TestProcess, eventually, http};
use rustix::process::{Resource, Rlimit, prlimit};

use super::{config, gated};
use crate::memory::{cpu_time, open_files};

#[test]
fn x5_without_file_descriptors_it_does_not_spin_answers_health_and_recovers() {
    let (origin, _gate) = gated();
    let process = TestProcess::start(&config(&origin.url(), ""));
    let (addr, admin) = (process.addr("public"), process.admin());
    allow_more_files(&process, 20);

    let mut silent: Vec<RawClient> = (0..100).map(|_| RawClient::connect(addr)).collect();
    eventually("it says that it cannot accept", || {
        process.stderr().contains("cannot accept connections").then_some(())
    });
    let (before, started) = (cpu_time(process.pid()), Instant::now());
    while started.elapsed() < Duration::from_secs(1) {
        let health = http(admin, "GET", "/healthz", &[], b"");
        assert_eq!(health.status, 200, "health answers from another descriptor");
        std::thread::sleep(Duration::from_millis(50));
    }
    let spent = cpu_time(process.pid()) - before;
    println!("x5: {spent:?} of processor time in {:?}", started.elapsed());
    assert!(
        spent < Duration::from_millis(300),
        "it spins: {spent:?} in {:?}",
        started.elapsed()
    );
    assert!(
        process.messages("cannot accept connections; trying again").len() < 20,
        "{}",
        process.stderr()
    );

    assert!(silent[0].is_closed(), "who says nothing makes room for the next");
    drop(silent);
    eventually("it serves again, by itself", || {
        let mut client = RawClient::connect(addr);
        client.send("GET /fast HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        client
            .try_read_response()
            .ok()
            .filter(|response| response.status == 200)
    });
}

#[test]
fn x5_idle_clients_make_room_for_new_ones_and_no_request_in_flight_is_hurt() {
    let (origin, gate) = gated();
    let process = TestProcess::start(&config(&origin.url(), ""));
    let addr = process.addr("public");
    let mut waiting = RawClient::connect(addr);
    waiting.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut uploading = RawClient::connect(addr);
    uploading.send("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
    let slow = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/slow"),
    ];
    let mut streaming = H2Frames::connect(addr);
    streaming.headers(1, &slow, true);
    eventually("all are in flight", || (origin.hits() == 3).then_some(()));
    let mut idle_http2 = H2Frames::connect(addr);
    allow_more_files(&process, 20);

    let started = Instant::now();
    let served = || {
        let mut client = RawClient::connect(addr);
        assert_eq!(client.request("GET", "/fast", &[], b"").text(), "fast");
        client
    };
    let mut idle: Vec<RawClient> = (0..100).map(|_| served()).collect();
    println!("x5: everybody has been served after {:?}", started.elapsed());
    assert!(idle[0].is_closed(), "the one that was idle for longest");
    while idle_http2.read().is_some() {}

    uploading.send("lo");
    gate.open();
    assert_eq!(waiting.read_response().text(), "answered");
    assert_eq!(uploading.read_response().text(), "answered");
    assert_eq!(streaming.outcome(1).status(), Some(200));
    let metrics = http(process.admin(), "GET", "/metrics", &[], b"").text();
    let shed = metrics
        .lines()
        .find_map(|line| line.strip_prefix("gatewright_connections_shed_total "));
    assert!(shed.unwrap().parse::<u32>().unwrap() >= 80, "{metrics}");
}

#[test]
fn x5_the_limit_of_open_files_is_raised_as_far_as_it_goes_and_said_to_be_too_low() {
    let process = TestProcess::start(
        r#"
        [listener.public]
        address = "127.0.0.1:0"
        limits = { connections = 1000000000 }

        [[route]]
        name = "fast"
        path = "/fast"
        integration = { respond = 200 }
        "#,
    );
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.pid().as_raw_nonzero())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[3], words[4], "soft and hard limit: {line}");
    assert!(
        process.stderr().contains("listener.public.limits.connections"),
        "{}",
        process.stderr()
    );
}

/// Limits the process to so many file descriptors more than it has.
fn allow_more_files(process: &TestProcess, more: u64) {
    let limit = u64::try_from(open_files(process.pid())).unwrap() + more;
    let limit = Rlimit {
        current: Some(limit),
        maximum: Some(limit),
    };
    prlimit(Some(process.pid()), Resource::Nofile, limit).unwrap();
}
