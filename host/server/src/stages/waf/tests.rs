//! What is found where; what is not.

use gatewright_config::{ByteSize, WafExclusion, WafPart, WafPlace};

use super::*;
use crate::codings::Coded;

fn config() -> WafConfig {
    WafConfig {
        mode: WafMode::Detect,
        headers: Vec::new(),
        body_bytes: ByteSize(64 << 10),
        larger: WafLarger::Refuse,
        parameters: 16,
        value_bytes: ByteSize(1 << 10),
        depth: 8,
        exclude: Vec::new(),
    }
}

fn said(inspection: Inspection<'_>) -> String {
    let said: Vec<_> = inspection.end().0.iter().map(ToString::to_string).collect();
    said.join("; ")
}

fn query(text: &str) -> String {
    let config = config();
    let mut inspection = Inspection::new(&config, "/");
    inspection.query(text.as_bytes());
    said(inspection)
}

fn body_with(config: &WafConfig, content_type: &str, bytes: impl Into<Bytes>, complete: bool) -> String {
    let mut headers = http::HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
    let kind = Kind::of(&headers).unwrap();
    let mut inspection = Inspection::new(config, "/");
    let piece = body::Piece {
        bytes: bytes.into(),
        complete,
        coded: Coded::Plain,
    };
    body::inspect(&mut inspection, &kind, piece);
    said(inspection)
}

fn body_of(content_type: &str, bytes: impl Into<Bytes>) -> String {
    body_with(&config(), content_type, bytes, true)
}

#[test]
fn what_is_injected_is_found_under_its_name_however_it_is_encoded() {
    for (text, expected) in [
        ("q=hello+world&page=2", ""),
        ("q=1'+or+'1'%3D'1", "sqli at query:q (s&sos)"),
        ("q=%253Cscript%253E", "xss at query:q"),
        ("q=%26lt%3Bscript%26gt%3B", "xss at query:q"),
        ("q=%26%2360%3Bscript%3E", "xss at query:q"),
        ("%3Cscript%3E=1", "xss at query:<script>"),
        ("q=see+x/*", ""),
    ] {
        assert_eq!(query(text), expected, "{text}");
    }
}

#[test]
fn what_no_careful_client_sends_is_found() {
    assert_eq!(query("q=100%"), "percent-encoding at query:q");
    assert_eq!(query("q=%zz"), "percent-encoding at query:q");
    assert_eq!(query("q=a%00b"), "control-character at query:q");
    assert_eq!(query("q=%ff"), "utf8 at query:q");
    assert_eq!(query(&"a&".repeat(16)), "");
    assert_eq!(query(&"a&".repeat(17)), "parameter-count at query");
    assert_eq!(query(&format!("q={}", "a".repeat(1025))), "value-length at query:q");
}

#[test]
fn what_the_access_log_is_told_has_no_value_and_a_short_name() {
    let long = "n".repeat(1000);
    let said = query(&format!("{long}=%3Cscript%3Ealert('secret')%3C/script%3E"));
    assert!(said.len() < 100 && !said.contains("secret"), "{said}");
    assert_eq!(query("a%0a=%00"), "control-character at query:a\\n");
}

#[test]
fn strings_of_json_are_named_by_their_keys() {
    let json = |text: &str| body_of("application/json; charset=utf-8", text.to_owned());
    assert_eq!(json(r#"{"a":[1,{"b":"plain"}],"c":"x"}"#), "");
    assert_eq!(json(r#"{"a":[1,{"b":"<script>"}],"c":"x"}"#), "xss at body:a.b");
    assert_eq!(json(r#"{"a":"\u003cscript\u003e"}"#), "xss at body:a");
    assert_eq!(json(r#"{"a":{"b":1},"c":"<script>"}"#), "xss at body:c");
    assert_eq!(json(r#"{"a":"\ud83d\ude00 \ud83d"}"#), "");
    assert_eq!(json(r#"{"a":"x""#), "body-syntax at body");
    assert_eq!(json("\u{feff}{}"), "body-syntax at body");
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert_eq!(json(&deep), "body-syntax at body");
}

#[test]
fn the_start_of_a_longer_body_is_read_as_far_as_it_goes() {
    let mut config = config();
    config.larger = WafLarger::InspectStart;
    let start = |content_type, text: &'static str| body_with(&config, content_type, text, false);
    assert_eq!(start("application/json", r#"{"a":"<script>al"#), "xss at body:a");
    assert_eq!(start("application/json", r#"{"a":"pla"#), "");
    assert_eq!(start("text/xml", "<a><b>pla"), "");
    assert_eq!(start("text/xml", "<a><b>&lt;script>"), "xss at body:b");
    let form = "--x\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\n<script>";
    assert_eq!(start("multipart/form-data; boundary=x", form), "xss at body:q");
}

#[test]
fn fields_of_forms_with_files_are_inspected_and_files_are_not() {
    let form = |text: &str| body_of("multipart/form-data; boundary=\"x\"", text.to_owned());
    let part = |disposition: &str, content: &str| {
        format!("--x\r\ncontent-disposition: form-data; {disposition}\r\n\r\n{content}\r\n")
    };
    let plain = part("name=\"a\"", "hello") + &part("name=f; filename=\"x.html\"", "<script>") + "--x--\r\n";
    assert_eq!(form(&plain), "");
    assert_eq!(form(&(part("name=\"a;b\"", "<script>") + "--x--")), "xss at body:a;b");
    let named = part("name=f; filename=\"<script>\"", "") + "--x--";
    assert_eq!(form(&named), "xss at body:f");
    for wrong in [
        String::new(),
        "--y\r\n\r\n--y--".to_owned(),
        format!("preamble\r\n{plain}"),
        plain.replace("\r\n", "\n"),
        part("name=a", "no end"),
        part("name=a\r\ncontent-disposition: form-data; name=b", "") + "--x--",
        "--x\r\n\r\nno name\r\n--x--".to_owned(),
    ] {
        assert_eq!(form(&wrong), "body-syntax at body", "{wrong}");
    }
    assert_eq!(body_of("multipart/form-data", plain), "body-syntax at body");
}

#[test]
fn xml_is_read_without_document_types() {
    let xml = |text: &str| body_of("application/soap+xml", text.to_owned());
    assert_eq!(xml("<?xml version=\"1.0\"?><a b='c'>d &amp; e</a>"), "");
    assert_eq!(xml("<a><b c=\"&lt;script>\"/></a>"), "xss at body:c");
    assert_eq!(xml("<a><![CDATA[<script>]]></a>"), "xss at body:a");
    for wrong in [
        "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
        "<a>&b;</a>",
        "<a>",
        "<a></b>",
    ] {
        assert_eq!(xml(wrong), "body-syntax at body", "{wrong}");
    }
    assert_eq!(xml(&"<a>".repeat(100_000)), "body-syntax at body");
}

#[test]
fn what_cannot_be_read_is_said_and_what_is_no_text_is_not_looked_into() {
    assert_eq!(
        body_of("application/json; charset=utf-16", "{}"),
        "body-encoding at body"
    );
    for content_type in ["image/png", "application/octet-stream", "application/grpc"] {
        let mut headers = http::HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        assert_eq!(Kind::of(&headers), None, "{content_type}");
    }
    assert_eq!(body_of("", "{\"a\":\"<script>\"}"), "xss at body:a");
}

#[test]
fn an_exclusion_is_for_its_rule_its_place_and_its_path() {
    let place = WafPlace {
        part: WafPart::Query,
        name: Some("q".to_owned()),
    };
    let mut config = config();
    config.exclude = vec![WafExclusion {
        rule: WafRule::Xss,
        at: vec![place],
        path: Some("/search".to_owned()),
    }];
    let found = |path: &str, text: &str| {
        let mut inspection = Inspection::new(&config, path);
        inspection.query(text.as_bytes());
        said(inspection)
    };
    assert_eq!(found("/search/more", "q=<script>"), "");
    assert_eq!(found("/searching", "q=<script>"), "xss at query:q");
    assert_eq!(found("/search", "p=<script>"), "xss at query:p");
    assert_eq!(found("/search", "q=1'+or+'1'='1"), "sqli at query:q (s&sos)");
}
