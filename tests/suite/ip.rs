//! The `ip` stage end to end: whose address counts, and what is said to whom it keeps out.

use gatewright_tests::{RawClient, TestGateway, http};

fn gateway(listener: &str, lists: &str) -> TestGateway {
    TestGateway::start(&format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"
        {listener}

        [[route]]
        name = "one"
        path = "/"
        chain = [{{ use = "ip", {lists} }}]
        integration = {{ respond = 200, body = "in" }}
        "#
    ))
}

#[test]
fn an_address_that_is_denied_or_not_allowed_is_403_and_in_the_record() {
    for lists in ["deny = [\"127.0.0.0/8\"]", "allow = [\"10.0.0.0/8\", \"unix\"]"] {
        let gateway = gateway("", lists);
        let refused = http(gateway.addr("public"), "GET", "/", &[], b"");
        assert_eq!(
            (refused.status, refused.error()),
            (403, Some("ACCESS_DENIED")),
            "{lists}"
        );
        let record = gateway.wait_for_records(1).remove(0);
        assert!(record["cause"].as_str().unwrap().contains("127.0.0.1"), "{record}");
        assert_eq!(record["answered_by"], "ip");
    }
    let gateway = gateway("", "allow = [\"127.0.0.1\"]");
    assert_eq!(http(gateway.addr("public"), "GET", "/", &[], b"").status, 200);
}

#[test]
fn a_client_that_nobody_vouches_for_cannot_say_another_address() {
    let forged = [("x-forwarded-for", "10.1.1.1"), ("forwarded", "for=10.1.1.1")];
    for field in forged {
        let gateway = gateway("", "allow = [\"10.0.0.0/8\"]");
        assert_eq!(http(gateway.addr("public"), "GET", "/", &[field], b"").status, 403);
    }
    let behind = gateway("trusted_proxies = [\"127.0.0.1\"]", "allow = [\"10.0.0.0/8\"]");
    let ask = |value| http(behind.addr("public"), "GET", "/", &[("x-forwarded-for", value)], b"").status;
    assert_eq!([ask("10.1.1.1"), ask("10.1.1.1, 11.1.1.1")], [200, 403]);
}

#[test]
fn a_unix_socket_has_no_address_and_is_named_for_itself() {
    for (lists, status) in [
        ("allow = [\"unix\"]", 200),
        ("allow = [\"0.0.0.0/0\", \"::/0\"]", 403),
        ("deny = [\"unix\"]", 403),
        ("deny = [\"0.0.0.0/0\"]", 200),
    ] {
        let files = gatewright_tests::TestFiles::default();
        let socket = files.dir().join("socket");
        let gateway = files.start(&format!(
            r#"
            [listener.local]
            address = "unix:{}"

            [[route]]
            name = "one"
            path = "/"
            chain = [{{ use = "ip", {lists} }}]
            integration = {{ respond = 200 }}
            "#,
            socket.display()
        ));
        let response = RawClient::connect_unix(&socket).request("GET", "/", &[], b"");
        assert_eq!(response.status, status, "{lists}");
        drop(gateway);
    }
}
