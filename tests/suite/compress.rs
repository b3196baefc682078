//! The stages `compress` and `decompress` end to end: clients get what they accept, streams keep flowing, and what becomes too
//! much is stopped.

use std::io::{Read as _, Write as _};

use bytes::Bytes;
use gatewright_tests::{
    Certificates, H2Client, Origin, RawClient, RawResponse, TestGateway, channel, empty, full, http, with_trailers,
};
use http::{HeaderMap, Request, Response};

use crate::setup::routed;

fn gateway(origin: &Origin, chain: &str) -> TestGateway {
    TestGateway::start(&routed(
        &origin.url(),
        &format!(
            "[[route]]\nname = \"all\"\npath = \"/{{rest+}}\"\nchain = [{chain}]\nintegration = {{ http = \"app\" }}\n"
        ),
    ))
}

fn text() -> String {
    (0..2000).map(|number| format!("line {number}\n")).collect()
}

/// Answers with this text, and with the fields that the request names in `x-say`, such as `etag: "a"`.
fn saying() -> Origin {
    Origin::start(|request| async move {
        let mut response = Response::new(full(text()));
        let fields = request.headers().get_all("x-say").iter();
        let fields: Vec<_> = fields.filter_map(|said| said.to_str().ok()?.split_once(": ")).collect();
        response
            .headers_mut()
            .insert("content-type", "text/plain; charset=utf-8".parse().unwrap());
        for (name, value) in fields {
            if name == "status" {
                *response.status_mut() = value.parse().unwrap();
            } else {
                let name: http::HeaderName = name.parse().unwrap();
                response.headers_mut().insert(name, value.parse().unwrap());
            }
        }
        response
    })
}

fn decoded(response: &RawResponse) -> Vec<u8> {
    let mut text = Vec::new();
    let body = response.body.as_slice();
    match response.header("content-encoding") {
        Some("gzip") => flate2::read::GzDecoder::new(body).read_to_end(&mut text).unwrap(),
        Some("br") => brotli::Decompressor::new(body, 4096).read_to_end(&mut text).unwrap(),
        Some("zstd") => zstd::Decoder::new(body).unwrap().read_to_end(&mut text).unwrap(),
        other => panic!("{other:?}"),
    };
    text
}

fn ask(gateway: &TestGateway, method: &str, accepts: &str, say: &[&str]) -> RawResponse {
    let mut fields = vec![("accept-encoding", accepts)];
    fields.extend(say.iter().map(|said| ("x-say", *said)));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.request(method, "/a", &fields, b"")
}

#[test]
fn a_client_gets_the_coding_that_it_likes_best_with_every_level() {
    let origin = saying();
    for level in ["fast", "balanced", "small"] {
        let gateway = gateway(&origin, &format!("{{ use = \"compress\", level = \"{level}\" }}"));
        for (accepts, coding) in [("gzip, br, zstd", "zstd"), ("gzip;q=0.8, br", "br"), ("gzip", "gzip")] {
            let response = ask(&gateway, "GET", accepts, &["etag: \"v1\"", "accept-ranges: bytes"]);
            assert_eq!(response.header("content-encoding"), Some(coding), "{accepts}");
            assert_eq!(decoded(&response), text().as_bytes());
            assert!(
                response.body.len() < text().len() / 2,
                "{coding}: {}",
                response.body.len()
            );
            assert_eq!(response.header_values("vary"), ["accept-encoding"]);
            assert_eq!(response.header("etag"), Some("W/\"v1\""));
            assert_eq!(
                (response.header("content-length"), response.header("accept-ranges")),
                (None, None)
            );
        }
    }
}

#[test]
fn what_must_not_be_compressed_is_left_alone() {
    let origin = saying();
    let gateway = gateway(&origin, "{ use = \"compress\", codings = [\"gzip\"] }");
    for (accepts, say) in [
        ("identity", vec![]),
        ("br, gzip;q=0", vec![]),
        ("gzip", vec!["content-type: image/png"]),
        ("gzip", vec!["cache-control: public, No-Transform"]),
        ("gzip", vec!["content-encoding: br"]),
        ("gzip", vec!["status: 206", "content-range: bytes 0-9/100"]),
    ] {
        let response = ask(&gateway, "GET", accepts, &say);
        assert_eq!(response.body, text().as_bytes(), "{accepts} {say:?}");
        assert_eq!(
            response.header("content-length"),
            Some(text().len().to_string().as_str())
        );
        // Who would get something else is told.
        let varies = response.header("vary").is_some();
        assert_eq!(varies, say.is_empty(), "{accepts} {say:?}");
    }
    let head = ask(&gateway, "HEAD", "gzip", &[]);
    assert_eq!(
        (head.header("content-encoding"), head.header("vary")),
        (Some("gzip"), Some("accept-encoding")),
        "as in answer to GET"
    );
    for status in ["status: 204", "status: 304"] {
        assert_eq!(
            ask(&gateway, "GET", "gzip", &[status]).header("content-encoding"),
            None,
            "{status}"
        );
    }
    let short = Origin::start(|_| async {
        let mut response = Response::new(full("short"));
        response
            .headers_mut()
            .insert("content-type", "text/plain".parse().unwrap());
        response
    });
    let gateway = self::gateway(&short, "{ use = \"compress\" }");
    assert_eq!(ask(&gateway, "GET", "gzip", &[]).body, b"short");
}

#[test]
fn chunks_of_a_stream_do_not_wait_for_the_next_one_and_trailers_are_kept() {
    for coding in ["gzip", "br", "zstd"] {
        let (sender, body) = channel();
        let body = std::sync::Mutex::new(Some(body));
        let origin = Origin::start(move |_| {
            let body = body.lock().unwrap().take().unwrap();
            async move {
                let mut response = Response::new(body);
                response
                    .headers_mut()
                    .insert("content-type", "text/event-stream".parse().unwrap());
                response
            }
        });
        let gateway = gateway(&origin, "{ use = \"compress\" }");
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send(format!(
            "GET /a HTTP/1.1\r\nhost: a\r\naccept-encoding: {coding}\r\n\r\n"
        ));
        let head = client.read_response_to_head();
        assert_eq!(head.header("content-encoding"), Some(coding));
        for event in ["data: one\n\n", "data: two\n\n"] {
            sender.send(Ok(Bytes::from(event))).unwrap();
            // Nothing more is sent until something of it has come.
            assert!(
                client.read_some().is_some_and(|bytes| !bytes.is_empty()),
                "{coding} {event}"
            );
        }
        drop(sender);
        assert!(client.read_some().is_some());
    }
    let origin = Origin::start(|_| async {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "42".parse().unwrap());
        let mut response = Response::new(with_trailers("hello hello hello", trailers));
        response
            .headers_mut()
            .insert("content-type", "text/plain".parse().unwrap());
        response.headers_mut().insert("trailer", "x-sum".parse().unwrap());
        response
    });
    let gateway = gateway(&origin, "{ use = \"compress\", minimum = \"0B\" }");
    let fields = [("accept-encoding", "gzip"), ("te", "trailers"), ("connection", "te")];
    let response = http(gateway.addr("public"), "GET", "/a", &fields, b"");
    assert_eq!(decoded(&response), b"hello hello hello");
    assert_eq!(response.trailers, [("x-sum".to_owned(), "42".to_owned())]);
}

fn packed(coding: &str, text: &[u8]) -> Vec<u8> {
    match coding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        "br" => {
            let mut packed = Vec::new();
            brotli::CompressorWriter::new(&mut packed, 4096, 9, 22)
                .write_all(text)
                .unwrap();
            packed
        }
        _ => zstd::encode_all(text, 19).unwrap(),
    }
}

fn post(gateway: &TestGateway, coding: &str, body: &[u8]) -> RawResponse {
    let fields = [("content-encoding", coding), ("content-type", "text/plain")];
    http(gateway.addr("public"), "POST", "/a", &fields, body)
}

#[test]
fn a_request_reaches_the_upstream_without_its_coding() {
    let origin = Origin::saying("ok");
    let gateway = gateway(&origin, "{ use = \"decompress\" }");
    let text = text();
    for coding in ["gzip", "deflate", "br", "zstd"] {
        assert_eq!(
            post(&gateway, coding, &packed(coding, text.as_bytes())).status,
            200,
            "{coding}"
        );
    }
    // Members of gzip may follow each other.
    let twice = [packed("gzip", b"one "), packed("gzip", b"two")].concat();
    assert_eq!(post(&gateway, "x-gzip", &twice).status, 200);
    let requests = origin.requests();
    for request in &requests[..4] {
        assert_eq!(request.body, text.as_bytes());
        assert!(!request.headers.contains_key("content-encoding") && !request.headers.contains_key("content-length"));
    }
    assert_eq!(requests[4].body, b"one two");
}

#[test]
fn c20_what_becomes_too_much_or_cannot_be_decoded_is_refused() {
    let origin = Origin::saying("ok");
    let gateway = gateway(&origin, "{ use = \"decompress\", body = \"1MiB\", ratio = 50 }");
    let zeros = vec![b'0'; 64 << 20];
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let bomb = post(&gateway, coding, &packed(coding, &zeros));
        assert_eq!(
            (bomb.status, bomb.error()),
            (413, Some("REQUEST_TOO_LARGE")),
            "{coding}"
        );
        // Below the size, and above the ratio.
        let thin = post(&gateway, coding, &packed(coding, &zeros[..512 << 10]));
        assert_eq!(
            (thin.status, thin.error()),
            (413, Some("REQUEST_TOO_LARGE")),
            "{coding}"
        );
        let whole = packed(coding, text().as_bytes());
        for broken in [
            &whole[..whole.len() / 2],
            b"this is nothing of the kind",
            &[whole.as_slice(), b"more"].concat(),
        ] {
            let refused = post(&gateway, coding, broken);
            assert_eq!(
                (refused.status, refused.error()),
                (400, Some("BAD_REQUEST_BODY")),
                "{coding}"
            );
        }
    }
    for coding in ["compress", "gzip, gzip"] {
        let refused = post(&gateway, coding, b"x");
        assert_eq!(
            (refused.status, refused.error()),
            (415, Some("UNSUPPORTED_MEDIA_TYPE")),
            "{coding}"
        );
        assert_eq!(refused.header("accept-encoding"), Some("gzip, deflate, br, zstd"));
    }
    assert!(origin.requests().iter().all(|request| !request.complete));
}

#[test]
fn a_response_is_decoded_and_encoded_anew_and_breaks_off_when_it_becomes_too_much() {
    let origin = Origin::start(|request| async move {
        let body = match request.uri().path() {
            "/bomb" => vec![b'0'; 8 << 20],
            _ => text().into_bytes(),
        };
        let mut response = Response::new(full(packed("gzip", &body)));
        response
            .headers_mut()
            .insert("content-encoding", "gzip".parse().unwrap());
        response
            .headers_mut()
            .insert("content-type", "text/plain".parse().unwrap());
        response
    });
    let gateway = gateway(
        &origin,
        "{ use = \"compress\", codings = [\"br\"] }, { use = \"decompress\", request = false, response = true, body = \"1MiB\" }",
    );
    let response = ask(&gateway, "GET", "br", &[]);
    assert_eq!(response.header("content-encoding"), Some("br"));
    assert_eq!(decoded(&response), text().as_bytes());
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /bomb HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(client.try_read_response().is_err(), "it breaks off");
    let record = gateway.wait_for_records(2).remove(1);
    assert_eq!(
        (&record["outcome"], &record["error"]),
        (&"failed".into(), &"INTEGRATION_FAILURE".into())
    );
}

#[test]
fn a_response_that_was_compressed_and_came_whole_is_answered_in_log_and_metrics() {
    let certificates = Certificates::new();
    let origin = Origin::start(|request| async move {
        let body = match request.uri().path() {
            "/sized" => full(text()),
            "/trailers" => with_trailers(
                text(),
                HeaderMap::from_iter([("x-sum".parse().unwrap(), "1".parse().unwrap())]),
            ),
            _ => {
                let (sender, body) = channel();
                let _ = sender.send(Ok(Bytes::from(text())));
                body
            }
        };
        let response = Response::builder().header("content-type", "text/plain");
        response.header("cache-control", "max-age=60").body(body).unwrap()
    });
    let routes = ["sized", "chunked", "trailers"].map(|name| {
        format!(
            "[[route]]\nname = \"{name}\"\npath = \"/{name}\"\n\
             chain = [{{ use = \"compress\" }}, {{ use = \"cache\" }}]\nintegration = {{ http = \"app\" }}\n"
        )
    });
    let tls = format!(
        "[listener.tls]\naddress = \"127.0.0.1:0\"\ntls = {{ certificate = \"{}\", key = \"{}\" }}\n",
        certificates.path("server.pem"),
        certificates.path("server.key")
    );
    let gateway = TestGateway::start(&(tls + &routed(&origin.url(), &routes.concat())));
    let mut asked = 0;
    for coding in ["gzip", "br", "zstd"] {
        for path in ["/sized", "/chunked", "/trailers"] {
            let fields = [("accept-encoding", coding), ("te", "trailers")];
            let response = http(gateway.addr("public"), "GET", path, &fields, b"");
            assert_eq!(decoded(&response), text().as_bytes(), "{coding} {path}");
            let mut tls = RawClient::connect_tls(gateway.addr("tls"), certificates.client(&["http/1.1"])).unwrap();
            assert_eq!(tls.request("GET", path, &fields, b"").status, 200);
            let request = || {
                let request = Request::get(format!("http://localhost{path}")).header("accept-encoding", coding);
                request.body(empty()).unwrap()
            };
            let mut http2 = H2Client::connect(gateway.addr("public"));
            assert_eq!(http2.send(request()).unwrap().status, 200);
            let mut both = H2Client::connect_tls(gateway.addr("tls"), certificates.client(&["h2"])).unwrap();
            assert_eq!(both.send(request()).unwrap().status, 200);
            asked += 4;
        }
    }
    let records = gateway.wait_for_records(asked);
    assert!(records.iter().any(|record| record["cache"] == "hit"));
    for record in records {
        assert_eq!(
            (&record["status"], &record["outcome"]),
            (&200.into(), &"answered".into()),
            "{record}"
        );
    }
    assert_eq!(
        gateway.metric("gatewright_requests_total{outcome=\"answered\"}"),
        f64::from(asked as u32)
    );
}

/// Answers with the tag `"v1"`, and 304 to whoever has it; what does not name it in `If-Match` as it is gets 412.
fn tagged() -> Origin {
    Origin::start(|request| async move {
        let named = |name: &str| {
            request
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        let has = named("if-none-match").is_some_and(|tags| tags.contains("\"v1\""));
        let wrong = named("if-match").is_some_and(|tags| tags != "\"v1\"");
        let response = Response::builder()
            .header("etag", "\"v1\"")
            .header("cache-control", "max-age=60");
        match (has, wrong) {
            (true, _) => response.status(304).body(empty()).unwrap(),
            (_, true) => response.status(412).body(empty()).unwrap(),
            _ => response
                .header("content-type", "text/plain")
                .body(full(text()))
                .unwrap(),
        }
    })
}

#[test]
fn an_answer_without_a_body_has_the_tag_that_it_would_have_with_one() {
    let origin = tagged();
    for chain in [
        "{ use = \"compress\" }",
        "{ use = \"compress\" }, { use = \"cache\" }",
        "{ use = \"cache\" }, { use = \"compress\" }",
        "{ use = \"body\", response = { template = \"x\", content_type = \"text/plain\" } }, { use = \"compress\" }",
    ] {
        let gateway = gateway(&origin, chain);
        let ask = |method: &str, fields: &[(&str, &str)]| http(gateway.addr("public"), method, "/a", fields, b"");
        let weak = Some("W/\"v1\"");
        assert_eq!(
            ask("GET", &[("accept-encoding", "gzip")]).header("etag"),
            weak,
            "{chain}"
        );
        assert_eq!(
            ask("HEAD", &[("accept-encoding", "gzip")]).header("etag"),
            weak,
            "{chain}"
        );
        for _ in 0..2 {
            let fields = [("accept-encoding", "gzip"), ("if-none-match", "W/\"v1\"")];
            let unchanged = ask("GET", &fields);
            assert_eq!((unchanged.status, unchanged.header("etag")), (304, weak), "{chain}");
            assert!(unchanged.header_values("vary").contains(&"accept-encoding"), "{chain}");
        }
    }
    // Who has it as it came has the strong tag.
    let gateway = gateway(&origin, "{ use = \"compress\" }");
    let plain = http(gateway.addr("public"), "GET", "/a", &[("if-none-match", "\"v1\"")], b"");
    assert_eq!((plain.status, plain.header("etag")), (304, Some("\"v1\"")));
    assert_eq!(plain.header_values("vary"), ["accept-encoding"]);
}

#[test]
fn who_was_given_a_weak_tag_by_the_gateway_can_change_what_it_has() {
    let origin = tagged();
    for chain in [
        "{ use = \"compress\" }",
        "{ use = \"decompress\", response = true }",
        "{ use = \"body\", response = { template = \"1\" } }",
    ] {
        let gateway = gateway(&origin, chain);
        let put = |tag: &str| http(gateway.addr("public"), "PUT", "/a", &[("if-match", tag)], b"new").status;
        assert_eq!(
            (put("W/\"v1\""), put("\"v1\""), put("W/\"v0\"")),
            (200, 200, 412),
            "{chain}"
        );
    }
}

#[test]
fn weak_tags_of_the_upstream_itself_are_passed_on_as_they_are() {
    let origin = Origin::start(|request| async move {
        let named = request.headers().get("if-match").cloned();
        let response = Response::builder().header("etag", "W/\"v1\"");
        match named {
            Some(tag) if tag != "W/\"v1\"" => response.status(412).body(empty()).unwrap(),
            _ => response
                .header("content-type", "text/plain")
                .body(full(text()))
                .unwrap(),
        }
    });
    // Another route to the same upstream, with two stages that make weak tags.
    let routes = [("read", "GET"), ("write", "PUT")].map(|(name, method)| {
        format!(
            "[[route]]\nname = \"{name}\"\npath = \"/a\"\nmethods = [\"{method}\"]\n\
             chain = [{{ use = \"compress\" }}, {{ use = \"decompress\", response = true }}]\nintegration = {{ http = \"app\" }}\n"
        )
    });
    let gateway = TestGateway::start(&routed(&origin.url(), &routes.concat()));
    let read = http(gateway.addr("public"), "GET", "/a", &[("accept-encoding", "gzip")], b"");
    let tag = read.header("etag").unwrap();
    assert_eq!(tag, "W/\"v1\"");
    let write = http(gateway.addr("public"), "PUT", "/a", &[("if-match", tag)], b"new");
    assert_eq!(write.status, 200);
}
