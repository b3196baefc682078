//! X5: the process runs out of file descriptors.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use gatewright_tests::{RawClient, TestProcess, eventually, http};
use rustix::process::{Resource, Rlimit, prlimit};

use super::{config, gated};
use crate::memory::{cpu_time, open_files};

#[test]
fn x5_without_file_descriptors_it_does_not_spin_answers_health_and_recovers() {
    let (origin, _gate) = gated();
    let process = TestProcess::start(&config(&origin.url(), ""));
    let (addr, admin) = (process.addr("public"), process.admin());
    let limit = u64::try_from(open_files(process.pid())).unwrap() + 20;
    let limit = Rlimit {
        current: Some(limit),
        maximum: Some(limit),
    };
    prlimit(Some(process.pid()), Resource::Nofile, limit).unwrap();

    let clients: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(addr).unwrap()).collect();
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

    drop(clients);
    eventually("it serves again, by itself", || {
        let mut client = RawClient::connect(addr);
        client.send("GET /fast HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        client
            .try_read_response()
            .ok()
            .filter(|response| response.status == 200)
    });
}
