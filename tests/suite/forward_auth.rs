//! The `forward-auth` stage end to end: what is asked, what becomes of the answer, and that no answer is a no.

use std::sync::Arc;

use gatewright_tests::{Origin, TestGateway, full, http};
use http::{Request, Response};

fn gateway(authz: &str, app: &Origin, settings: &str) -> TestGateway {
    TestGateway::start(&format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"

        [upstream.authz]
        targets = [{{ url = "{authz}/base" }}]

        [upstream.app]
        targets = [{{ url = "{}" }}]

        [[route]]
        name = "all"
        path = "/{{rest+}}"
        chain = [{{ use = "forward-auth", upstream = "authz", path = "/verify?x=1", copy = ["remote-user", "remote-groups"]{settings} }}]
        integration = {{ http = "app", headers = {{ x-principal = "{{auth.principal}}" }} }}
        "#,
        app.url()
    ))
}

/// Lets whoever has the cookie pass, and sends everybody else to log in.
fn authelia() -> Origin {
    Origin::start(|request: Request<_>| async move {
        let known = request
            .headers()
            .get("cookie")
            .is_some_and(|cookie| cookie == "session=good");
        let response = Response::builder();
        match known {
            true => response
                .header("remote-user", "alice")
                .header("remote-groups", "staff")
                .body(full("")),
            false => response
                .status(302)
                .header("location", "https://login.example.com/?rd=x")
                .header("set-cookie", "a=1")
                .header("set-cookie", "b=2")
                .header("content-type", "text/plain")
                .body(full("log in")),
        }
        .unwrap()
    })
}

#[test]
fn the_question_is_what_traefik_and_nginx_ask_and_never_has_the_body() {
    let (authz, app) = (authelia(), Origin::saying("hello"));
    let gateway = gateway(&authz.url(), &app, ", principal = \"remote-user\"");
    let forged = [
        ("cookie", "session=good"),
        ("x-forwarded-uri", "/public"),
        ("x-forwarded-method", "GET"),
        ("x-forwarded-host", "other.example"),
        ("x-original-url", "https://other.example/public"),
        ("remote-user", "admin"),
        ("remote-groups", "root"),
        ("content-type", "application/json"),
        ("if-none-match", "\"a\""),
    ];
    let response = http(
        gateway.addr("public"),
        "POST",
        "/a/./b?q=1",
        &forged,
        b"{\"secret\": 1}",
    );
    assert_eq!((response.status, response.text().as_str()), (200, "hello"));
    let question = authz.only_request();
    assert_eq!(
        (question.method.as_str(), question.target.as_str()),
        ("GET", "/base/verify?x=1")
    );
    assert!(question.body.is_empty() && question.complete);
    for (name, value) in [
        ("x-forwarded-method", "POST"),
        ("x-forwarded-uri", "/a/b?q=1"),
        ("x-forwarded-host", "localhost"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-original-method", "POST"),
        ("x-original-uri", "/a/b?q=1"),
        ("x-original-url", "http://localhost/a/b?q=1"),
    ] {
        let values: Vec<_> = question.headers.get_all(name).iter().collect();
        assert_eq!(values, [value], "{name}");
    }
    for absent in ["content-length", "content-type", "if-none-match"] {
        assert!(!question.headers.contains_key(absent), "{absent}");
    }
    let request = app.only_request();
    assert_eq!(request.body, b"{\"secret\": 1}");
    for (name, value) in [
        ("remote-user", "alice"),
        ("remote-groups", "staff"),
        ("x-principal", "alice"),
    ] {
        let values: Vec<_> = request.headers.get_all(name).iter().collect();
        assert_eq!(values, [value], "{name}");
    }
    assert_eq!(gateway.wait_for_records(1)[0]["principal"], "alice");
}

#[test]
fn another_answer_than_yes_is_what_the_client_gets() {
    let (authz, app) = (authelia(), Origin::saying("hello"));
    let gateway = gateway(&authz.url(), &app, "");
    let response = http(gateway.addr("public"), "GET", "/a", &[], b"");
    assert_eq!((response.status, response.text().as_str()), (302, "log in"));
    assert_eq!(response.header("location"), Some("https://login.example.com/?rd=x"));
    assert_eq!(response.header_values("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(app.hits(), 0);
    for status in [401, 403, 404] {
        let authz = Origin::start(move |_| async move {
            let response = Response::builder().status(status).header("www-authenticate", "Bearer");
            response.body(full("no")).unwrap()
        });
        let gateway = self::gateway(&authz.url(), &app, "");
        let response = http(gateway.addr("public"), "GET", "/a", &[], b"");
        assert_eq!(
            (response.status, response.header("www-authenticate")),
            (status, Some("Bearer"))
        );
    }
    assert_eq!(app.hits(), 0);
}

#[test]
fn what_cannot_be_decided_lets_nobody_pass() {
    let app = Origin::saying("hello");
    let failing = Origin::start(|_| async { Response::builder().status(503).body(full("")).unwrap() });
    let silent = Origin::start(|_| std::future::pending());
    let nameless = Origin::saying("");
    let huge = Origin::start(|_| async { Response::new(full(vec![b'a'; 2 << 20])) });
    for (what, url, settings) in [
        ("5xx", failing.url(), ""),
        ("no answer in time", silent.url(), ", timeout = \"200ms\""),
        ("nobody is there", "http://127.0.0.1:1".to_owned(), ""),
        ("yes, but to whom?", nameless.url(), ", principal = \"remote-user\""),
        ("more than anybody reads", huge.url(), ""),
    ] {
        let gateway = gateway(&url, &app, settings);
        let response = http(gateway.addr("public"), "GET", "/a", &[("remote-user", "admin")], b"");
        assert_eq!(
            (response.status, response.error()),
            (500, Some("AUTHORIZER_FAILURE")),
            "{what}"
        );
        let record = gateway.wait_for_records(1).remove(0);
        assert!(record["cause"].as_str().unwrap().contains("`authz`"), "{record}");
    }
    assert_eq!(app.hits(), 0);
}

#[test]
fn fields_that_only_the_answer_may_say_are_gone_when_it_does_not_say_them() {
    let (authz, app) = (Origin::saying(""), Origin::saying("hello"));
    let gateway = gateway(&authz.url(), &app, ", headers = [\"cookie\"]");
    let fields = [
        ("remote-user", "admin"),
        ("cookie", "a=1"),
        ("authorization", "Bearer x"),
    ];
    assert_eq!(http(gateway.addr("public"), "GET", "/a", &fields, b"").status, 200);
    assert!(!app.only_request().headers.contains_key("remote-user"));
    let question = authz.only_request();
    assert_eq!(question.headers["cookie"], "a=1");
    assert!(
        !question.headers.contains_key("authorization"),
        "only what the configuration names"
    );
}

#[test]
fn the_same_question_is_asked_once_and_another_one_again() {
    let (authz, app) = (Arc::new(authelia()), Origin::saying("hello"));
    let gateway = gateway(
        &authz.url(),
        &app,
        ", headers = [\"cookie\"], cache = \"1h\", principal = \"remote-user\"",
    );
    let ask = |path: &str, cookie: &str, note: &str| {
        let fields = [("cookie", cookie), ("x-note", note), ("remote-user", "admin")];
        (
            http(gateway.addr("public"), "GET", path, &fields, b"").status,
            authz.hits(),
        )
    };
    assert_eq!(ask("/a", "session=good", "1"), (200, 1));
    assert_eq!(
        ask("/a", "session=good", "2"),
        (200, 1),
        "it was not asked about that field"
    );
    assert_eq!(ask("/b", "session=good", "1"), (200, 2));
    assert_eq!(ask("/a?q", "session=good", "1"), (200, 3));
    assert_eq!(ask("/a", "session=bad", "1"), (302, 4));
    assert_eq!(ask("/a", "session=bad", "1"), (302, 5), "a no is not kept");
    assert!(
        app.requests()
            .iter()
            .all(|request| request.headers["remote-user"] == "alice")
    );
}

/// Says yes, and something to the client.
fn renewing() -> Origin {
    Origin::start(|_| async {
        let answer = Response::builder()
            .header("remote-user", "alice")
            .header("set-cookie", "session=2; HttpOnly")
            .header("set-cookie", "csrf=3")
            .header("x-auth-quota", "7");
        answer.body(full("yes")).unwrap()
    })
}

#[test]
fn what_a_yes_says_to_the_client_goes_along_with_the_response_and_to_no_upstream() {
    let authz = renewing();
    let app = Origin::start(|_| async {
        let response = Response::builder()
            .header("set-cookie", "own=1")
            .header("x-auth-quota", "forged")
            .header("cache-control", "public, max-age=60")
            .header("cdn-cache-control", "max-age=60");
        response.body(full("hello")).unwrap()
    });
    let gateway = gateway(&authz.url(), &app, "");
    let response = http(gateway.addr("public"), "GET", "/a", &[], b"");
    assert_eq!((response.status, response.text().as_str()), (200, "hello"));
    assert_eq!(
        response.header_values("set-cookie"),
        ["own=1", "session=2; HttpOnly", "csrf=3"]
    );
    // With a session in it the response is nobody else's.
    assert_eq!(response.header_values("cache-control"), ["private, no-store"]);
    assert_eq!(response.header("cdn-cache-control"), None);
    assert_eq!(
        response.header("x-auth-quota"),
        Some("forged"),
        "nobody has asked for the answer's"
    );
    assert!(!app.only_request().headers.contains_key("set-cookie"));
    let gateway = self::gateway(&authz.url(), &app, ", to_client = [\"x-auth-quota\"]");
    let response = http(gateway.addr("public"), "GET", "/a", &[], b"");
    assert_eq!(response.header_values("x-auth-quota"), ["7"]);
    assert_eq!(response.header_values("set-cookie"), ["own=1"]);
    assert_eq!(response.header("cache-control"), Some("public, max-age=60"));
}

#[test]
fn a_session_that_was_renewed_reaches_the_client_of_a_request_that_fails_later() {
    let authz = renewing();
    let gateway = gateway(
        &authz.url(),
        &Origin::saying(""),
        "}, { use = \"ip\", deny = [\"127.0.0.1\"]",
    );
    let response = http(gateway.addr("public"), "GET", "/a", &[], b"");
    assert_eq!(response.status, 403);
    assert_eq!(response.header_values("set-cookie").len(), 2);
}
