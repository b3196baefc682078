//! The `lambda-authorizer` stage end to end: the events that it sends, and what its answers mean at Amazon API Gateway.

use gatewright_tests::{Origin, OriginBody, RawResponse, TestGateway, full, http};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

const ARN: &str = "arn:aws:execute-api:eu-central-1:123456789012:orders/prod";

fn gateway(lambda: &Origin, app: &Origin, settings: &str) -> TestGateway {
    TestGateway::start(&format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"

        [upstream.lambda]
        targets = [{{ url = "{}" }}]

        [upstream.app]
        targets = [{{ url = "{}" }}]

        [[route]]
        name = "order"
        path = "/orders/{{id}}"
        chain = [{{ use = "lambda-authorizer", upstream = "lambda", path = "/2015-03-31/functions/auth/invocations", region = "eu-central-1", api = "orders", stage_name = "prod", stage_variables = {{ tier = "gold" }}{settings} }}]
        integration = {{ http = "app", headers = {{ x-user = "{{auth.principal}}", x-tenant = "{{auth.tenant}}", x-level = "{{auth.level}}", x-key = "{{auth.usage_key}}" }} }}
        "#,
        lambda.url(),
        app.url()
    ))
}

/// Answers every event with this.
fn lambda(answer: Value) -> Origin {
    Origin::start(move |request: Request<OriginBody>| {
        let answer = answer.to_string();
        async move {
            let _ = request.into_body().collect().await;
            Response::new(full(answer))
        }
    })
}

fn policy(effect: &str, resources: &[String]) -> Value {
    json!({
        "principalId": "user-7",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{ "Action": "execute-api:Invoke", "Effect": effect, "Resource": resources }],
        },
        "context": { "tenant": "blue", "level": 3 },
        "usageIdentifierKey": "key-of-user-7",
    })
}

fn ask(gateway: &TestGateway, method: &str, path: &str, token: &str) -> RawResponse {
    http(gateway.addr("public"), method, path, &[("authorization", token)], b"")
}

fn event(lambda: &Origin) -> Value {
    let request = lambda.only_request();
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", "/2015-03-31/functions/auth/invocations")
    );
    assert_eq!(request.headers["content-type"], "application/json");
    serde_json::from_slice(&request.body).unwrap()
}

#[test]
fn a_token_event_has_the_token_and_the_method() {
    let (lambda, app) = (
        lambda(policy("Allow", &[format!("{ARN}/GET/orders/*")])),
        Origin::saying("hello"),
    );
    let gateway = gateway(&lambda, &app, ", event = \"token\"");
    assert_eq!(ask(&gateway, "GET", "/orders/7", "Bearer t").status, 200);
    assert_eq!(
        event(&lambda),
        json!({ "type": "TOKEN", "authorizationToken": "Bearer t", "methodArn": format!("{ARN}/GET/orders/7") })
    );
    let request = app.only_request();
    for (name, value) in [
        ("x-user", "user-7"),
        ("x-tenant", "blue"),
        ("x-level", "3"),
        ("x-key", "key-of-user-7"),
    ] {
        assert_eq!(request.headers[name], value, "{name}");
    }
    assert_eq!(gateway.wait_for_records(1)[0]["principal"], "user-7");
}

#[test]
fn a_request_event_1_0_has_what_amazon_says_it_has() {
    let (lambda, app) = (lambda(policy("Allow", &["*".to_owned()])), Origin::saying("hello"));
    let gateway = gateway(
        &lambda,
        &app,
        ", event = \"request-1.0\", identity = [\"header:authorization\", \"query:k\"]",
    );
    let fields = [
        ("authorization", "t"),
        ("x-a", "1"),
        ("x-a", "2"),
        ("user-agent", "test"),
    ];
    let response = http(
        gateway.addr("public"),
        "POST",
        "/orders/a%20b?k=v%2F1&m=1&m=2",
        &fields,
        b"{}",
    );
    assert_eq!(response.status, 200);
    let event = event(&lambda);
    for (pointer, value) in [
        ("/version", json!("1.0")),
        ("/type", json!("REQUEST")),
        ("/methodArn", json!(format!("{ARN}/POST/orders/a%20b"))),
        ("/identitySource", json!("t,v/1")),
        ("/resource", json!("/orders/{id}")),
        ("/path", json!("/orders/a%20b")),
        ("/httpMethod", json!("POST")),
        ("/headers/x-a", json!("2")),
        ("/multiValueHeaders/x-a", json!(["1", "2"])),
        ("/queryStringParameters", json!({ "k": "v/1", "m": "2" })),
        ("/multiValueQueryStringParameters/m", json!(["1", "2"])),
        ("/pathParameters", json!({ "id": "a b" })),
        ("/stageVariables", json!({ "tier": "gold" })),
        ("/requestContext/identity/sourceIp", json!("127.0.0.1")),
        ("/requestContext/identity/userAgent", json!("test")),
        ("/requestContext/resourcePath", json!("/orders/{id}")),
        ("/requestContext/stage", json!("prod")),
        ("/requestContext/apiId", json!("orders")),
        ("/requestContext/protocol", json!("HTTP/1.1")),
    ] {
        assert_eq!(event.pointer(pointer), Some(&value), "{pointer}: {event}");
    }
    assert!(event["requestContext"]["requestTimeEpoch"].as_u64().unwrap() > 1_700_000_000_000);
    assert!(event.get("body").is_none(), "{event}");
}

#[test]
fn a_request_event_2_0_has_what_amazon_says_it_has() {
    let (lambda, app) = (
        lambda(json!({ "isAuthorized": true, "context": { "tenant": "red" } })),
        Origin::saying("hello"),
    );
    let gateway = gateway(&lambda, &app, "");
    let fields = [
        ("authorization", "t"),
        ("x-a", "1"),
        ("x-a", "2"),
        ("cookie", "a=1; b=2"),
    ];
    let response = http(gateway.addr("public"), "GET", "/orders/7?m=1&m=2", &fields, b"");
    assert_eq!(response.status, 200);
    let event = event(&lambda);
    for (pointer, value) in [
        ("/version", json!("2.0")),
        ("/type", json!("REQUEST")),
        ("/routeArn", json!(format!("{ARN}/GET/orders/7"))),
        ("/identitySource", json!(["t"])),
        ("/routeKey", json!("GET /orders/{id}")),
        ("/rawPath", json!("/orders/7")),
        ("/rawQueryString", json!("m=1&m=2")),
        ("/cookies", json!(["a=1", "b=2"])),
        ("/headers/x-a", json!("1,2")),
        ("/headers/host", json!("localhost")),
        ("/queryStringParameters", json!({ "m": "1,2" })),
        ("/pathParameters", json!({ "id": "7" })),
        ("/requestContext/http/method", json!("GET")),
        ("/requestContext/http/sourceIp", json!("127.0.0.1")),
        ("/requestContext/authentication", json!(null)),
        ("/requestContext/domainName", json!("localhost")),
    ] {
        assert_eq!(event.pointer(pointer), Some(&value), "{pointer}: {event}");
    }
    let request = app.only_request();
    assert_eq!(request.headers["x-tenant"], "red");
    assert!(!request.headers.contains_key("x-user"), "nobody said who it is");
}

#[test]
fn a_policy_is_for_the_method_that_is_called_and_a_deny_wins() {
    let app = Origin::saying("hello");
    let allow = |resource: &str| json!({ "Effect": "Allow", "Action": "execute-api:*", "Resource": resource });
    let deny = |resource: &str| json!({ "Effect": "Deny", "Action": "execute-api:Invoke", "Resource": [resource] });
    let all = format!("{ARN}/*");
    let with_condition =
        |condition: Value| json!([{ "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition }]);
    for (statements, expected) in [
        (json!([allow(&all)]), 200),
        (json!(allow(&format!("{ARN}/GET/orders/?"))), 200),
        (json!([allow(&format!("{ARN}/POST/*"))]), 403),
        (json!([allow(&format!("{ARN}/GET/orders"))]), 403),
        (json!([]), 403),
        (json!([allow(&all), deny(&format!("{ARN}/GET/*"))]), 403),
        (json!([deny(&format!("{ARN}/DELETE/*")), allow(&all)]), 200),
        (json!([{ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }]), 403),
        (
            json!([{ "Effect": "Allow", "NotAction": "s3:*", "NotResource": "arn:aws:s3:*" }]),
            200,
        ),
        (
            with_condition(json!({ "IpAddress": { "aws:SourceIp": "127.0.0.0/8" } })),
            200,
        ),
        (
            with_condition(json!({ "IpAddress": { "aws:SourceIp": ["10.0.0.0/8"] } })),
            403,
        ),
        (
            with_condition(json!({ "Bool": { "aws:SecureTransport": "true" } })),
            403,
        ),
    ] {
        let answer = json!({ "principalId": "u", "policyDocument": { "Statement": statements } });
        let lambda = lambda(answer.clone());
        let gateway = gateway(&lambda, &app, ", event = \"token\"");
        let response = ask(&gateway, "GET", "/orders/7", "t");
        assert_eq!(response.status, expected, "{answer}");
        if expected == 403 {
            assert_eq!(response.error(), Some("ACCESS_DENIED"));
        }
    }
}

#[test]
fn without_its_identity_a_request_is_401_and_nobody_is_asked() {
    let (lambda, app) = (lambda(json!({ "isAuthorized": true })), Origin::saying("hello"));
    let settings = ", identity = [\"header:authorization\", \"query:k\"], validation = \"^Bearer [a-z]+$\"";
    let gateway = gateway(&lambda, &app, settings);
    for (path, fields) in [
        ("/orders/7?k=1", &[][..]),
        ("/orders/7?k=1", &[("authorization", "")]),
        ("/orders/7", &[("authorization", "Bearer a")]),
        ("/orders/7?k=", &[("authorization", "Bearer a")]),
        ("/orders/7?k=1", &[("authorization", "Basic a")]),
        (
            "/orders/7?k=1",
            &[("authorization", "Bearer a"), ("authorization", "Bearer b")],
        ),
    ] {
        let response = http(gateway.addr("public"), "GET", path, fields, b"");
        assert_eq!(
            (response.status, response.error()),
            (401, Some("UNAUTHORIZED")),
            "{path} {fields:?}"
        );
        assert!(response.header("www-authenticate").is_some());
    }
    assert_eq!(lambda.hits(), 0);
    assert_eq!(ask(&gateway, "GET", "/orders/7?k=1", "Bearer a").status, 200);
}

#[test]
fn unauthorized_is_401_no_is_403_and_whatever_else_is_500() {
    let app = Origin::saying("hello");
    for (answer, status, error) in [
        (
            json!({ "errorMessage": "Unauthorized", "errorType": "Error" }),
            401,
            "UNAUTHORIZED",
        ),
        (json!({ "isAuthorized": false }), 403, "ACCESS_DENIED"),
        (json!({ "errorMessage": "Task timed out" }), 500, "AUTHORIZER_FAILURE"),
        (json!({ "isAuthorized": "true" }), 500, "AUTHORIZER_FAILURE"),
        (json!({}), 500, "AUTHORIZER_FAILURE"),
        (json!("yes"), 500, "AUTHORIZER_FAILURE"),
        (
            json!({ "principalId": "u", "policyDocument": { "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*",
                    "Condition": { "StringIs": { "a": "b" } } } } }),
            500,
            "AUTHORIZER_FAILURE",
        ),
    ] {
        let lambda = lambda(answer.clone());
        let gateway = gateway(&lambda, &app, "");
        let response = ask(&gateway, "GET", "/orders/7", "t");
        assert_eq!((response.status, response.error()), (status, Some(error)), "{answer}");
    }
    let failing = Origin::start(|_| async { Response::builder().status(502).body(full("{}")).unwrap() });
    let handled = Origin::start(|_| async {
        let response = Response::builder().header("x-amz-function-error", "Unhandled");
        response.body(full("{\"isAuthorized\":true}")).unwrap()
    });
    let silent = Origin::start(|_| std::future::pending());
    for (lambda, settings) in [(failing, ""), (handled, ""), (silent, ", timeout = \"200ms\"")] {
        let gateway = gateway(&lambda, &app, settings);
        let response = ask(&gateway, "GET", "/orders/7", "t");
        assert_eq!((response.status, response.error()), (500, Some("AUTHORIZER_FAILURE")));
    }
    assert_eq!(app.hits(), 0);
}

#[test]
fn a_kept_policy_is_evaluated_again_for_each_method_and_is_for_one_identity() {
    let resources = [format!("{ARN}/GET/orders/7"), format!("{ARN}/GET/orders/8")];
    let (lambda, app) = (lambda(policy("Allow", &resources)), Origin::saying("hello"));
    let gateway = gateway(&lambda, &app, ", event = \"token\", cache = \"300s\"");
    let ask = |method: &str, path: &str, token: &str| (ask(&gateway, method, path, token).status, lambda.hits());
    assert_eq!(ask("GET", "/orders/7", "a"), (200, 1));
    assert_eq!(ask("GET", "/orders/8", "a"), (200, 1));
    assert_eq!(ask("GET", "/orders/9", "a"), (403, 1));
    assert_eq!(ask("POST", "/orders/7", "a"), (403, 1));
    assert_eq!(ask("GET", "/orders/7", "b"), (200, 2));
}
