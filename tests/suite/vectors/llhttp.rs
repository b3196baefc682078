//! The test cases of `nodejs/llhttp`: what the most used HTTP/1 parser refuses, the gateway refuses too.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatewright_tests::raw_origin::read_head;
use gatewright_tests::{Origin, RawClient, RawOrigin, TestGateway};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{data, send};
use crate::setup::passing;

struct Case {
    title: String,
    bytes: Vec<u8>,
    /// The code and text of llhttp's error; none for a message that it takes.
    error: Option<(u64, String)>,
    lenient: bool,
}

/// What llhttp refuses and HTTP does not: methods are an open list (RFC 9110, section 9.1).
const EXCEPTIONS: [&str; 2] = ["HTTP protocol and ANNOUNCE method", "Invalid method"];

/// llhttp's code for bytes after a message that said `Connection: close`: nothing is wrong with the message.
const CLOSED_CONNECTION: u64 = 5;
/// llhttp's codes for stopping because what follows is another protocol.
const UPGRADES: [u64; 2] = [22, 23];

#[test]
fn requests_that_llhttp_refuses_never_reach_the_origin_whole() {
    let Some(folder) = data("llhttp") else { return };
    let origin = Origin::saying("hello");
    let gateway = TestGateway::start(&passing(&origin.url()));
    let cases: Vec<_> = cases(&folder, "request")
        .into_iter()
        .filter(|case| case.error.is_some())
        .collect();
    assert!(cases.len() >= 70, "only {} cases", cases.len());
    let mut mistakes = Vec::new();
    for case in &cases {
        let fate = send(&gateway, &origin, &with_host(&case.bytes));
        let right = match case.error.as_ref().map(|(code, _)| *code) {
            Some(CLOSED_CONNECTION) => fate.forwarded.len() <= 1,
            // What follows the request never is another protocol here: the origin is not asked to change it.
            Some(code) if UPGRADES.contains(&code) => {
                fate.forwarded.len() <= 1
                    && fate
                        .forwarded
                        .iter()
                        .all(|request| !request.headers.contains_key("upgrade"))
            }
            _ => fate.is_refused() || EXCEPTIONS.contains(&case.title.as_str()) && fate.forwarded.len() == 1,
        };
        if !right {
            mistakes.push(format!("{} {:?}: {fate:?}", case.title, case.error));
        }
    }
    assert!(
        mistakes.is_empty(),
        "{} of {}:\n{}",
        mistakes.len(),
        cases.len(),
        mistakes.join("\n")
    );
}

#[test]
fn requests_that_llhttp_takes_are_answered_and_never_blamed_on_the_origin() {
    let Some(folder) = data("llhttp") else { return };
    let origin = Origin::saying("hello");
    let gateway = TestGateway::start(&passing(&origin.url()));
    for case in cases(&folder, "request").iter().filter(|case| case.error.is_none()) {
        let fate = send(&gateway, &origin, &with_host(&case.bytes));
        for response in &fate.responses {
            let fine = response.status < 500 || matches!(response.status, 501 | 505);
            assert!(fine, "{}: {fate:?}", case.title);
        }
    }
}

/// An upstream that answers every request with the bytes that are put in.
fn puppet() -> (RawOrigin, Arc<Mutex<Vec<u8>>>) {
    let answer = Arc::<Mutex<Vec<u8>>>::default();
    let said = Arc::clone(&answer);
    let origin = RawOrigin::start(move |mut socket| {
        let said = Arc::clone(&said);
        async move {
            read_head(&mut socket).await;
            let bytes = said.lock().unwrap().clone();
            let _ = socket.write_all(&bytes).await;
            let _ = socket.shutdown().await;
            let mut rest = [0; 1024];
            while matches!(socket.read(&mut rest).await, Ok(1..)) {}
        }
    });
    (origin, answer)
}

#[test]
fn responses_that_llhttp_refuses_are_502_or_break_off() {
    let Some(folder) = data("llhttp") else { return };
    let (origin, answer) = puppet();
    let gateway = TestGateway::start(&passing(&origin.url()));
    let cases: Vec<_> = cases(&folder, "response")
        .into_iter()
        .filter(|case| case.error.is_some())
        .collect();
    assert!(cases.len() >= 25, "only {} cases", cases.len());
    let mut mistakes = Vec::new();
    for case in &cases {
        answer.lock().unwrap().clone_from(&case.bytes);
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send("GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let response = client.try_read_response();
        let rest = client.read_to_end(Duration::from_secs(5));
        let right = match (&response, case.error.as_ref().map(|(code, _)| *code)) {
            (Ok(response), Some(CLOSED_CONNECTION)) => response.status < 500 && rest.is_empty(),
            (Ok(response), _) => response.status == 502 && rest.is_empty(),
            // It began well, and ended in a way that the client can see.
            (Err(error), _) => error.kind() == std::io::ErrorKind::UnexpectedEof,
        };
        if !right {
            mistakes.push(format!(
                "{} {:?} {:?}: {response:?}",
                case.title,
                case.error,
                String::from_utf8_lossy(&case.bytes)
            ));
        }
    }
    assert!(
        mistakes.is_empty(),
        "{} of {}:\n{}",
        mistakes.len(),
        cases.len(),
        mistakes.join("\n")
    );
}

#[test]
fn responses_that_llhttp_takes_come_out_well_formed_or_not_at_all() {
    let Some(folder) = data("llhttp") else { return };
    let (origin, answer) = puppet();
    let gateway = TestGateway::start(&passing(&origin.url()));
    for case in cases(&folder, "response")
        .iter()
        .filter(|case| case.error.is_none() && !case.lenient)
    {
        answer.lock().unwrap().clone_from(&case.bytes);
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send("GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        match client.try_read_response() {
            Ok(_) => assert!(client.is_closed(), "{}: something follows the response", case.title),
            // The case ends before its body does.
            Err(error) => assert_eq!(
                error.kind(),
                std::io::ErrorKind::UnexpectedEof,
                "{}: {error}",
                case.title
            ),
        }
    }
}

fn cases(folder: &Path, kind: &str) -> Vec<Case> {
    let text = std::fs::read_to_string(folder.join("llhttp-vectors.json")).unwrap();
    let list: Vec<Value> = serde_json::from_str(&text).unwrap();
    let of_kind = |case: &&Value| case["file"].as_str().is_some_and(|file| file.starts_with(kind));
    list.iter().filter(of_kind).map(Case::new).collect()
}

impl Case {
    fn new(case: &Value) -> Self {
        let error = case["error"].as_array().map(|error| {
            let text = error[1].as_str().unwrap_or_default();
            (error[0].as_u64().unwrap_or_default(), text.to_owned())
        });
        Self {
            title: case["title"].as_str().unwrap_or_default().to_owned(),
            bytes: unescape(case["http"].as_str().unwrap_or_default()),
            error,
            lenient: case["meta"].as_str().is_some_and(|meta| meta.contains("lenient")),
        }
    }
}

/// As llhttp's own tests read their Markdown: a line's end is CRLF unless it is escaped, and `\r`, `\n` and so on are
/// what they stand for.
fn unescape(text: &str) -> Vec<u8> {
    // In one case two blocks were taken for one; the second is the one that has the error.
    let text = text.rsplit("```http\n").next().unwrap_or_default();
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.replace("\\\n", "").replace('\n', "\r\n");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        let (value, tail) = match rest {
            [b'\\', b'r', tail @ ..] => (b'\r', tail),
            [b'\\', b'n', tail @ ..] => (b'\n', tail),
            [b'\\', b't', tail @ ..] => (b'\t', tail),
            [b'\\', b'f', tail @ ..] => (0x0c, tail),
            [b'\\', b'x', high, low, tail @ ..] => {
                let digits = String::from_utf8_lossy(&[*high, *low]).into_owned();
                (u8::from_str_radix(&digits, 16).unwrap_or(b'?'), tail)
            }
            _ => (*byte, tail),
        };
        bytes.push(value);
        rest = tail;
    }
    bytes
}

/// Most cases have no `Host`, for which alone they would be refused.
fn with_host(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let end = bytes.windows(2).position(|pair| pair == b"\r\n");
    match end {
        Some(end) if !text.contains("\nhost") => {
            let (first, rest) = bytes.split_at(end + 2);
            [first, b"Host: localhost\r\n", rest].concat()
        }
        _ => bytes.to_vec(),
    }
}
