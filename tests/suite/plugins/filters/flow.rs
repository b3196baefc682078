//! P14, P27. Long bodies: memory stays flat, and who does not read stops who sends.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gatewright_tests::raw_origin::read_head;
use gatewright_tests::{DEADLINE, RawClient, RawOrigin, TestProcess, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::setup::{PATIENT, heavy, route};
use super::{MIB, config, files, filter};
use crate::memory::{forget_peak, peak_bytes};

/// As much as kernels buffer in two connections at most, and then some.
const BUFFERED: usize = 64 * MIB;

/// An origin that sends for ever, and counts.
pub(super) fn endless(written: &Arc<AtomicUsize>) -> RawOrigin {
    let counting = Arc::clone(written);
    RawOrigin::start(move |mut socket| {
        let written = Arc::clone(&counting);
        async move {
            read_head(&mut socket).await;
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while let Ok(count @ 1..) = socket.write(&[b'x'; 64 * 1024]).await {
                written.fetch_add(count, Ordering::SeqCst);
            }
        }
    })
}

#[test]
fn p27_a_client_that_does_not_read_stops_the_upstream_through_a_filter() {
    let written = Arc::<AtomicUsize>::default();
    let origin = endless(&written);
    let routes = [route("plain", &filter("plain", ""), "http = \"app\"")];
    let gateway = files().start(&config(&origin.url(), PATIENT, &routes));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /plain HTTP/1.1\r\nHost: a\r\n\r\n");
    let before = at_rest(&written);
    assert!(before < BUFFERED, "{before} bytes were taken that nobody reads");
    client.read_bytes(before + MIB);
    assert!(at_rest(&written) > before);
}

/// The number when it has not changed for a while.
fn at_rest(counter: &AtomicUsize) -> usize {
    let (mut last, mut since) = (0, Instant::now());
    eventually("the counter comes to rest", || {
        let now = counter.load(Ordering::SeqCst);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        (now > 0 && since.elapsed() > Duration::from_millis(300)).then_some(now)
    })
}

#[test]
fn p27_an_upstream_that_does_not_read_stops_the_client_through_a_filter() {
    let origin = RawOrigin::start(|mut socket| async move {
        read_head(&mut socket).await;
        std::future::pending::<()>().await;
    });
    let routes = [route("plain", &filter("plain", ""), "http = \"app\"")];
    let gateway = files().start(&config(&origin.url(), PATIENT, &routes));
    let mut stream = TcpStream::connect(gateway.addr("public")).unwrap();
    stream
        .write_all(b"POST /plain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(250))).unwrap();
    let chunk = [b"10000\r\n", &vec![b'x'; 0x10000][..], b"\r\n"].concat();
    let mut sent = 0;
    while sent < 4 * BUFFERED && stream.write_all(&chunk).is_ok() {
        sent += chunk.len();
    }
    assert!(sent < BUFFERED, "{sent} bytes were taken that nobody reads");
}

#[test]
fn p14_a_large_body_passes_a_filter_each_way_with_flat_memory() {
    both_ways(256 * MIB);
}

#[test]
#[ignore = "takes minutes; the same with a smaller body runs always"]
fn p14_ten_gibibytes_pass_a_filter_each_way_with_flat_memory() {
    both_ways(10 << 30);
}

/// Sends and fetches so many bytes at the same time, through `redact`.
fn both_ways(size: usize) {
    let _alone = heavy();
    let received = Arc::<AtomicUsize>::default();
    let counting = Arc::clone(&received);
    let origin = RawOrigin::start(move |mut socket| {
        let received = Arc::clone(&counting);
        async move {
            let head = read_head(&mut socket).await;
            let piece = vec![b'x'; MIB];
            if head.starts_with(b"GET") {
                let _ = socket
                    .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").as_bytes())
                    .await;
                for _ in 0..size / MIB {
                    let _ = socket.write_all(&piece).await;
                }
                return;
            }
            let (mut buffer, mut end) = (piece, Vec::new());
            while !end.ends_with(b"0\r\n\r\n") {
                let Ok(count @ 1..) = socket.read(&mut buffer).await else {
                    return;
                };
                received.fetch_add(count, Ordering::SeqCst);
                end.extend_from_slice(&buffer[count.saturating_sub(5)..count]);
                end.drain(..end.len().saturating_sub(5));
            }
            let _ = socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    });
    let chain = "{ plugin = \"redact\", config = { patterns = [\"####-####\", \"secret\"], apply_to = [\"request\", \"response\"] } }";
    let routes = [route("redact", chain, "http = \"app\"")];
    let text = config(&origin.url(), PATIENT, &routes)
        .replace("path = \"/redact\"", "path = \"/redact\"\ntimeout = \"3600s\"")
        + &format!("[plugin.redact]\n{PATIENT}\n");
    let process = TestProcess::start_in(files(), &text, &[]).unwrap();
    forget_peak(process.pid());
    let before = peak_bytes(process.pid());
    let started = Instant::now();
    let (up, down) = (process.addr("public"), process.addr("public"));
    let up = std::thread::spawn(move || upload(up, size));
    let down = std::thread::spawn(move || download(down, size));
    up.join().unwrap();
    down.join().unwrap();
    let grown = peak_bytes(process.pid()).saturating_sub(before);
    println!(
        "{} MiB each way in {:?}, memory grew by {} KiB",
        size / MIB,
        started.elapsed(),
        grown / 1024
    );
    let received = received.load(Ordering::SeqCst);
    assert!(received >= size, "{received} bytes arrived");
    assert!(grown < 48 * MIB, "memory grew by {grown} bytes");
}

fn upload(addr: SocketAddr, size: usize) {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(
        stream,
        "POST /redact HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"
    )
    .unwrap();
    let piece = vec![b'x'; MIB];
    for _ in 0..size / MIB {
        stream.write_all(&piece).unwrap();
    }
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 204");
}

fn download(addr: SocketAddr, size: usize) {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
        .write_all(b"GET /redact HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .unwrap();
    let (mut buffer, mut total, mut end) = (vec![0; MIB], 0, Vec::new());
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            count => {
                total += count;
                end.extend_from_slice(&buffer[count.saturating_sub(5)..count]);
                end.drain(..end.len().saturating_sub(5));
            }
        }
    }
    assert!(total > size && end == b"0\r\n\r\n", "{total}");
}
