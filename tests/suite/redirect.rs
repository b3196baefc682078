//! The `redirect` stage end to end: clients are sent where the configuration says, and nowhere else.

use gatewright_tests::{RawResponse, TestGateway, http};

use crate::setup::listening;

fn gateway(redirect: &str) -> TestGateway {
    TestGateway::start(&listening(&format!(
        "trusted_proxies = [\"127.0.0.0/8\"]\n[[route]]\nname = \"it\"\npath = \"/{{rest+}}\"\n\
         chain = [{{ use = \"redirect\", {redirect} }}]\nintegration = {{ respond = 200 }}\n"
    )))
}

fn ask(gateway: &TestGateway, target: &str, fields: &[(&str, &str)]) -> RawResponse {
    http(gateway.addr("public"), "GET", target, fields, b"")
}

fn location(gateway: &TestGateway, target: &str, fields: &[(&str, &str)]) -> (u16, Option<String>) {
    let response = ask(gateway, target, fields);
    (response.status, response.header("location").map(str::to_owned))
}

const HOST: (&str, &str) = ("host", "old.example.com:8080");

#[test]
fn cleartext_is_upgraded_once_and_keeps_host_path_and_query() {
    let gateway = gateway("scheme = \"https\"");
    assert_eq!(
        location(&gateway, "/a/b?c=%2F", &[HOST]),
        (308, Some("https://old.example.com/a/b?c=%2F".to_owned()))
    );
    let secure = [HOST, ("x-forwarded-proto", "https")];
    assert_eq!(location(&gateway, "/a/b?c=%2F", &secure), (200, None));
}

#[test]
fn another_host_is_reached_in_one_step_and_stays_reached() {
    let gateway = gateway("scheme = \"https\", host = \"www.example.com\", status = 301");
    let there = Some("https://www.example.com/a".to_owned());
    assert_eq!(location(&gateway, "/a", &[HOST]), (301, there.clone()));
    assert_eq!(location(&gateway, "/a", &[("host", "www.example.com")]), (301, there));
    let arrived = [("host", "WWW.example.com"), ("x-forwarded-proto", "https")];
    assert_eq!(location(&gateway, "/a", &arrived), (200, None));
}

#[test]
fn a_path_moves_with_its_parameters_and_with_or_without_its_query() {
    let gateway = gateway("path = \"/new/{rest}\", status = 302, keep_query = false");
    assert_eq!(
        location(&gateway, "/a/b?c=1", &[HOST]),
        (302, Some("/new/a/b".to_owned()))
    );
}

#[test]
fn what_a_client_sends_cannot_become_another_host() {
    for redirect in ["path = \"/{rest}\"", "path = \"/{rest}\", host = \"www.example.com\""] {
        let gateway = gateway(redirect);
        for target in [
            "//evil.test/a",
            "/%2fevil.test",
            "/\\evil.test",
            "/@evil.test",
            "/.evil.test/..//evil.test",
            "/a%0d%0ab",
        ] {
            let (status, location) = location(&gateway, target, &[HOST]);
            let location = location.unwrap_or_default();
            let stays = location.is_empty()
                || location.starts_with("http://www.example.com/")
                || (location.starts_with('/') && !location.starts_with("//") && !location.contains('\\'));
            assert!(stays, "{redirect} {target}: {status} {location}");
        }
    }
}
