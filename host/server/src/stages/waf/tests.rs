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
        rules: Vec::new(),
        paranoia: None,
        threshold: None,
        exclude: Vec::new(),
    }
}

fn said(inspection: Inspection<'_>) -> String {
    let said: Vec<_> = inspection.end().0.iter().map(ToString::to_string).collect();
    said.join("; ")
}

fn query(text: &str) -> String {
    let config = config();
    let mut inspection = Inspection::new(&config, "/", Carried::default());
    inspection.query(text.as_bytes());
    said(inspection)
}

fn cookies(text: &str) -> String {
    let config = config();
    let mut inspection = Inspection::new(&config, "/", Carried::default());
    inspection.cookies(text.as_bytes());
    said(inspection)
}

fn body_with(config: &WafConfig, content_type: &str, bytes: impl Into<Bytes>, complete: bool) -> String {
    let mut headers = http::HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
    let kind = Kind::of(&headers).unwrap();
    let mut inspection = Inspection::new(config, "/", Carried::default());
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
fn a_value_that_is_decoded_again_is_read_as_forms_addresses_html_and_scripts_are() {
    for text in [
        "%3Cimg+src%3Dx+onerror%3Dalert(1)%3E",
        "<img+src=x+onerror=alert(1)>",
        "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
        "%u003cimg+src=x+onerror=alert(1)>",
        "&lt;img src=x onerror=alert(1)&gt;",
        "&ltimg src=x onerror=alert(1)&gt",
        "&#0000000000060;img src=x onerror=alert(1)>",
        r"\\u003cimg src=x onerror=alert(1)>",
        "\u{ff1c}img%EF%BC%9C%3Cimg+src=x+onerror=alert(1)>",
    ] {
        let json = format!("{{\"a\":\"{text}\"}}");
        assert_eq!(body_of("application/json", json), "xss at body:a", "{text}");
    }
    let json = |text: &str| body_of("application/json", format!("{{\"a\":\"{text}\"}}"));
    assert_eq!(json("1'+or+'1'%3D'1"), "sqli at body:a (s&sos)");
    assert_eq!(json("1%2527+or+%25271%2527%253D%25271"), "sqli at body:a (s&sos)");
    assert_eq!(cookies("a=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E"), "xss at cookie:a");
}

/// Numbers that look random and are the same in each run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % end
    }

    fn text(&mut self, alphabet: &str, length: usize) -> String {
        let alphabet = alphabet.as_bytes();
        (0..length)
            .map(|_| char::from(alphabet[self.below(alphabet.len())]))
            .collect()
    }
}

#[test]
fn random_ids_are_no_attacks_wherever_they_are() {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut numbers = Numbers(42);
    let config = config();
    let mut refused = |alphabet: &str, length: usize, count: usize| {
        let refused = (0..count).filter(|_| {
            let id = numbers.text(alphabet, length);
            let mut inspection = Inspection::new(&config, "/", Carried::default());
            inspection.cookies(format!("sid={}", id.replace([';', '%'], "")).as_bytes());
            inspection.value(WafPart::Body, b"id", id.as_bytes());
            let found = said(inspection);
            !found.is_empty()
        });
        refused.count()
    };
    assert_eq!(refused(&format!("{LETTERS}_-"), 21, 60_000), 0, "nanoids");
    assert_eq!(refused(&format!("{LETTERS}+/="), 24, 60_000), 0, "base64");
    assert_eq!(
        refused(&format!("{LETTERS}!@#$%^&*-_=+"), 16, 20_000),
        0,
        "letters, digits and some signs"
    );
    let signs = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    let found = refused(&format!("{LETTERS}{signs}"), 16, 20_000);
    assert!(found <= 2, "letters, digits and all signs: {found}");
}

#[test]
fn passwords_references_and_prose_are_no_attacks() {
    for harmless in [
        "abc!@#",
        "P@ssw0rd#1",
        "correct-horse;battery'staple",
        "Tr0ub4dor&3--",
        "TEST 0001 - (09/07/2025)",
        "INV 2024 # (12)",
        "12345||12345||12345",
        "612&&58566&&821760",
        "10 and 20 and 30",
        "1 or 2",
        "35% cotton and 65% polyester",
        "O'Brien & Sons",
        "James' and Anna's house",
        "say \"this\" or \"that\"",
        "the \"like\" button",
        "*** NEW *** (limited)",
        "C# and F# -- a comparison",
        "select one from the list where you like",
        "union of workers, select committee",
        "(030) 1234-5678",
        "-- \nBest regards, Ann",
        "x/*",
        "if (a) then b",
        "5' 10\" tall",
        "1611-IioXXIG1ti8rspL2vbXFy--",
        "I <3 you & me",
        "a <b and c> d?",
        "Côte d'or",
    ] {
        let json = serde_json::json!({ "a": harmless }).to_string();
        assert_eq!(body_of("application/json", json), "", "{harmless}");
    }
}

#[test]
fn injections_are_found_in_tokens_too_where_they_say_what_they_do() {
    for cookie in [
        "TrackingId=xyz'+AND+'1'='1",
        "TrackingId=xyz'%20UNION%20SELECT%20NULL--",
        "TrackingId=x'||pg_sleep(10)--",
        "session=1;token=1' or 1=1--",
    ] {
        assert!(
            cookies(cookie).starts_with("sqli at cookie:"),
            "{cookie}: {}",
            cookies(cookie)
        );
    }
    for attack in [
        "1' or '1'='1",
        "admin'--",
        "1;drop table users",
        "-1 union all select 1,2,3",
        "1 and sleep(5)",
        "1' and extractvalue(1,concat(0x7e,version()))-- -",
        "1/**/or/**/1=1",
        "'; exec xp_cmdshell('dir')--",
        "1 or 1=1",
        "x' and email is not null; --",
        "' or ''='",
        "1) or (1=1",
        "1' order by 3-- -",
        "if(1=1,sleep(5),0)",
        "(select*from(select(sleep(20)))a)",
    ] {
        let json = serde_json::json!({ "a": attack }).to_string();
        let found = body_of("application/json", json);
        assert!(found.starts_with("sqli at body:a"), "{attack}: {found}");
    }
}

#[test]
fn two_suspicious_values_of_a_request_are_more_than_one() {
    let half = "COERCIBILITY(USER())";
    let alone = body_of("application/json", serde_json::json!({ "a": half }).to_string());
    let both = body_of(
        "application/json",
        serde_json::json!({ "a": half, "b": half }).to_string(),
    );
    assert_eq!((alone.as_str(), both.as_str()), ("", "sqli at body:b (f(f())"));
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
fn a_text_in_a_charset_in_which_it_cannot_be_inspected_is_refused_wherever_it_says_so() {
    let utf7 = "+ADw-script+AD4-alert(1)+ADw-/script+AD4-";
    for (content_type, body) in [
        ("text/xml", format!("<?xml version=\"1.0\" encoding=\"UTF-7\"?><a>{utf7}</a>")),
        ("text/xml", format!("<?xml version='1.0'  encoding = 'utf-7' standalone='yes'?><a>{utf7}</a>")),
        ("text/xml; charset=utf-8", format!("\u{feff}<?xml version='1.0' encoding='utf-7'?><a>{utf7}</a>")),
        ("application/soap+xml", "<?xml version=\"1.0\" encoding=\"IBM037\"?><a/>".to_owned()),
        ("text/xml", "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>".to_owned()),
        ("text/xml", "<\0a\0>\0<\0/\0a\0>\0".to_owned()),
        ("text/plain", format!("<?xml version=\"1.0\" encoding=\"UTF-7\"?><a>{utf7}</a>")),
        ("", format!("<?xml version=\"1.0\" encoding=\"UTF-7\"?><a>{utf7}</a>")),
        ("text/plain; charset=utf-7", utf7.to_owned()),
        ("text/plain; charset=utf-8; charset=utf-7", utf7.to_owned()),
        ("text/plain; x=\"a;charset=utf-8;\"; charset=utf-7", utf7.to_owned()),
        ("text/plain; charset*=utf-8''utf-7", utf7.to_owned()),
        ("application/x-www-form-urlencoded", format!("_charset_=utf-7&a={}", utf7.replace('+', "%2B"))),
        (
            "multipart/form-data; boundary=x",
            format!("--x\r\ncontent-disposition: form-data; name=a\r\ncontent-type: text/plain; charset=utf-7\r\n\r\n{utf7}\r\n--x--"),
        ),
        (
            "multipart/form-data; boundary=x",
            "--x\r\ncontent-disposition: form-data; name=a\r\ncontent-transfer-encoding: base64\r\n\r\nPHNjcmlwdD4=\r\n--x--".to_owned(),
        ),
    ] {
        let found = body_of(content_type, body.clone());
        assert!(found.starts_with("body-encoding at body"), "{content_type} {body}: {found}");
    }
    for (content_type, body) in [
        ("text/xml", "<?xml version=\"1.0\" encoding=\"utf-8\"?><a>b</a>"),
        ("text/xml", "<?xml version='1.0'?><a>b</a>"),
        ("text/plain; charset=\"UTF-8\"", "b"),
        ("application/x-www-form-urlencoded", "_charset_=UTF-8&a=b"),
        (
            "multipart/form-data; boundary=x; charset=utf-8",
            "--x\r\ncontent-disposition: form-data; name=a\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-transfer-encoding: 8bit\r\n\r\nb\r\n--x--",
        ),
    ] {
        assert_eq!(body_of(content_type, body), "", "{content_type} {body}");
    }
}

#[test]
fn a_part_of_a_form_whose_name_can_be_read_in_two_ways_is_refused() {
    for disposition in [
        "form-data; name=a; name=b",
        "form-data; name*=utf-8''a; name=b",
        "form-data; name*0=a; name*1=b",
        "form-data; name=a;\r\n filename=b",
    ] {
        let form = format!("--x\r\ncontent-disposition: {disposition}\r\n\r\nb\r\n--x--");
        assert_eq!(
            body_of("multipart/form-data; boundary=x", form),
            "body-syntax at body",
            "{disposition}"
        );
    }
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
        id: None,
        at: vec![place],
        path: Some("/search".to_owned()),
    }];
    let found = |path: &str, text: &str| {
        let mut inspection = Inspection::new(&config, path, Carried::default());
        inspection.query(text.as_bytes());
        said(inspection)
    };
    assert_eq!(found("/search/more", "q=<script>"), "");
    assert_eq!(found("/searching", "q=<script>"), "xss at query:q");
    assert_eq!(found("/search", "p=<script>"), "xss at query:p");
    assert_eq!(found("/search", "q=1'+or+'1'='1"), "sqli at query:q (s&sos)");
}
