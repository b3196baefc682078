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

#[test]
fn an_upstream_is_asked_for_and_verified_by_the_server_name_where_there_is_one() {
    let certificates = Certificates::new();
    let origin = Origin::start_tls(certificates.server("wrong"), |_| async {
        Response::new(full("by TLS"))
    });
    let status = |more: &str| {
        let upstream = format!("ca = \"{}\"\n{more}", certificates.path("ca.pem"));
        let gateway = proxy_to(&[&format!("https://127.0.0.1:{}", origin.addr().port())], &upstream, "");
        http(gateway.addr("public"), "GET", "/x", &[], b"").status
    };
    assert_eq!(status(""), 502);
    assert_eq!(status("server_name = \"other.example\""), 502);
    assert_eq!(status("server_name = \"Wrong.Example\""), 200);
}

#[test]
fn an_upstream_that_asks_for_a_certificate_gets_the_one_of_the_configuration() {
    let certificates = Certificates::new();
    let origin = Origin::start_tls(certificates.server_for_known_clients("server"), |_| async {
        Response::new(full("known"))
    });
    let target = format!("https://localhost:{}", origin.addr().port());
    let ca = format!("ca = \"{}\"", certificates.path("ca.pem"));
    let gateway = proxy_to(&[&target], &ca, "");
    assert_eq!(http(gateway.addr("public"), "GET", "/x", &[], b"").status, 502);

    let others = Certificates::new();
    let read = |from: &Certificates, name: &str| std::fs::read(from.file(name)).unwrap();
    let gateway = gatewright_tests::TestFiles::default()
        .with("client.pem", read(&others, "server.pem"))
        .with("client.key", read(&others, "server.key"))
        .start(&super::config(
            &[&target],
            &format!("{ca}\nclient_certificate = \"client.pem\"\nclient_key = \"client.key\""),
            "",
        ));
    let status = || http(gateway.addr("public"), "GET", "/x", &[], b"").status;
    assert_eq!(status(), 502, "of another authority");
    // Files that are replaced are used from then on.
    gateway.write("client.key", read(&certificates, "server.key"));
    gateway.write("client.pem", read(&certificates, "server.pem"));
    eventually("the new certificate is shown", || (status() == 200).then_some(()));
}

#[test]
fn a_key_that_is_not_the_certificate_s_is_said_with_its_place() {
    let certificates = Certificates::new();
    let upstream = format!(
        "client_certificate = \"{}\"\nclient_key = \"{}\"",
        certificates.path("server.pem"),
        certificates.path("wrong.key")
    );
    let config = super::config(&["https://localhost"], &upstream, "");
    let message = gatewright_tests::TestGateway::try_start(&config).err().unwrap();
    assert!(
        message.contains("upstream.app.client_key: cannot use certificate")
            && message.contains("the key is not the one that the certificate was issued for"),
        "{message}"
    );
}

#[test]
fn only_where_it_is_said_to_be_dangerous_certificates_are_not_verified_and_that_is_warned_of() {
    let certificates = Certificates::new();
    let origin = Origin::start_tls(certificates.server("wrong"), |_| async {
        Response::new(full("whoever"))
    });
    let target = format!("https://localhost:{}", origin.addr().port());
    let config = super::config(&[&target], "dangerous_accept_any_certificate = true", "");
    let process = gatewright_tests::TestProcess::start(&config);
    assert_eq!(http(process.addr("public"), "GET", "/x", &[], b"").text(), "whoever");
    let said = process.stderr();
    assert!(
        said.contains("WARN") && said.contains("`dangerous_accept_any_certificate`"),
        "{said}"
    );
}
