//! The `sigv4` stage end to end: what a real client of AWS signs passes, and nothing that anybody changed afterwards.

mod s3;
mod signer;

use std::process::Command;

use gatewright_tests::guests::root;
use gatewright_tests::{Origin, RawResponse, TestFiles, TestGateway, http};
use serde_json::{Value, json};

use self::signer::{Signer, sha256};

const CREDENTIALS: &str = r#"
    [[credential]]
    access_key_id = "AKIDPARTNERA"
    principal = "partner-a"
    secret = "file:secrets/partner-a"

    [[credential]]
    access_key_id = "AKIDPARTNERA2"
    principal = "partner-a"
    secret = "file:secrets/partner-a-2"

    [[credential]]
    access_key_id = "AKIDFORMER"
    principal = "former"
    secret = "file:secrets/partner-a"
    enabled = false

    [[credential]]
    access_key_id = "AKIDTEMPORARY"
    principal = "temporary"
    secret = "file:secrets/temporary"
    session_token = "file:secrets/token"
"#;

fn gateway(origin: &Origin, settings: &str) -> TestGateway {
    let route = |name: &str, path: &str, stage: &str| {
        format!(
            "[[route]]\nname = \"{name}\"\npath = \"{path}\"\nchain = [{{ use = \"sigv4\", credentials = \
             \"credentials.toml\"{stage} }}]\nintegration = {{ http = \"app\", headers = {{ x-user = \
             \"{{auth.principal}} {{auth.access_key_id}}\" }} }}\n"
        )
    };
    let api = format!(", region = \"eu-central-1\"{settings}");
    let config = format!(
        "[listener.public]\naddress = \"127.0.0.1:0\"\n[listener.s3]\naddress = \"127.0.0.1:0\"\n\
         [upstream.app]\ntargets = [{{ url = \"{}\" }}]\n{}{}{}",
        origin.url(),
        route("root", "/", &api).replace("chain =", "listeners = [\"public\"]\nchain ="),
        route("items", "/{rest+}", &api).replace("chain =", "listeners = [\"public\"]\nchain ="),
        route("objects", "/{rest+}", ", service = \"s3\", unsigned_payload = true")
            .replace("chain =", "listeners = [\"s3\"]\nchain ="),
    );
    TestFiles::default()
        .with("credentials.toml", CREDENTIALS)
        .with("secrets/partner-a", "partner-a-secret\n")
        .with("secrets/partner-a-2", "the-next-secret")
        .with("secrets/temporary", "temporary-secret")
        .with("secrets/token", "a/session+token==")
        .start(&config)
}

fn send(gateway: &TestGateway, signer: &Signer, target: &str, headers: &[(&str, String)], body: &[u8]) -> RawResponse {
    let fields: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    http(gateway.addr("public"), signer.method, target, &fields, body)
}

fn code(response: &RawResponse) -> (u16, Option<&str>, Option<&str>) {
    (response.status, response.error(), response.header("x-amzn-errortype"))
}

const PASSED: (u16, Option<&str>, Option<&str>) = (200, None, None);
const MISSING: (u16, Option<&str>, Option<&str>) = (
    403,
    Some("MISSING_AUTHENTICATION_TOKEN"),
    Some("MissingAuthenticationTokenException"),
);
const INVALID: (u16, Option<&str>, Option<&str>) = (403, Some("INVALID_SIGNATURE"), Some("InvalidSignatureException"));
const INCOMPLETE: (u16, Option<&str>, Option<&str>) =
    (403, Some("INVALID_SIGNATURE"), Some("IncompleteSignatureException"));
const UNKNOWN: (u16, Option<&str>, Option<&str>) =
    (403, Some("INVALID_SIGNATURE"), Some("UnrecognizedClientException"));
const EXPIRED: (u16, Option<&str>, Option<&str>) = (403, Some("EXPIRED_TOKEN"), Some("ExpiredTokenException"));

/// A gateway, its origin, and a signer for it.
fn signed() -> (TestGateway, Origin, Signer) {
    signed_with("")
}

fn signed_with(settings: &str) -> (TestGateway, Origin, Signer) {
    let origin = Origin::saying("hello");
    let gateway = gateway(&origin, settings);
    (gateway, origin, Signer::new())
}

#[test]
fn what_botocore_signs_passes_and_what_was_changed_does_not() {
    let (gateway, origin, _) = signed();
    let python = root().join("target/tools/.venv/bin/python");
    let client = root().join("tests/suite/sigv4/client.py");
    let output = Command::new(python)
        .arg(client)
        .args([gateway.url("public"), gateway.url("s3")])
        .output()
        .expect("the tests' Python");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let answers: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let passed = |name: &str| json!([name, 200, null]);
    let invalid = |name: &str| json!([name, 403, "InvalidSignatureException"]);
    let expected = [
        passed("get"),
        passed("root"),
        passed("query"),
        passed("path"),
        passed("dots"),
        passed("post"),
        passed("folded"),
        invalid("changed body"),
        invalid("wrong secret"),
        invalid("other region"),
        invalid("other service"),
        passed("temporary"),
        passed("presigned"),
        passed("presigned temporary"),
        passed("s3 put"),
        json!(["s3 empty segment", 400, null]),
        passed("s3 presigned"),
        passed("s3 presigned put"),
    ];
    assert_eq!(answers, expected);
    for request in origin.requests() {
        for spent in ["authorization", "x-amz-security-token"] {
            assert!(!request.headers.contains_key(spent), "{request:?}");
        }
        assert!(!request.target.contains("X-Amz-"), "{request:?}");
    }
    let dots = &origin.requests()[4];
    assert_eq!(dots.target, "/items/a/b", "what goes on is the path in normal form");
}

#[test]
fn a_signed_request_has_its_principal_whichever_of_its_keys_signed_it() {
    let (gateway, origin, mut signer) = signed();
    assert_eq!(code(&send(&gateway, &signer, "/items", &signer.headers(), b"")), PASSED);
    (signer.key, signer.secret) = ("AKIDPARTNERA2", "the-next-secret");
    assert_eq!(code(&send(&gateway, &signer, "/items", &signer.headers(), b"")), PASSED);
    let users: Vec<_> = origin
        .requests()
        .iter()
        .map(|request| request.headers["x-user"].clone())
        .collect();
    assert_eq!(users, ["partner-a AKIDPARTNERA", "partner-a AKIDPARTNERA2"]);
    let record = gateway.wait_for_records(2).remove(0);
    assert_eq!(record["principal"], "partner-a");
}

#[test]
fn c25_a_request_that_is_not_signed_or_by_nobody_known_is_403_with_the_code_of_aws() {
    let (gateway, origin, mut signer) = signed();
    assert_eq!(code(&send(&gateway, &signer, "/items", &[], b"")), MISSING);
    let bearer = [("authorization", "Bearer abc".to_owned())];
    assert_eq!(code(&send(&gateway, &signer, "/items", &bearer, b"")), INCOMPLETE);
    let headers = signer.headers();
    let twice: Vec<_> = headers.iter().chain(headers.last()).cloned().collect();
    assert_eq!(code(&send(&gateway, &signer, "/items", &twice, b"")), INCOMPLETE);
    let undated = &headers[1..];
    assert_eq!(code(&send(&gateway, &signer, "/items", undated, b"")), INCOMPLETE);
    for (key, secret) in [
        ("AKIDNOBODY", "partner-a-secret"),
        ("AKIDFORMER", "partner-a-secret"),
        ("AKIDTEMPORARY", "temporary-secret"),
    ] {
        (signer.key, signer.secret) = (key, secret);
        assert_eq!(
            code(&send(&gateway, &signer, "/items", &signer.headers(), b"")),
            UNKNOWN,
            "{key}"
        );
    }
    signer.fields = vec![("x-amz-security-token", "another".to_owned())];
    assert_eq!(
        code(&send(&gateway, &signer, "/items", &signer.headers(), b"")),
        UNKNOWN
    );
    (signer.key, signer.secret) = ("AKIDPARTNERA", "partner-a-secret");
    assert_eq!(
        code(&send(&gateway, &signer, "/items", &signer.headers(), b"")),
        UNKNOWN
    );
    assert_eq!(origin.hits(), 0);
}

#[test]
fn c25_a_signature_is_good_for_five_minutes_and_not_replayed_later() {
    let (gateway, _origin, mut signer) = signed();
    for (age, expected) in [
        (200, PASSED),
        (-200, PASSED),
        (400, INVALID),
        (-400, INVALID),
        (86_400, INVALID),
    ] {
        signer.age = age;
        assert_eq!(
            code(&send(&gateway, &signer, "/items", &signer.headers(), b"")),
            expected,
            "{age}"
        );
    }
    let (gateway, _origin, mut signer) = signed_with(", clock_skew = \"10m\"");
    signer.age = 400;
    assert_eq!(code(&send(&gateway, &signer, "/items", &signer.headers(), b"")), PASSED);
}

#[test]
fn c25_nothing_that_is_signed_can_be_changed_and_nothing_be_added_that_aws_reads() {
    let (gateway, origin, mut signer) = signed_with(", signed_headers = [\"content-type\"]");
    signer.query = "a=1&b=2".to_owned();
    signer.fields = vec![("x-tenant", "blue".to_owned())];
    let good = signer.headers();
    let target = "/items?b=2&a=1";
    assert_eq!(code(&send(&gateway, &signer, target, &good, b"")), PASSED);
    for other in [
        "/items",
        "/items?a=1&b=3",
        "/items?a=1&b=2&c=3",
        "/items/x?a=1&b=2",
        "/Items?a=1&b=2",
    ] {
        assert_eq!(code(&send(&gateway, &signer, other, &good, b"")), INVALID, "{other}");
    }
    let changed = |name: &str, value: &str| {
        let mut headers = good.clone();
        match headers.iter_mut().find(|(known, _)| *known == name) {
            Some(field) => field.1 = value.to_owned(),
            None => headers.push((Box::leak(name.to_owned().into_boxed_str()), value.to_owned())),
        }
        code(&send(&gateway, &signer, target, &headers, b"")) == PASSED
    };
    assert!(changed("x-note", "not signed, and nobody's business"));
    assert!(!changed("x-tenant", "red"));
    assert!(!changed("x-amz-meta-role", "admin"));
    assert!(!changed("content-type", "text/plain"));
    assert!(!changed("host", "other.example"));
    let without: Vec<_> = good.iter().filter(|(name, _)| *name != "x-tenant").cloned().collect();
    assert_eq!(code(&send(&gateway, &signer, target, &without, b"")), INVALID);
    let put = Signer {
        method: "PUT",
        ..signer.clone()
    };
    assert_eq!(code(&send(&gateway, &put, target, &good, b"")), INVALID);
    assert_eq!(origin.hits(), 2);
}

#[test]
fn c25_duplicated_query_keys_are_all_signed_in_order_of_their_values() {
    let (gateway, origin, mut signer) = signed();
    signer.query = "k=1&k=2&k=a%2Fb".to_owned();
    let headers = signer.headers();
    assert_eq!(
        code(&send(&gateway, &signer, "/items?k=2&k=a/b&k=1", &headers, b"")),
        PASSED
    );
    assert_eq!(origin.only_request().target, "/items?k=2&k=a/b&k=1");
    for other in ["/items?k=1&k=2", "/items?k=1&k=2&k=2&k=a/b", "/items?k=1&k=2&k=a%252Fb"] {
        assert_eq!(code(&send(&gateway, &signer, other, &headers, b"")), INVALID, "{other}");
    }
}

#[test]
fn c25_a_path_is_encoded_twice_where_the_service_is_not_s3() {
    let (gateway, origin, mut signer) = signed();
    signer.path = "/items/a%2520b".to_owned();
    assert_eq!(
        code(&send(&gateway, &signer, "/items/a%20b", &signer.headers(), b"")),
        PASSED
    );
    assert_eq!(origin.only_request().target, "/items/a%20b");
    signer.path = "/items/a%20b".to_owned();
    assert_eq!(
        code(&send(&gateway, &signer, "/items/a%20b", &signer.headers(), b"")),
        INVALID
    );
}

#[test]
fn c25_a_body_that_is_not_the_signed_one_never_goes_upstream() {
    let (gateway, origin, mut signer) = signed_with(", body = \"1KiB\"");
    signer.method = "POST";
    signer.payload = sha256(b"signed");
    for said in [false, true] {
        if said {
            signer.fields = vec![("x-amz-content-sha256", sha256(b"signed"))];
        }
        let headers = signer.headers();
        assert_eq!(code(&send(&gateway, &signer, "/items", &headers, b"signed")), PASSED);
        for forged in [&b"forged"[..], b"signed and more", b""] {
            assert_eq!(code(&send(&gateway, &signer, "/items", &headers, forged)), INVALID);
        }
    }
    assert_eq!(origin.hits(), 2);
    assert_eq!(origin.requests()[1].body, b"signed");
    let long = vec![b'a'; 2 << 10];
    signer.payload = sha256(&long);
    signer.fields.clear();
    let refused = send(&gateway, &signer, "/items", &signer.headers(), &long);
    assert_eq!((refused.status, refused.error()), (413, Some("REQUEST_TOO_LARGE")));
    // Whoever cannot sign has nobody wait for its body.
    signer.fields = vec![("x-amz-content-sha256", sha256(&long))];
    signer.secret = "another";
    assert_eq!(
        code(&send(&gateway, &signer, "/items", &signer.headers(), &long)),
        INVALID
    );
    assert_eq!(origin.hits(), 2);
}

#[test]
fn c25_a_body_need_not_be_signed_only_where_the_configuration_says_so() {
    let (closed, _first, mut signer) = signed();
    let (open, origin, _) = signed_with(", unsigned_payload = true");
    signer.method = "POST";
    for (payload, at_closed, at_open) in [
        ("UNSIGNED-PAYLOAD", INVALID, PASSED),
        (
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            (501, Some("NOT_IMPLEMENTED"), None),
            (501, Some("NOT_IMPLEMENTED"), None),
        ),
        ("something", INCOMPLETE, INCOMPLETE),
    ] {
        signer.payload = payload.to_owned();
        signer.fields = vec![("x-amz-content-sha256", payload.to_owned())];
        for (gateway, expected) in [(&closed, at_closed), (&open, at_open)] {
            let answer = send(gateway, &signer, "/items", &signer.headers(), b"any");
            assert_eq!(code(&answer), expected, "{payload}");
        }
    }
    assert_eq!(origin.only_request().body, b"any");
}

#[test]
fn c25_a_presigned_url_is_good_until_it_expires_and_for_what_it_says() {
    let (gateway, origin, mut signer) = signed_with(", presigned = \"1h\"");
    let ask = |signer: &Signer, target: &str| {
        let response = send(&gateway, signer, target, &[], b"");
        (
            response.status,
            response.error().map(str::to_owned),
            response.header("x-amzn-errortype").map(str::to_owned),
        )
    };
    let own = |(status, error, code): (u16, Option<&str>, Option<&str>)| {
        (status, error.map(str::to_owned), code.map(str::to_owned))
    };
    signer.query = "a=1".to_owned();
    let target = signer.presigned(60);
    assert_eq!(ask(&signer, &target), own(PASSED));
    assert_eq!(origin.only_request().target, "/items?a=1");
    assert_eq!(ask(&signer, &target.replace("a=1", "a=2")), own(INVALID));
    assert_eq!(ask(&signer, &format!("{target}&b=1")), own(INVALID));
    assert_eq!(ask(&signer, &target.replace("Expires=60", "Expires=90")), own(INVALID));
    assert_eq!(ask(&signer, &format!("{target}&X-Amz-Expires=60")), own(INCOMPLETE));
    for (age, expires, expected) in [
        (3000, 3600, PASSED),
        (90, 60, EXPIRED),
        (0, 3601, INVALID),
        (0, 604_801, INCOMPLETE),
        (0, 0, INCOMPLETE),
        (-400, 3600, INVALID),
    ] {
        signer.age = age;
        assert_eq!(
            ask(&signer, &signer.presigned(expires)),
            own(expected),
            "{age} {expires}"
        );
    }
    signer.age = 0;
    let both = send(&gateway, &signer, &signer.presigned(60), &signer.headers(), b"");
    assert_eq!(code(&both), INCOMPLETE);
    let (gateway, _origin, signer) = signed_with(", presigned = \"0s\"");
    assert_eq!(code(&send(&gateway, &signer, &signer.presigned(60), &[], b"")), INVALID);
}

#[test]
fn a_secret_that_changes_or_is_missing_is_noticed() {
    let (gateway, _origin, mut signer) = signed();
    gateway.write("secrets/partner-a", "changed");
    gateway.reload().unwrap();
    assert_eq!(
        code(&send(&gateway, &signer, "/items", &signer.headers(), b"")),
        INVALID
    );
    signer.secret = "changed";
    assert_eq!(code(&send(&gateway, &signer, "/items", &signer.headers(), b"")), PASSED);
    gateway.write("secrets/partner-a", "");
    let refused = gateway.reload().unwrap_err();
    assert!(
        refused.contains("AKIDPARTNERA") && !refused.contains("changed"),
        "{refused}"
    );
    assert_eq!(code(&send(&gateway, &signer, "/items", &signer.headers(), b"")), PASSED);
}
