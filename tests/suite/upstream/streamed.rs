//! U8: bodies stream both ways, with flat memory, and who does not read slows down who writes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gatewright_tests::raw_origin::read_head;
use gatewright_tests::{DEADLINE, Origin, RawClient, RawOrigin, TestProcess, eventually};
use http::Response;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;

use super::{config, proxy};
use crate::memory::{forget_peak, peak_bytes};

const MIB: usize = 1 << 20;
/// As much as kernels buffer in two connections at most, and then some.
const BUFFERED: usize = 64 * MIB;

#[test]
fn u8_gigabytes_pass_both_ways_with_flat_memory() {
    const SIZE: usize = 512 * MIB;
    let received = Arc::<AtomicUsize>::default();
    let counting = Arc::clone(&received);
    // Sends as much as it is asked for, or counts what comes.
    let origin = RawOrigin::start(move |mut socket| {
        let received = Arc::clone(&counting);
        async move {
            let head = read_head(&mut socket).await;
            let piece = vec![b'x'; MIB];
            if head.starts_with(b"GET") {
                let _ = socket
                    .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes())
                    .await;
                for _ in 0..SIZE / MIB {
                    let _ = socket.write_all(&piece).await;
                }
                return;
            }
            let body = head.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
            let mut count = head.len() - body;
            let mut buffer = piece;
            while count < SIZE {
                match socket.read(&mut buffer).await {
                    Ok(more @ 1..) => count += more,
                    _ => return,
                }
            }
            received.store(count, Ordering::SeqCst);
            let _ = socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    });
    let process = TestProcess::start(&config(&[&origin.url()], "", "timeout = \"60s\""));
    forget_peak(process.pid());
    let before = peak_bytes(process.pid());
    let started = Instant::now();
    let (up, down) = (process.addr("public"), process.addr("public"));
    let up = std::thread::spawn(move || upload(up, SIZE));
    let down = std::thread::spawn(move || download(down, SIZE));
    up.join().unwrap();
    down.join().unwrap();
    let grown = peak_bytes(process.pid()).saturating_sub(before);
    println!(
        "u8: {} MiB each way in {:?}, memory grew by {} KiB",
        SIZE / MIB,
        started.elapsed(),
        grown / 1024
    );
    assert_eq!(received.load(Ordering::SeqCst), SIZE);
    assert!(grown < 24 * MIB, "memory grew by {grown} bytes");
}

fn upload(addr: SocketAddr, size: usize) {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(stream, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n").unwrap();
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
        .write_all(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .unwrap();
    let (mut buffer, mut total) = (vec![0; MIB], 0);
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            count => total += count,
        }
    }
    assert!(total > size && total < size + 1000, "{total}");
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
fn u8_a_client_that_does_not_read_stops_the_upstream() {
    let written = Arc::<AtomicUsize>::default();
    let counting = Arc::clone(&written);
    let origin = RawOrigin::start(move |mut socket| {
        let written = Arc::clone(&counting);
        async move {
            read_head(&mut socket).await;
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while let Ok(count @ 1..) = socket.write(&[b'x'; 64 * 1024]).await {
                written.fetch_add(count, Ordering::SeqCst);
            }
        }
    });
    let gateway = proxy(&origin.url());
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    let before = at_rest(&written);
    assert!(before < BUFFERED, "{before} bytes were taken that nobody reads");
    // It goes on when the client does.
    client.read_bytes(before + MIB);
    assert!(at_rest(&written) > before);
}

#[test]
fn u8_an_upstream_that_does_not_read_stops_the_client() {
    let origin = RawOrigin::start(|mut socket| async move {
        read_head(&mut socket).await;
        // Keeps the connection and reads no more.
        std::future::pending::<()>().await;
    });
    let gateway = proxy(&origin.url());
    let mut stream = TcpStream::connect(gateway.addr("public")).unwrap();
    stream
        .write_all(b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
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
fn u8_a_piece_of_a_response_is_passed_on_before_the_next_one_is_there() {
    let (arrived, gate) = oneshot::channel::<()>();
    let gate = Arc::new(Mutex::new(Some(gate)));
    let origin = Origin::start(move |_| {
        let gate = gate.lock().unwrap().take();
        async move {
            let (sender, body) = gatewright_tests::channel();
            tokio::spawn(async move {
                let _ = sender.send(Ok("first,".into()));
                let _ = gate.unwrap().await;
                let _ = sender.send(Ok("second".into()));
            });
            Response::new(body)
        }
    });
    let gateway = proxy(&origin.url());
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut got = Vec::new();
    while !got.ends_with(b"first,\r\n") {
        got.extend(client.read_some().expect("the first piece"));
    }
    arrived.send(()).unwrap();
    let rest = String::from_utf8(client.read_bytes(10)).unwrap();
    assert!(rest.contains("second"), "{rest}");
}

#[test]
fn u8_a_piece_of_a_request_is_passed_on_before_the_next_one_is_there() {
    let origin = Origin::saying("ok");
    let gateway = proxy(&origin.url());
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nfirst,");
    eventually("the first piece arrives", || {
        origin
            .requests()
            .first()
            .filter(|request| request.body == b"first,")
            .map(drop)
    });
    assert!(!origin.only_request().complete);
    client.send("second");
    assert_eq!(client.read_response().text(), "ok");
    assert_eq!(origin.only_request().body, b"first,second");
}
