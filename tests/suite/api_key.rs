//! C26, and the `api-key` stage end to end: where keys are looked for, what a wrong one gets, and that none is logged.

use gatewright_tests::{Origin, TestFiles, TestGateway, http};
use sha2::{Digest as _, Sha256};

const KEY: &str = "k-6a1f0c3b9d";
const DISABLED: &str = "k-disabled";

fn gateway(stage: &str, origin: &Origin) -> TestGateway {
    let entry = |name: &str, key: &str, enabled: bool| {
        let hash: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("[[key]]\nname = \"{name}\"\nsha256 = \"{hash}\"\nenabled = {enabled}\n")
    };
    let keys = entry("partner", KEY, true) + &entry("former", DISABLED, false);
    TestFiles::default().with("keys.toml", keys).start(&format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"

        [upstream.app]
        targets = [{{ url = "{}" }}]

        [[route]]
        name = "all"
        path = "/{{rest+}}"
        chain = [{{ use = "api-key", keys = "keys.toml", {stage} }}]
        integration = {{ http = "app", headers = {{ x-principal = "{{auth.principal}}" }} }}
        "#,
        origin.url()
    ))
}

#[test]
fn a_known_key_passes_and_its_name_is_the_principal() {
    let origin = Origin::saying("hello");
    let gateway = gateway("header = \"x-api-key\"", &origin);
    let response = http(
        gateway.addr("public"),
        "GET",
        "/x",
        &[("X-API-Key", KEY), ("X-Principal", "root")],
        b"",
    );
    assert_eq!(response.status, 200);
    assert_eq!(origin.only_request().headers["x-principal"], "partner");
    assert_eq!(gateway.wait_for_records(1)[0]["principal"], "partner");
}

#[test]
fn no_key_is_401_and_a_wrong_one_403_and_neither_reaches_the_origin() {
    let origin = Origin::saying("hello");
    let gateway = gateway("header = \"x-api-key\"", &origin);
    let addr = gateway.addr("public");
    let none = http(addr, "GET", "/x", &[], b"");
    assert_eq!((none.status, none.error()), (401, Some("UNAUTHORIZED")));
    assert!(none.header("www-authenticate").is_some());
    for wrong in [
        "",
        "k",
        DISABLED,
        &KEY.to_uppercase(),
        &format!("{KEY}x"),
        &"k".repeat(5000),
    ] {
        let response = http(addr, "GET", "/x", &[("X-API-Key", wrong)], b"");
        assert_eq!(
            (response.status, response.error()),
            (403, Some("INVALID_API_KEY")),
            "{wrong:?}"
        );
    }
    let twice = http(addr, "GET", "/x", &[("X-API-Key", KEY), ("X-API-Key", "other")], b"");
    assert_eq!(twice.status, 401, "two keys are none");
    let elsewhere = http(addr, "GET", &format!("/x?api_key={KEY}"), &[], b"");
    assert_eq!(elsewhere.status, 401, "a key in the wrong place is none");
    assert_eq!(origin.connections(), 0);
}

#[test]
fn a_scheme_is_needed_where_one_is_named() {
    let origin = Origin::saying("hello");
    let gateway = gateway("header = \"authorization\", scheme = \"Bearer\"", &origin);
    let addr = gateway.addr("public");
    let status = |value: &str| http(addr, "GET", "/x", &[("Authorization", value)], b"").status;
    assert_eq!(status(&format!("Bearer {KEY}")), 200);
    assert_eq!(status(&format!("bearer {KEY}")), 200);
    for wrong in [
        KEY.to_owned(),
        format!("Basic {KEY}"),
        format!("Bearer{KEY}"),
        "Bearer other".to_owned(),
    ] {
        let response = http(addr, "GET", "/x", &[("Authorization", &wrong)], b"");
        assert_eq!(
            (response.status, response.header("www-authenticate")),
            (401, Some("Bearer")),
            "{wrong:?}"
        );
    }
}

#[test]
fn a_key_in_the_query_passes() {
    let origin = Origin::saying("hello");
    let gateway = gateway("query = \"api_key\"", &origin);
    let addr = gateway.addr("public");
    let status = |query: &str| http(addr, "GET", &format!("/x?{query}"), &[], b"").status;
    assert_eq!(status(&format!("a=b&api_key={KEY}")), 200);
    assert_eq!(status(&format!("api%5Fkey={}", KEY.replace('-', "%2D"))), 200);
    assert_eq!(
        status(&format!("api_key={KEY}&api_key={KEY}")),
        401,
        "two keys are none"
    );
    assert_eq!(status("api_key=wrong"), 403);
}

#[test]
fn c26_no_key_reaches_a_log_right_or_wrong() {
    let origin = Origin::saying("hello");
    let gateway = gateway(
        "header = \"authorization\", scheme = \"Bearer\", query = \"api_key\"",
        &origin,
    );
    let addr = gateway.addr("public");
    http(addr, "GET", "/x", &[("Authorization", &format!("Bearer {KEY}"))], b"");
    http(addr, "GET", "/x", &[("Authorization", "Bearer wrong-6a1f0c3b9d")], b"");
    http(addr, "GET", &format!("/x?api_key={KEY}"), &[], b"");
    let refused = http(addr, "GET", "/x?api_key=wrong-6a1f0c3b9d", &[], b"");
    gateway.wait_for_records(4);
    let log = std::fs::read_to_string(gateway.dir().join("access.log")).unwrap();
    for text in [&log, &gateway.metrics(), &format!("{refused:?}")] {
        assert!(!text.contains("6a1f0c3b9d"), "{text}");
    }
}

#[test]
fn a_key_ends_at_the_gateway_wherever_it_was_sent_unless_the_configuration_says_otherwise() {
    let places = "header = \"authorization\", scheme = \"Bearer\", headers = [\"x-api-key\"], query = \"api_key\"";
    let bearer = format!("Bearer {KEY}");
    let query = format!("/x?a=1&api_key={KEY}&b");
    let other = format!("/x?api%5Fkey={KEY}");
    for (target, fields) in [
        ("/x", vec![("authorization", &*bearer)]),
        ("/x", vec![("x-api-key", KEY)]),
        (&*query, vec![]),
        // The one that was found is not the only one that is taken away.
        (&*other, vec![("authorization", &*bearer), ("x-api-key", KEY)]),
    ] {
        for (forward, passes) in [("", false), (", forward = false", false), (", forward = true", true)] {
            let origin = Origin::saying("hello");
            let gateway = gateway(&format!("{places}{forward}"), &origin);
            assert_eq!(http(gateway.addr("public"), "GET", target, &fields, b"").status, 200);
            let sent = format!("{:?}", origin.only_request());
            assert_eq!(sent.contains(KEY), passes, "{forward} {target} {fields:?}: {sent}");
            let record = gateway.wait_for_records(1)[0].to_string();
            assert!(!record.contains(KEY), "{record}");
        }
    }
}
