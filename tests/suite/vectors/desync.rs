//! The test cases of `aws/http-desync-guardian`: requests that two servers could read differently, by tier.
//!
//! * *Severe*: refused with 400 or 501 and the connection closed, nothing forwarded.
//! * *Ambiguous*, *Acceptable*: refused in the same way, or forwarded once in the one shape that was read: the body that
//!   was sent, and the next request on the connection stays the next.
//! * *Compliant*: forwarded in that way, but for the exceptions that are listed here with their reason.

use std::path::Path;

use gatewright_tests::{Origin, TestGateway};
use serde_yaml_ng::Value;

use super::{Fate, data, send};
use crate::setup::passing;

/// Compliant requests that the gateway refuses, and why.
const EXCEPTIONS: [(&str, &str); 15] = [
    ("Correct TE OK", OTHER_CODING),
    ("Transfer-Encoding: identity and chunked OK", OTHER_CODING),
    (
        "Multiple transfer encoding headers in a single request OK",
        OTHER_CODING,
    ),
    ("TE with custom parameters OK", OTHER_CODING),
    ("Different Transfer-Encoding headers", OTHER_CODING),
    ("Different Transfer-Encoding headers combined", OTHER_CODING),
    ("Transfer-Encoding with a param: chunked;custom_param", OTHER_CODING),
    ("Valid custom header with tchar in name and obs-text", UNDERSCORE),
    ("Valid custom header with underscore in name", UNDERSCORE),
    (
        "Compliant URL",
        "a request target has no fragment (RFC 9112, section 3.2)",
    ),
    ("International in URI", "a path is ASCII, the rest percent-encoded (C7)"),
    ("Empty URI", "there is no target"),
    ("%09 in URI is OK", ENCODED_CONTROL),
    ("%0D in URI is OK", ENCODED_CONTROL),
    ("%0A in URI is OK", ENCODED_CONTROL),
];
const OTHER_CODING: &str = "no transfer coding but plain `chunked` is implemented (C2; RFC 9112, section 6.1: 501)";
const UNDERSCORE: &str = "many servers take `x_user` for `x-user` (C6)";
const ENCODED_CONTROL: &str = "a control character in a path is nobody's business (C7)";

struct Case {
    name: String,
    tier: String,
    head: Vec<u8>,
    body: &'static [u8],
    length: Option<usize>,
}

#[test]
fn severe_requests_are_refused_and_others_are_never_forwarded_in_another_shape() {
    let Some(folder) = data("http-desync-guardian") else {
        return;
    };
    let origin = Origin::saying("hello");
    let gateway = TestGateway::start(&passing(&origin.url()));
    let cases = cases(&folder);
    assert!(cases.len() >= 150, "only {} cases", cases.len());
    let mistakes: Vec<String> = cases.iter().filter_map(|case| judge(case, &gateway, &origin)).collect();
    assert!(
        mistakes.is_empty(),
        "{} of {}:\n{}",
        mistakes.len(),
        cases.len(),
        mistakes.join("\n")
    );
}

/// What is wrong with how a case was treated.
fn judge(case: &Case, gateway: &TestGateway, origin: &Origin) -> Option<String> {
    let fate = send(gateway, origin, &case.bytes());
    let excepted = EXCEPTIONS.iter().any(|(name, _)| *name == case.name);
    let right = match case.tier.as_str() {
        "Severe" => fate.is_refused_at_once(),
        "Compliant" if excepted => fate.is_refused_at_once(),
        "Compliant" => fate.is_forwarded(case),
        _ => fate.is_refused_at_once() || fate.is_forwarded(case),
    };
    let shown = || {
        let head = String::from_utf8_lossy(&case.head[..case.head.len().min(400)]).into_owned();
        let statuses: Vec<_> = fate.responses.iter().map(|response| response.status).collect();
        let targets: Vec<_> = fate.forwarded.iter().map(|request| &request.target).collect();
        format!(
            "{} `{}` {head:?}: {statuses:?}, forwarded {targets:?}",
            case.tier, case.name
        )
    };
    (!right).then(shown)
}

impl Case {
    fn new(case: &Value) -> Self {
        let text = |key: &str| scalar(&case[key]);
        let mut head = format!("{} {} {}\r\n", text("method"), text("uri"), text("version"));
        let (mut length, mut chunked, mut has_host) = (None, false, false);
        for header in case["headers"].as_sequence().into_iter().flatten() {
            let (name, value) = (scalar(&header["name"]), scalar(&header["value"]));
            head.push_str(&format!("{name}: {value}\r\n"));
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = length.or(value.trim().parse().ok()),
                "host" => has_host = true,
                other => chunked |= other.contains("transfer-encoding"),
            }
        }
        if !has_host {
            // The cases do not care, HTTP/1.1 does.
            let end_of_line = head.find("\r\n").unwrap_or_default() + 2;
            head.insert_str(end_of_line, "Host: localhost\r\n");
        }
        head.push_str("\r\n");
        Self {
            name: text("name"),
            tier: scalar(&case["expected"]["tier"]),
            head: head.into_bytes(),
            body: if chunked { b"5\r\nhello\r\n0\r\n\r\n" } else { b"" },
            length: if chunked { None } else { length },
        }
    }

    /// The request, and another one after it.
    fn bytes(&self) -> Vec<u8> {
        let next = b"GET /next HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        [&self.head[..], self.body, &vec![b'a'; self.length.unwrap_or(0)], next].concat()
    }

    /// The body that was meant, as far as that can be said.
    fn meant(&self) -> Vec<u8> {
        match self.length {
            Some(length) => vec![b'a'; length],
            None if self.body.is_empty() => Vec::new(),
            None => b"hello".to_vec(),
        }
    }
}

impl Fate {
    fn is_refused_at_once(&self) -> bool {
        self.is_refused() && self.responses.len() == 1 && self.forwarded.is_empty()
    }

    fn is_forwarded(&self, case: &Case) -> bool {
        let statuses: Vec<u16> = self.responses.iter().map(|response| response.status).collect();
        match self.forwarded.as_slice() {
            [request, next] => {
                statuses == [200, 200] && request.complete && request.body == case.meant() && next.target == "/next"
            }
            _ => false,
        }
    }
}

fn cases(folder: &Path) -> Vec<Case> {
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let list: Vec<Value> =
            serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        cases.extend(list.iter().map(Case::new));
    }
    cases
}

/// A text, or a number as it was written.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => serde_yaml_ng::to_string(other).unwrap().trim_end().to_owned(),
    }
}
