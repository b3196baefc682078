//! G8: a hundred reloads under load lose no request and no memory.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use gatewright_tests::{Origin, RawClient, RawResponse, TestFiles, TestProcess, http};

use super::numbered;
use crate::memory::{open_files, resident_bytes};

/// What a hundred reloads may leave behind, as allocators do.
const SLACK: usize = 12 << 20;

fn config(number: usize, upstream: &str) -> String {
    // A listener that comes and goes, and an upstream that is another one each time.
    let more = if number.is_multiple_of(2) {
        "[listener.more]\naddress = \"127.0.0.1:0\"\n"
    } else {
        ""
    };
    format!(
        "{more}{}[upstream.app]\ntargets = [{{ url = \"{upstream}/{number}\" }}]\n[[route]]\nname = \"app\"\npath = \"/app\"\n\
         [route.integration]\nhttp = \"app\"\nheaders = {{ x-number = \"{number}\" }}\n",
        numbered(number)
    )
}

fn reload(process: &TestProcess, files: &TestFiles, text: &str) -> RawResponse {
    // `write_config` completes it in another folder with the same name for the log, so that only its text counts.
    let path = files.write_config(text);
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.replace(&files.dir().display().to_string(), &process.dir().display().to_string());
    std::fs::write(process.dir().join("next"), text).unwrap();
    std::fs::rename(process.dir().join("next"), process.dir().join("gateway.toml")).unwrap();
    http(process.admin(), "POST", "/reload", &[], b"")
}

/// Asks until told to stop. Every answer must be whole, and none older than the one before.
fn ask(addr: SocketAddr, done: &AtomicBool, requests: &AtomicUsize, keep: bool) {
    let mut client = RawClient::connect(addr);
    let mut last = 0;
    while !done.load(Ordering::SeqCst) {
        if !keep {
            client = RawClient::connect(addr);
        }
        let response = client.request("GET", "/number", &[], b"");
        assert_eq!(response.status, 200, "{response:?}");
        let number: usize = response.text().parse().unwrap();
        assert_eq!(
            response.header("x-number"),
            Some(response.text().as_str()),
            "half of another configuration"
        );
        assert!(number >= last, "{number} after {last}");
        last = number;
        let response = client.request("POST", "/app", &[], b"body");
        assert_eq!(response.status, 200, "{response:?}");
        let (field, path) = response
            .text()
            .split_once(' ')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        assert_eq!(
            path,
            format!("/{field}/app"),
            "the path of one configuration and the field of another"
        );
        requests.fetch_add(2, Ordering::SeqCst);
    }
}

#[test]
fn g8_a_hundred_reloads_under_load_cost_no_request_and_no_memory() {
    let origin = Origin::start(|request| async move {
        let field = request.headers()["x-number"].to_str().unwrap().to_owned();
        http::Response::new(gatewright_tests::full(format!("{field} {}", request.uri().path())))
    });
    let files = TestFiles::default();
    let process = TestProcess::start(&config(0, &origin.url()));
    let addr = process.addr("public");
    let (done, requests) = (AtomicBool::new(false), AtomicUsize::new(0));
    let started = Instant::now();
    let mut before = (0, 0);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (done, requests) = (&done, &requests);
            scope.spawn(move || {
                // If one fails, the others need not go on.
                let stop = StopOnPanic(done);
                ask(addr, done, requests, thread % 2 == 0);
                std::mem::forget(stop);
            });
        }
        for number in 1..=100 {
            if done.load(Ordering::SeqCst) {
                return;
            }
            if number == 21 {
                // By now everything is there that is made once.
                before = (resident_bytes(process.pid()), open_files(process.pid()));
            }
            let response = reload(&process, &files, &config(number, &origin.url()));
            assert_eq!(response.status, 200, "{}", response.text());
        }
        done.store(true, Ordering::SeqCst);
    });
    let requests = requests.load(Ordering::SeqCst);
    let after = gatewright_tests::eventually("descriptors come back", || {
        let after = (resident_bytes(process.pid()), open_files(process.pid()));
        (after.1 <= before.1 + 16).then_some(after)
    });
    println!(
        "g8: 100 reloads under {requests} requests in {:?}; memory {} -> {} KiB, descriptors {} -> {}",
        started.elapsed(),
        before.0 / 1024,
        after.0 / 1024,
        before.1,
        after.1
    );
    assert!(requests > 200, "{requests}");
    assert!(
        after.0 < before.0 + SLACK,
        "memory grew from {} to {} bytes",
        before.0,
        after.0
    );
}

struct StopOnPanic<'d>(&'d AtomicBool);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
