//! C9, C10, C11: what a client of HTTP/2 holds, it holds for as long as a client of HTTP/1 may, and what it sends without
//! asking for something it does not send for ever.

use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_tests::frames::{END_HEADERS, END_STREAM, StreamOutcome, frame, frame_bytes, header_block};
use gatewright_tests::{H2Client, H2Frames, Origin, RawClient, TestGateway, full};
use http::{Request, Response};

use crate::setup::{hello, hello_with, passing_with};

/// Far beyond the limits that these tests set, and far below the defaults.
const SOON: Duration = Duration::from_secs(6);

const GET: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":authority", "localhost"),
    (":path", "/x"),
];
/// ENHANCE_YOUR_CALM
const CALM: u32 = 11;

fn large(listener: &str, bytes: usize) -> (TestGateway, Origin) {
    let body = Bytes::from(vec![b'a'; bytes]);
    let origin = Origin::start(move |_| {
        let body = body.clone();
        async move { Response::new(full(body)) }
    });
    let gateway = TestGateway::start(&passing_with(&origin.url(), listener, ""));
    (gateway, origin)
}

/// The code that a stream is reset with after its response has begun.
fn reset(client: &mut H2Frames, stream: u32) -> Option<u32> {
    loop {
        match client.outcome(stream) {
            StreamOutcome::Answered(_) => {}
            StreamOutcome::Reset(code) => return Some(code),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn c9_a_stream_whose_client_gives_it_no_window_is_reset_in_time_and_others_go_on() {
    for (window, length) in [(0, 4 << 20), (0, 5), (1, 5), (1_000, 1 << 20)] {
        let (gateway, _origin) = large("limits = { body_timeout = \"300ms\" }", length);
        let mut client = H2Frames::connect(gateway.addr("public"));
        let started = Instant::now();
        client.window(window).headers(1, &GET, true);
        assert!(reset(&mut client, 1).is_some_and(|code| code != 0), "{window} {length}");
        assert!(started.elapsed() >= Duration::from_millis(290) && started.elapsed() < SOON);
        let records = gateway.wait_for_records(1);
        assert_eq!(records[0]["outcome"], "client_gone", "{records:?}");
        assert!(
            records[0]["cause"]
                .as_str()
                .is_some_and(|cause| cause.contains("took nothing"))
        );
        // One that takes what it asked for is served over the same connection.
        let head = [(":method", "HEAD"), GET[1], GET[2], GET[3]];
        assert_eq!(client.headers(3, &head, true).outcome(3).status(), Some(200));
    }
}

#[test]
fn c9_streams_that_nobody_reads_end_all_of_them() {
    let (gateway, _origin) = large("limits = { body_timeout = \"300ms\" }", 16 << 20);
    let mut client = H2Frames::connect(gateway.addr("public"));
    client.window(0);
    for number in 0..50 {
        client.headers(2 * number + 1, &GET, true);
    }
    let records = gateway.wait_for_records(50);
    assert!(
        records.iter().all(|record| record["outcome"] == "client_gone"),
        "{records:?}"
    );
}

#[test]
fn c9_a_reader_of_http_2_with_pauses_below_the_limit_takes_as_long_as_it_likes() {
    let (gateway, _origin) = large("limits = { body_timeout = \"600ms\" }", 1_000);
    let mut client = H2Frames::connect(gateway.addr("public"));
    client.window(100).headers(1, &GET, true);
    let mut received = 0;
    while let Some(frame) = client.read() {
        if frame.kind != frame::DATA {
            assert_ne!(frame.kind, frame::RST_STREAM, "after {received} bytes");
            continue;
        }
        received += frame.payload.len();
        if frame.flags & END_STREAM != 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
        client.send(frame::WINDOW_UPDATE, 0, 1, &100u32.to_be_bytes());
    }
    assert_eq!(received, 1_000);
    assert_eq!(gateway.wait_for_records(1)[0]["outcome"], "answered");
}

#[test]
fn c10_only_requests_keep_a_connection_open() {
    let (gateway, _origin) = hello_with("limits = { idle_timeout = \"500ms\" }");
    let ping = frame_bytes(frame::PING, 0, 0, &[0; 8]);
    let settings = frame_bytes(frame::SETTINGS, 0, 0, &[]);
    let window = frame_bytes(frame::WINDOW_UPDATE, 0, 0, &1u32.to_be_bytes());
    let unknown = frame_bytes(99, 0, 0, b"hello");
    for frame in [ping, settings, window, unknown] {
        let mut client = H2Frames::connect(gateway.addr("public"));
        assert_eq!(client.headers(1, &GET, true).outcome(1).status(), Some(200));
        let started = Instant::now();
        while client.try_send(&frame) && started.elapsed() < SOON {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(started.elapsed() < SOON, "{frame:?} keeps the connection open");
    }
    let mut client = RawClient::connect(gateway.addr("public"));
    assert_eq!(client.request("GET", "/x", &[], b"").status, 200);
    let started = Instant::now();
    while client.try_send("\r\n").is_ok() && started.elapsed() < SOON {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(started.elapsed() < SOON, "empty lines keep the connection open");
}

#[test]
fn c10_an_idle_connection_of_http_2_is_told_goodbye() {
    let (gateway, _origin) = hello_with("limits = { idle_timeout = \"300ms\" }");
    let mut client = H2Frames::connect(gateway.addr("public"));
    assert_eq!(client.headers(1, &GET, true).outcome(1).status(), Some(200));
    let goodbye = std::iter::from_fn(|| client.read()).find(|frame| frame.kind == frame::GOAWAY);
    let payload = goodbye.expect("a goodbye").payload;
    assert_eq!(payload[..8], [0, 0, 0, 1, 0, 0, 0, 0], "the last stream, and no error");
}

#[test]
fn c9_a_header_section_of_http_2_that_comes_too_slowly_ends_the_connection() {
    let (gateway, _origin) = hello_with("limits = { header_timeout = \"300ms\" }");
    let block = header_block(&GET);
    let open = frame_bytes(frame::HEADERS, END_STREAM, 1, &block);
    let cut = &frame_bytes(frame::HEADERS, END_STREAM | END_HEADERS, 1, &block)[..20];
    let continued = [open.clone(), frame_bytes(frame::CONTINUATION, 0, 1, &[])].concat();
    for begun in [&open[..], cut, &continued] {
        let mut client = H2Frames::connect(gateway.addr("public"));
        let started = Instant::now();
        assert!(client.try_send(begun));
        let outcome = client.outcome(1);
        assert!(
            matches!(outcome, StreamOutcome::GoAway(_) | StreamOutcome::Closed),
            "{outcome:?}"
        );
        assert!(started.elapsed() >= Duration::from_millis(250) && started.elapsed() < SOON);
    }
    for begun in ["PRI", "PRI * HTTP/2.0\r\n\r\nS"] {
        let mut client = RawClient::connect(gateway.addr("public"));
        let started = Instant::now();
        client.send(begun);
        client.read_to_end(SOON);
        assert!(started.elapsed() < SOON, "{begun:?}");
    }
}

#[test]
fn c11_a_flood_of_any_frame_that_asks_for_nothing_is_told_to_calm_down() {
    let (gateway, _origin) = hello();
    let floods: [(&str, Vec<u8>); 12] = [
        ("SETTINGS", frame_bytes(frame::SETTINGS, 0, 0, &[])),
        (
            "SETTINGS that change",
            frame_bytes(frame::SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]),
        ),
        ("PING", frame_bytes(frame::PING, 0, 0, &[0; 8])),
        ("PING acknowledgements", frame_bytes(frame::PING, 1, 0, &[0; 8])),
        ("PRIORITY", frame_bytes(frame::PRIORITY, 0, 1, &[0, 0, 0, 3, 7])),
        (
            "WINDOW_UPDATE",
            frame_bytes(frame::WINDOW_UPDATE, 0, 0, &1u32.to_be_bytes()),
        ),
        ("ALTSVC", frame_bytes(10, 0, 0, &[0, 1, b'a', b'b'])),
        ("PRIORITY_UPDATE", frame_bytes(16, 0, 0, &[0, 0, 0, 1, b'u'])),
        ("unknown", frame_bytes(99, 0, 0, b"hello")),
        ("RST_STREAM", frame_bytes(frame::RST_STREAM, 0, 1, &[0, 0, 0, 8])),
        ("empty DATA", frame_bytes(frame::DATA, 0, 3, &[])),
        ("GOAWAY", frame_bytes(frame::GOAWAY, 0, 0, &[0; 8])),
    ];
    for (name, frame) in floods {
        let mut client = H2Frames::connect(gateway.addr("public"));
        assert_eq!(client.headers(1, &GET, true).outcome(1).status(), Some(200));
        let post = [(":method", "POST"), GET[1], GET[2], GET[3]];
        client.headers(3, &post, false);
        let flood = frame.repeat(500);
        let sent = (0..40).take_while(|_| client.try_send(&flood)).count();
        let outcome = client.outcome(5);
        assert!(
            matches!(outcome, StreamOutcome::GoAway(_) | StreamOutcome::Closed),
            "{name}, after {sent}: {outcome:?}"
        );
    }
    let mut client = H2Frames::connect(gateway.addr("public"));
    client.try_send(&frame_bytes(frame::PING, 1, 0, &[0; 8]).repeat(20_000));
    assert_eq!(client.outcome(1), StreamOutcome::GoAway(CALM));

    let (gateway, origin) = hello();
    let mut client = H2Frames::connect(gateway.addr("public"));
    let flood = frame_bytes(frame::PING, 1, 0, &[0; 8]).repeat(1_200);
    let request = frame_bytes(frame::HEADERS, END_STREAM | END_HEADERS, 1, &header_block(&GET));
    client.try_send(&[flood, request].concat());
    assert_eq!(client.outcome(1), StreamOutcome::GoAway(CALM));
    assert_eq!(origin.hits(), 0, "what comes after it is not served");
}

#[test]
fn c11_requests_that_are_reset_at_once_are_told_to_calm_down() {
    let (gateway, origin) = hello();
    let mut client = H2Frames::connect(gateway.addr("public"));
    let block = header_block(&GET);
    let mut stream = 1;
    for _ in 0..5_000 {
        let request = frame_bytes(frame::HEADERS, END_STREAM | END_HEADERS, stream, &block);
        let reset = frame_bytes(frame::RST_STREAM, 0, stream, &[0, 0, 0, 8]);
        if !client.try_send(&[request, reset].concat()) {
            break;
        }
        stream += 2;
    }
    let outcome = client.outcome(0);
    assert!(
        matches!(outcome, StreamOutcome::GoAway(_) | StreamOutcome::Closed),
        "{outcome:?}"
    );
    assert!(origin.hits() < 1_000, "{}", origin.hits());
}

#[test]
fn c11_a_client_that_asks_for_much_and_takes_it_is_never_told_to_calm_down() {
    let (gateway, _origin) = large("", 8 << 20);
    let mut client = H2Client::connect(gateway.addr("public"));
    for _ in 0..8 {
        let request = Request::get("http://localhost/x")
            .body(gatewright_tests::empty())
            .unwrap();
        assert_eq!(client.send(request).unwrap().body.len(), 8 << 20);
    }
    // One that makes room for each piece by itself, and pings now and then.
    let (gateway, _origin) = hello();
    let mut client = H2Frames::connect(gateway.addr("public"));
    for number in 0..2_000 {
        let stream = 2 * number + 1;
        assert_eq!(
            client.headers(stream, &GET, true).outcome(stream).status(),
            Some(200),
            "{number}"
        );
        client.send(frame::WINDOW_UPDATE, 0, 0, &5u32.to_be_bytes());
        if number % 2 == 0 {
            client.send(frame::PING, 0, 0, &[0; 8]);
        }
    }
}
