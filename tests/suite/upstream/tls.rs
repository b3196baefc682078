//! Upstreams that speak TLS.

use gatewright_tests::{Certificates, Origin, RawClient, eventually, full, http};
use http::Response;

use super::proxy_to;

fn origin(certificates: &Certificates) -> Origin {
    Origin::start_tls(certificates.server("server"), |_| async {
        Response::new(full("by TLS"))
    })
}

#[test]
fn an_upstream_with_tls_is_verified_by_its_own_authorities() {
    let certificates = Certificates::new();
    let origin = origin(&certificates);
    let ca = format!("ca = \"{}\"", certificates.path("ca.pem"));
    for host in ["localhost", "127.0.0.1"] {
        let gateway = proxy_to(&[&format!("https://{host}:{}", origin.addr().port())], &ca, "");
        let mut client = RawClient::connect(gateway.addr("public"));
        let before = origin.connections();
        for _ in 0..5 {
            let response = client.request("POST", "/x", &[], b"body");
            assert_eq!((response.status, response.text().as_str()), (200, "by TLS"), "{host}");
        }
        assert_eq!(origin.connections(), before + 1, "the connection is kept");
    }
}

#[test]
fn without_authorities_of_its_own_an_upstream_is_verified_by_the_systems() {
    let certificates = Certificates::new();
    let origin = origin(&certificates);
    let target = format!("https://localhost:{}", origin.addr().port());
    match gatewright_tests::TestGateway::try_start(&super::config(&[&target], "", "")) {
        Ok(gateway) => assert_eq!(http(gateway.addr("public"), "GET", "/x", &[], b"").status, 502),
        // A system without any says so at start.
        Err(message) => assert!(message.contains("name a file with `ca`"), "{message}"),
    }
}

#[test]
fn g7_authorities_that_are_replaced_are_believed_from_then_on() {
    let (old, new) = (Certificates::new(), Certificates::new());
    let origin = origin(&new);
    let gateway = gatewright_tests::TestFiles::default()
        .with("ca.pem", &old.ca)
        .start(&super::config(
            &[&format!("https://localhost:{}", origin.addr().port())],
            "ca = \"{dir}/ca.pem\"",
            "",
        ));
    let status = || http(gateway.addr("public"), "GET", "/x", &[], b"").status;
    assert_eq!(status(), 502);
    gateway.write("ca.pem", &new.ca);
    eventually("the new authorities are believed", || (status() == 200).then_some(()));
}
