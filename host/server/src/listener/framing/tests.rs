//! What the scanner takes, and what it calls a violation, however the bytes are cut.

use super::*;

fn scan(side: Side, text: &str) -> Result<u64, Violation> {
    let mut results = Vec::new();
    // However the bytes are cut, the verdict is the same.
    for size in [1, 3, 7, usize::MAX] {
        let mut scanner = Scanner::new(side, 16384);
        if side == Side::Responses {
            scanner.expect_response(false);
        }
        let result = text
            .as_bytes()
            .chunks(size.min(text.len()))
            .try_for_each(|piece| scanner.scan(piece));
        results.push(result.map(|()| scanner.heads()));
    }
    assert!(
        results.windows(2).all(|pair| pair[0] == pair[1]),
        "{text:?}: {results:?}"
    );
    results[0]
}

fn request(text: &str) -> Result<u64, Violation> {
    scan(Side::Requests, text)
}

#[test]
fn pipelined_requests_with_every_kind_of_body_are_counted() {
    let text = "GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc\
                POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n0\r\nA: b\r\n\r\n\
                GET / HTTP/1.1\r\n\r\n";
    assert_eq!(request(text), Ok(4));
}

#[test]
fn what_looks_like_a_head_within_a_body_is_not_one() {
    assert_eq!(request("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nA\nB: "), Ok(1));
}

#[test]
fn lines_end_in_crlf() {
    assert_eq!(request("GET / HTTP/1.1\nHost: a\r\n\r\n"), Err(Violation::BareLf));
    assert_eq!(request("GET / HTTP/1.1\r\nHost: a\n\r\n"), Err(Violation::BareLf));
    assert_eq!(request("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n"), Err(Violation::BareCr));
    assert_eq!(
        request("GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        Err(Violation::FoldedLine)
    );
    assert_eq!(
        request("GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
        Err(Violation::MalformedField)
    );
}

#[test]
fn a_request_target_has_no_fragment() {
    assert_eq!(request("GET /a#b HTTP/1.1\r\n\r\n"), Err(Violation::Fragment));
}

#[test]
fn what_comes_before_a_violation_is_sound() {
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut scanner = Scanner::new(Side::Requests, 16384);
    let text = format!("{head}3\r\nabcX\r\n");
    assert_eq!(scanner.scan(text.as_bytes()), Err(Violation::BadChunkEnd));
    assert_eq!((scanner.sound(), scanner.violated_in_body()), (head.len() + 6, true));
}

#[test]
fn a_message_has_one_length() {
    let head = |fields: &str| request(&format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n"));
    assert_eq!(
        head("Content-Length: 1\r\nTransfer-Encoding: chunked"),
        Err(Violation::LengthAndTransferEncoding)
    );
    assert_eq!(
        head("Transfer-Encoding: chunked\r\nContent-Length: 1"),
        Err(Violation::LengthAndTransferEncoding)
    );
    assert_eq!(
        head("Content-Length: 1\r\nContent-Length: 1"),
        Err(Violation::RepeatedContentLength)
    );
    for value in ["+1", "-1", "1,1", "0x5", "", "1 1", "01", "00", "99999999999999999999"] {
        assert_eq!(
            head(&format!("Content-Length: {value}")),
            Err(Violation::BadContentLength),
            "{value}"
        );
    }
    for value in [
        "xchunked",
        "chunked, chunked",
        "chunked;a",
        ",chunked",
        "gzip, chunked",
        "\x0bchunked",
        "",
    ] {
        assert_eq!(
            head(&format!("Transfer-Encoding: {value}")),
            Err(Violation::BadTransferEncoding),
            "{value:?}"
        );
    }
}

#[test]
fn chunks_are_read_as_written() {
    let body = |body: &str| request(&format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{body}"));
    for size in ["", " 5", "g", "11111111111111111"] {
        assert_eq!(body(&format!("{size}\r\n")), Err(Violation::BadChunkSize), "{size:?}");
    }
    for size in [
        "0x5",
        "5_0",
        "5 ",
        "5 x",
        "5;",
        "5; ",
        "5;a\0b",
        "5;a=\"\u{1}\"",
        "5;a\u{7f}",
    ] {
        let result = body(&format!("{size}\r\n"));
        assert_eq!(result, Err(Violation::BadChunkExtension), "{size:?}");
    }
    assert_eq!(body("3\nabc\r\n"), Err(Violation::BareLf));
    assert_eq!(body("3;a\rb\r\nabc\r\n"), Err(Violation::BareCr));
    assert_eq!(
        body(&format!("3;{}\r\n", "a".repeat(5000))),
        Err(Violation::LongChunkExtension)
    );
    assert_eq!(body("3\r\nabcd\r\n"), Err(Violation::BadChunkEnd));
}

#[test]
fn chunks_of_responses_are_read_where_there_are_any() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let response = |text: &str| scan(Side::Responses, &format!("{head}{text}"));
    assert_eq!(response("3\r\nabc\r\n0\r\nA: b\r\n\r\n"), Ok(1));
    assert_eq!(response("3  \r\nabc\r\n0\r\n\r\n"), Err(Violation::BadChunkExtension));
    assert_eq!(response("3;a\0\r\nabc\r\n0\r\n\r\n"), Err(Violation::BadChunkExtension));
    let mut to_head = Scanner::new(Side::Responses, 16384);
    to_head.expect_response(true);
    assert_eq!(to_head.scan(format!("{head}what\never").as_bytes()), Ok(()));
    let not_modified = head.replace("200 OK", "304 Not Modified");
    assert_eq!(scan(Side::Responses, &format!("{not_modified}what\never")), Ok(1));
}

#[test]
fn responses_are_looked_at_until_their_head_ends() {
    let response = |text: &str| scan(Side::Responses, text);
    assert_eq!(
        response("HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\nany\nthing"),
        Ok(1)
    );
    assert_eq!(response("HTTP/1.1 101 Switching\r\n\r\n"), Err(Violation::BadStatus));
    assert_eq!(response("HTTP/1.1 600 Odd\r\n\r\n"), Err(Violation::BadStatus));
    assert_eq!(response("HTTP/1.1 99 Odd\r\n\r\n"), Err(Violation::BadStatus));
    assert_eq!(
        response(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(9)),
        Err(Violation::InterimFlood)
    );
    assert_eq!(
        response("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Err(Violation::LengthAndTransferEncoding)
    );
}
