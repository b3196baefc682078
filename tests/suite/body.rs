//! The `body` stage end to end: what upstreams and clients get is made of what came, or nothing is changed at all.

use gatewright_tests::{Origin, RawResponse, TestFiles, TestGateway, full, http};
use http::Response;
use serde_json::json;

use crate::setup::routed;

fn config(origin: &Origin, stages: &str) -> String {
    routed(
        &origin.url(),
        &format!(
            "[[route]]\nname = \"it\"\npath = \"/{{id}}\"\nchain = [{stages}]\nintegration = {{ http = \"app\" }}\n"
        ),
    )
}

fn post(gateway: &TestGateway, content_type: &str, body: &[u8]) -> RawResponse {
    let fields = [("content-type", content_type), ("x-tenant", "acme")];
    http(gateway.addr("public"), "POST", "/a%20b?q=1&q=2&r=x", &fields, body)
}

fn saying(status: u16, content_type: &'static str, body: &'static str) -> Origin {
    Origin::start(move |_| async move {
        let response = Response::builder()
            .status(status)
            .header("content-type", content_type)
            .header("etag", "\"v1\"");
        response.body(full(body)).unwrap()
    })
}

#[test]
fn a_request_gets_a_body_made_of_what_is_known_of_it() {
    let origin = Origin::saying("ok");
    let template = r#"{"id":{{ path.id }},"q":{{ request.query.q }},"tenant":{{ request.headers["x-tenant"] }},"name":{{ request.body.user.name }},"total":{{ request.body | jsonpath("$.items[*].price") | sum }},"region":{{ variables.region }},"cid":{{ attributes.correlation.id }},"none":{{ request.body.nothing.at.all }}}"#;
    let stages = format!(
        "{{ use = \"correlation-id\" }}, {{ use = \"body\", request = {{ template = '{template}' }}, variables = {{ region = \"eu\" }} }}"
    );
    let gateway = TestGateway::start(&config(&origin, &stages));
    let body = json!({ "user": { "name": "\"},{\"x\":1" }, "items": [{ "price": 1 }, { "price": 2.5 }] });
    assert_eq!(
        post(&gateway, "application/json", body.to_string().as_bytes()).status,
        200
    );
    let request = origin.only_request();
    let made: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        (
            &made["id"],
            &made["q"],
            &made["tenant"],
            &made["name"],
            &made["total"],
            &made["region"],
            &made["none"]
        ),
        (
            &json!("a b"),
            &json!(["1", "2"]),
            &json!("acme"),
            &json!("\"},{\"x\":1"),
            &json!(3.5),
            &json!("eu"),
            &json!(null)
        )
    );
    assert_eq!(made["cid"], request.headers["x-correlation-id"].to_str().unwrap());
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["content-length"], request.body.len().to_string());
}

#[test]
fn forms_and_xml_are_read_and_made() {
    let origin = Origin::saying("ok");
    let to_form = "{ use = \"body\", request = { template = '{{ request.body | form }}', content_type = \"application/x-www-form-urlencoded\" } }";
    let gateway = TestGateway::start(&config(&origin, to_form));
    assert_eq!(
        post(&gateway, "application/json", br#"{"a":"x y&z","b":[1,true]}"#).status,
        200
    );
    let to_xml = "{ use = \"body\", request = { template = '{{ request.body | xml(\"order\") }}', content_type = \"application/xml\" } }";
    let gateway = TestGateway::start(&config(&origin, to_xml));
    let form = "application/x-www-form-urlencoded";
    assert_eq!(post(&gateway, form, b"item=%3Cx%3E&item=2").status, 200);
    let to_json = "{ use = \"body\", request = { template = '{{ request.body }}' } }";
    let gateway = TestGateway::start(&config(&origin, to_json));
    assert_eq!(
        post(&gateway, "text/xml", b"<a k='v'><b>1</b><b>&#50;</b>t</a>").status,
        200
    );
    let bodies: Vec<_> = origin.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(String::from_utf8_lossy(&bodies[0]), "a=x+y%26z&b=1&b=true");
    assert_eq!(
        String::from_utf8_lossy(&bodies[1]),
        "<order><item>&lt;x&gt;</item><item>2</item></order>"
    );
    let made: serde_json::Value = serde_json::from_slice(&bodies[2]).unwrap();
    assert_eq!(made, json!({ "a": { "@k": "v", "b": ["1", "2"], "#text": "t" } }));
}

#[test]
fn c22_xml_with_entities_is_refused_and_so_is_what_else_cannot_be_read() {
    let origin = Origin::saying("ok");
    let stage = "{ use = \"body\", body = \"100KiB\", request = { template = '{{ request.body }}' } }";
    let gateway = TestGateway::start(&config(&origin, stage));
    let deep = "<a>".repeat(10_000) + &"</a>".repeat(10_000);
    for (content_type, body) in [
        ("text/xml", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"),
        ("text/xml", "<a>&unknown;</a>"),
        ("text/xml", deep.as_str()),
        ("text/xml", "<a>"),
        ("application/json", "{\"a\":1,\"a\":2}"),
        ("application/json", "{"),
    ] {
        let refused = post(&gateway, content_type, body.as_bytes());
        assert_eq!(
            (refused.status, refused.error()),
            (400, Some("BAD_REQUEST_BODY")),
            "{content_type}"
        );
    }
    let long = format!("\"{}\"", "x".repeat(200 << 10));
    assert_eq!(post(&gateway, "application/json", long.as_bytes()).status, 413);
    let fields = [("content-type", "application/json"), ("content-encoding", "gzip")];
    assert_eq!(http(gateway.addr("public"), "POST", "/a", &fields, b"x").status, 415);
    assert_eq!(origin.hits(), 0);
}

#[test]
fn a_template_that_fails_is_500_with_its_line_in_the_log_and_nothing_reaches_the_upstream() {
    let origin = Origin::saying("ok");
    let template = "{% macro f(n) %}{{ f(n) }}{% endmacro %}\\n{% if request.query.r == 'x' %}{{ f(1) }}{% endif %}{}";
    let stage = format!("{{ use = \"body\", request = {{ template = \"{template}\" }} }}");
    let gateway = TestGateway::start(&config(&origin, &stage));
    let failed = post(&gateway, "application/json", b"{\"secret\":\"hunter2\"}");
    assert_eq!((failed.status, failed.error()), (500, Some("API_CONFIGURATION_ERROR")));
    assert_eq!(failed.json()["message"], "Internal Server Error");
    let cause = gateway.wait_for_records(1)[0]["cause"].as_str().unwrap().to_owned();
    assert!(
        cause.contains("request.template") && cause.contains("line") && !cause.contains("hunter2"),
        "{cause}"
    );
    assert_eq!(origin.hits(), 0);
    assert_eq!(http(gateway.addr("public"), "POST", "/a", &[], b"x").status, 200);
    let much = "{ use = \"body\", output = \"1KiB\", request = { template = '\"{{ request.text }}\"', content_type = \"text/plain\" } }";
    let gateway = TestGateway::start(&config(&origin, much));
    assert_eq!(post(&gateway, "text/plain", &[b'x'; 2000]).status, 500);
    for wrong in ["'{% if %}'", "'{{ a '"] {
        let stage = format!("{{ use = \"body\", request = {{ template = {wrong} }} }}");
        let refused = TestGateway::try_start(&config(&origin, &stage)).err().unwrap();
        assert!(refused.contains("line 1"), "{refused}");
    }
}

#[test]
fn a_response_gets_a_body_where_its_status_is_meant() {
    let origin = saying(
        200,
        "application/json",
        r#"{"users":[{"name":"Ada"},{"name":"Grace"}]}"#,
    );
    let template = r#"{"status":{{ response.status }},"names":{{ response.body | jsonpath("$.users[*].name") }},"method":{{ request.method }}}"#;
    let stage = format!("{{ use = \"body\", response = {{ template = '{template}' }} }}");
    let gateway = TestGateway::start(&config(&origin, &stage));
    let made = http(gateway.addr("public"), "GET", "/a", &[], b"");
    assert_eq!(
        made.json(),
        json!({ "status": 200, "names": ["Ada", "Grace"], "method": "GET" })
    );
    assert_eq!(made.header("etag"), Some("W/\"v1\""));
    let head = gatewright_tests::RawClient::connect(gateway.addr("public")).request("HEAD", "/a", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    let missing = saying(404, "text/plain", "nothing here");
    let gateway = TestGateway::start(&config(&missing, &stage));
    assert_eq!(
        http(gateway.addr("public"), "GET", "/a", &[], b"").body,
        b"nothing here"
    );
    let stage = stage.replace("response =", "statuses = [\"404\"], response =");
    let gateway = TestGateway::start(&config(&missing, &stage));
    assert_eq!(
        http(gateway.addr("public"), "GET", "/a", &[], b"").json()["status"],
        404
    );
    let broken = saying(200, "application/json", "{");
    let stage = format!("{{ use = \"body\", response = {{ template = '{template}' }} }}");
    let gateway = TestGateway::start(&config(&broken, &stage));
    let failed = http(gateway.addr("public"), "GET", "/a", &[], b"");
    assert_eq!((failed.status, failed.error()), (502, Some("INTEGRATION_FAILURE")));
}

#[test]
fn a_template_file_is_read_again_when_it_changes() {
    let origin = Origin::saying("ok");
    let stage = "{ use = \"body\", response = { file = \"t.j2\", content_type = \"text/plain; charset=utf-8\" } }";
    let gateway = TestFiles::default().with("t.j2", "one").start(&config(&origin, stage));
    let get = || http(gateway.addr("public"), "GET", "/a", &[], b"");
    assert_eq!(
        (get().text().as_str(), get().header("content-type")),
        ("one", Some("text/plain; charset=utf-8"))
    );
    gateway.write("t.j2", "two");
    gatewright_tests::eventually("the new template", || (get().text() == "two").then_some(()));
    gateway.write("t.j2", "{% nonsense %}");
    let refused = gateway.reload().unwrap_err();
    assert!(refused.contains("t.j2:1:4: route `it`: "), "{refused}");
}

#[test]
fn numbers_are_as_they_were_or_refused() {
    let origin = Origin::saying("ok");
    let template = r#"{"all":{{ request.body }},"first":{{ (request.body | jsonpath("$.n"))[0] }}}"#;
    let stages = format!("{{ use = \"body\", request = {{ template = '{template}' }} }}");
    let gateway = TestGateway::start(&config(&origin, &stages));
    for number in [
        "18446744073709551615",
        "-9223372036854775808",
        "0.1",
        "3.141592653589793",
        "1.0",
    ] {
        let body = format!("{{\"n\":{number}}}");
        assert_eq!(
            post(&gateway, "application/json", body.as_bytes()).status,
            200,
            "{number}"
        );
        let made = String::from_utf8(origin.requests().pop().unwrap().body).unwrap();
        assert_eq!(made, format!("{{\"all\":{{\"n\":{number}}},\"first\":{number}}}"));
    }
    let hits = origin.hits();
    for number in [
        "18446744073709551616",
        "123456789012345678e3",
        "3.14159265358979323846",
        "0.10000000000000000001",
        "1e-400",
    ] {
        let body = format!("{{\"a\":\"12\",\"n\":{number}}}");
        let refused = post(&gateway, "application/json", body.as_bytes());
        assert_eq!(
            (refused.status, refused.error()),
            (400, Some("BAD_REQUEST_BODY")),
            "{number}"
        );
        assert!(!refused.text().contains(number));
    }
    assert_eq!(origin.hits(), hits);
    let record = gateway.wait_for_records(10).pop().unwrap();
    assert!(record["cause"].as_str().unwrap().contains("more digits"), "{record}");
    // In the other direction it is the upstream's fault.
    let origin = saying(200, "application/json", "{\"n\":18446744073709551616}");
    let stages = "{ use = \"body\", response = { template = '{{ response.body.n }}', content_type = \"text/plain\" } }";
    let gateway = TestGateway::start(&config(&origin, stages));
    assert_eq!(http(gateway.addr("public"), "GET", "/x", &[], b"").status, 502);
}
