//! C11: what clients can cause fills no log.

use std::collections::BTreeMap;
use std::time::Duration;

use gatewright_tests::frames::{frame, frame_bytes};
use gatewright_tests::{Certificates, H2Frames, RawClient, TestProcess, eventually};
use serde_json::Value;

use super::config;

/// The lines of warnings and errors, and how many others they stand for.
fn warnings(process: &TestProcess) -> BTreeMap<String, (usize, u64)> {
    let mut said = BTreeMap::new();
    let text = process.stderr();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    for line in lines.filter(|line| line["level"] == "WARN" || line["level"] == "ERROR") {
        let held_back = line["fields"]["held_back"].as_u64().unwrap_or(0);
        let (count, others) = said.entry(line["fields"]["message"].to_string()).or_insert((0, 0));
        *count += 1;
        *others += held_back;
    }
    said
}

#[test]
fn c11_a_flood_of_ping_acknowledgements_is_a_few_lines_of_the_log_with_their_count() {
    let process = TestProcess::start(&config("http://127.0.0.1:1", ""));
    let before = warnings(&process);
    // As many as a connection may send before it is closed, over as many connections as it takes.
    let flood = frame_bytes(frame::PING, 1, 0, &[0; 8]).repeat(800);
    for _ in 0..25 {
        let mut client = H2Frames::connect(process.addr("public"));
        assert!(client.try_send(&flood));
        // The answer says that all of them have been read.
        client.send(frame::PING, 0, 0, b"finished");
        let answer = std::iter::from_fn(|| client.read()).find(|frame| frame.kind == frame::PING);
        assert!(answer.is_some_and(|frame| frame.payload == b"finished"));
    }
    let caused = eventually("the others are counted", || {
        let mut said = warnings(&process);
        said.retain(|message, _| !before.contains_key(message));
        let all: u64 = said.values().map(|(lines, others)| *lines as u64 + others).sum();
        (all >= 20_000).then_some(said)
    });
    // One and a count for each second that it takes.
    let lines: usize = caused.values().map(|(lines, _)| lines).sum();
    assert!(lines < 60, "{lines}: {caused:#?}");
}

#[test]
fn c11_a_flood_of_requests_and_handshakes_that_are_none_is_a_few_lines_of_the_log() {
    let certificates = Certificates::new();
    let tls = format!(
        "[listener.tls]\naddress = \"127.0.0.1:0\"\ntls = {{ certificate = \"{}\", key = \"{}\" }}\n",
        certificates.path("server.pem"),
        certificates.path("server.key")
    );
    let process = TestProcess::start(&format!("{tls}{}", config("http://127.0.0.1:1", "")));
    let before: usize = warnings(&process).values().map(|(lines, _)| lines).sum();
    for number in 0..400 {
        // A different one each time: what differs is the client's.
        let mut client = RawClient::connect(process.addr("http1"));
        client.send(format!(
            "GET /{number} HTTP/9.{number}\r\nHost: {number}\r\nX-{number}\r\n\r\n"
        ));
        client.read_to_end(Duration::from_secs(5));
        let mut client = RawClient::connect(process.addr("tls"));
        client.send(format!("{number} is no handshake\r\n\r\n"));
        client.read_to_end(Duration::from_secs(5));
    }
    let after: usize = warnings(&process).values().map(|(lines, _)| lines).sum();
    assert!(after - before < 60, "{after}");
}
