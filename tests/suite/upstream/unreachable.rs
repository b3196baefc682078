//! U1: nobody is there, or it is somebody else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use gatewright_tests::raw_origin::read_head;
use gatewright_tests::{Certificates, Origin, RawOrigin, http};

use super::{proxy, proxy_to, refusing};

#[test]
fn u1_a_refused_connection_is_503_and_says_when_to_come_back() {
    let (_socket, addr) = refusing();
    let gateway = proxy(&format!("http://{addr}"));
    let response = http(gateway.addr("public"), "GET", "/x", &[], b"");
    assert_eq!((response.status, response.error()), (503, Some("UPSTREAM_UNAVAILABLE")));
    assert_eq!(response.header("retry-after"), Some("1"));
    assert!(response.header("x-request-id").is_some());
    assert!(
        !response.text().contains("127.0.0.1"),
        "inner text: {}",
        response.text()
    );
    let record = gateway.wait_for_records(1).remove(0);
    assert_eq!(
        (&record["status"], &record["outcome"], &record["error"]),
        (&503.into(), &"failed".into(), &"UPSTREAM_UNAVAILABLE".into())
    );
    assert!(
        record["cause"].as_str().unwrap().contains(&addr.to_string()),
        "{record}"
    );
}

#[test]
fn u1_a_name_without_address_is_503() {
    let gateway = proxy("http://no-such-host.invalid:80");
    let response = http(gateway.addr("public"), "GET", "/x", &[], b"");
    assert_eq!((response.status, response.error()), (503, Some("UPSTREAM_UNAVAILABLE")));
}

#[test]
fn u1_a_certificate_of_another_name_is_502_and_nothing_is_sent() {
    let certificates = Certificates::new();
    let origin = Origin::start_tls(certificates.server("wrong"), |_| async {
        unreachable!("a request was sent")
    });
    let ca = format!("ca = \"{}\"", certificates.path("ca.pem"));
    let gateway = proxy_to(&[&format!("https://localhost:{}", origin.addr().port())], &ca, "");
    let response = http(gateway.addr("public"), "POST", "/x", &[], b"secret");
    assert_eq!((response.status, response.error()), (502, Some("INTEGRATION_FAILURE")));
    assert_eq!(origin.hits(), 0);
}

#[test]
fn u1_a_certificate_of_an_unknown_authority_is_502() {
    let (theirs, ours) = (Certificates::new(), Certificates::new());
    let origin = Origin::start_tls(theirs.server("server"), |_| async {
        unreachable!("a request was sent")
    });
    let ca = format!("ca = \"{}\"", ours.path("ca.pem"));
    let gateway = proxy_to(&[&format!("https://localhost:{}", origin.addr().port())], &ca, "");
    assert_eq!(http(gateway.addr("public"), "GET", "/x", &[], b"").status, 502);
}

#[test]
fn u1_a_server_that_speaks_no_tls_is_502() {
    let certificates = Certificates::new();
    let origin = Origin::saying("cleartext");
    let ca = format!("ca = \"{}\"", certificates.path("ca.pem"));
    let gateway = proxy_to(&[&format!("https://localhost:{}", origin.addr().port())], &ca, "");
    assert_eq!(http(gateway.addr("public"), "GET", "/x", &[], b"").status, 502);
    assert_eq!(origin.hits(), 0);
}

#[test]
fn u1_a_target_that_refuses_is_passed_over_whatever_the_method() {
    let (_socket, addr) = refusing();
    let origin = Origin::saying("ok");
    let gateway = proxy_to(&[&format!("http://{addr}"), &origin.url()], "", "");
    for number in 0..20 {
        let response = http(gateway.addr("public"), "POST", "/x", &[], b"body");
        assert_eq!(
            (response.status, response.text().as_str()),
            (200, "ok"),
            "request {number}"
        );
    }
    assert_eq!(origin.hits(), 20);
    assert!(origin.requests().iter().all(|request| request.body == b"body"));
}

#[test]
fn u1_a_post_reaches_at_most_one_upstream() {
    // One target takes requests and hangs up; the other one answers.
    let seen = Arc::<Mutex<HashMap<String, usize>>>::default();
    let counting = Arc::clone(&seen);
    let unkind = RawOrigin::start(move |mut socket| {
        let counting = Arc::clone(&counting);
        async move {
            let head = String::from_utf8(read_head(&mut socket).await).unwrap();
            if let Some(number) = head.split("/n").nth(1).and_then(|rest| rest.split(' ').next()) {
                *counting.lock().unwrap().entry(number.to_owned()).or_default() += 1;
            }
        }
    });
    let origin = Origin::saying("ok");
    // Nobody is left out, however unkind.
    let gateway = proxy_to(&[&unkind.url(), &origin.url()], "ejection = { failures = 0 }", "");
    let mut failed = 0;
    for number in 0..30 {
        let response = http(gateway.addr("public"), "POST", &format!("/n{number}"), &[], b"pay");
        failed += usize::from(response.status == 502);
        assert!(matches!(response.status, 200 | 502), "{response:?}");
    }
    let seen = seen.lock().unwrap();
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
    assert_eq!((seen.len(), origin.hits()), (failed, 30 - failed));
    assert_eq!(failed, 15, "each target has its turn");
}
