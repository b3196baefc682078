//! `sigv4` in front of an object store: a signature is for one object, and no other one is reached with it.

use std::process::Command;

use gatewright_tests::guests::root;
use gatewright_tests::{Certificates, Origin, TestFiles, TestGateway, http};
use serde_json::{Value, json};

use super::signer::Signer;
use super::{CREDENTIALS, PASSED, code, gateway};

const REFUSED: (u16, Option<&str>, Option<&str>) = (400, Some("BAD_REQUEST"), None);

fn signer(path: &str) -> Signer {
    let mut signer = Signer::new();
    signer.method = "PUT";
    signer.service = "s3";
    signer.path = path.to_owned();
    signer
}

fn send(gateway: &TestGateway, signer: &Signer, target: &str) -> gatewright_tests::RawResponse {
    let headers = signer.headers();
    let fields: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    http(gateway.addr("s3"), signer.method, target, &fields, b"")
}

#[test]
fn c25_an_object_whose_key_the_gateway_would_change_is_refused_and_not_written_elsewhere() {
    let origin = Origin::saying("stored");
    let gateway = gateway(&origin, "");
    for key in [
        "/items/a//b",
        "//items/lead",
        "/items//lead",
        "/items/a/./b",
        "/items/a/../b",
        "/items/./a",
        "/items/a/.",
        "/items/a/..",
        "/items/a//",
        "/items/a/b/../../c",
    ] {
        let answer = send(&gateway, &signer(key), key);
        assert_eq!(code(&answer), REFUSED, "{key}");
        assert!(answer.text().contains("another resource"), "{key}: {}", answer.text());
    }
    assert_eq!(origin.hits(), 0);
}

#[test]
fn c25_an_object_whose_key_is_only_written_in_another_way_is_the_one_that_was_signed() {
    let origin = Origin::saying("stored");
    let gateway = gateway(&origin, "");
    for (signed, sent, forwarded) in [
        ("/items/a/b", "/items/a/b", "/items/a/b"),
        ("/items/folder/", "/items/folder/", "/items/folder/"),
        ("/items/a~b", "/items/a%7Eb", "/items/a~b"),
        ("/items/a%20b", "/items/a%20b", "/items/a%20b"),
        ("/items/a%3Ab%40c", "/items/a:b@c", "/items/a:b@c"),
        ("/items/%E1%88%B4", "/items/%e1%88%b4", "/items/%E1%88%B4"),
        ("/items/...", "/items/...", "/items/..."),
    ] {
        assert_eq!(code(&send(&gateway, &signer(signed), sent)), PASSED, "{sent}");
        assert_eq!(origin.requests().last().unwrap().target, forwarded, "{sent}");
    }
}

#[test]
fn c25_a_path_that_ends_in_a_dot_segment_is_not_forwarded_as_the_folder_that_nobody_signed() {
    // By AWS's rule `/items/a/.` is signed as `/items/a`; in the gateway's normal form it is `/items/a/`.
    let origin = Origin::saying("hello");
    let gateway = gateway(&origin, "");
    let mut signer = Signer::new();
    signer.path = "/items/a".to_owned();
    for sent in ["/items/a/.", "/items/a/b/.."] {
        let headers = signer.headers();
        let fields: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(
            code(&http(gateway.addr("public"), "GET", sent, &fields, b"")),
            REFUSED,
            "{sent}"
        );
    }
    assert_eq!(origin.hits(), 0);
}

#[test]
fn c25_a_path_that_a_stage_before_has_changed_is_not_the_signed_one() {
    let origin = Origin::saying("stored");
    let gateway = TestFiles::default()
        .with("credentials.toml", CREDENTIALS)
        .with("secrets/partner-a", "partner-a-secret\n")
        .with("secrets/partner-a-2", "the-next-secret")
        .with("secrets/temporary", "temporary-secret")
        .with("secrets/token", "a/session+token==")
        .start(&format!(
            r#"
            [listener.s3]
            address = "127.0.0.1:0"
            [upstream.app]
            targets = [{{ url = "{}" }}]
            [[route]]
            name = "objects"
            path = "/{{rest+}}"
            chain = [
              {{ use = "rewrite", path = "/other/{{rest}}" }},
              {{ use = "sigv4", credentials = "credentials.toml", service = "s3" }},
            ]
            integration = {{ http = "app" }}
            "#,
            origin.url()
        ));
    assert_eq!(code(&send(&gateway, &signer("/items"), "/items")), REFUSED);
    assert_eq!(origin.hits(), 0);
}

#[test]
fn c25_an_upload_with_an_unsigned_trailer_as_boto3_sends_it_over_tls_reaches_the_store_as_it_came() {
    let origin = Origin::saying("");
    let certificates = Certificates::new();
    let gateway = gateway_with_tls(&origin, &certificates, "unsigned_payload = true");
    let answers = uploads(&gateway, &certificates);
    assert_eq!(answers, json!(["stored"]));
    let request = origin.only_request();
    assert_eq!(request.target, "/bucket/a%20key");
    let field = |name: &str| {
        request
            .headers
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(
        field("x-amz-content-sha256").as_deref(),
        Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    );
    assert_eq!(field("content-encoding").as_deref(), Some("aws-chunked"));
    assert_eq!(field("authorization"), None);
    let body = String::from_utf8(request.body).unwrap();
    assert!(body.starts_with("7\r\ncontent\r\n0\r\nx-amz-checksum-"), "{body:?}");
}

#[test]
fn c25_an_upload_with_an_unsigned_trailer_is_refused_where_bodies_must_be_signed() {
    let origin = Origin::saying("");
    let certificates = Certificates::new();
    let gateway = gateway_with_tls(&origin, &certificates, "unsigned_payload = false");
    assert_eq!(uploads(&gateway, &certificates), json!(["403"]));
    assert_eq!(origin.hits(), 0);
}

fn gateway_with_tls(origin: &Origin, certificates: &Certificates, settings: &str) -> TestGateway {
    TestFiles::default()
        .with(
            "credentials.toml",
            "[[credential]]\naccess_key_id = \"AKIDPARTNERA\"\nprincipal = \"partner-a\"\nsecret = \"file:secret\"\n",
        )
        .with("secret", "partner-a-secret")
        .start(&format!(
            r#"
            [listener.s3]
            address = "127.0.0.1:0"
            tls = {{ certificate = "{}", key = "{}" }}
            [upstream.app]
            targets = [{{ url = "{}" }}]
            [[route]]
            name = "objects"
            path = "/{{rest+}}"
            chain = [{{ use = "sigv4", credentials = "credentials.toml", service = "s3", {settings} }}]
            integration = {{ http = "app" }}
            "#,
            certificates.path("server.pem"),
            certificates.path("server.key"),
            origin.url()
        ))
}

/// What AWS's own client says of an upload.
fn uploads(gateway: &TestGateway, certificates: &Certificates) -> Value {
    let output = Command::new(root().join("target/tools/.venv/bin/python"))
        .arg(root().join("tests/suite/sigv4/upload.py"))
        .arg(format!("https://localhost:{}", gateway.addr("s3").port()))
        .arg(certificates.path("ca.pem"))
        .output()
        .expect("the tests' Python");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&said).unwrap()
}
