//! Transforms that behave.

use bytes::Bytes;
use gatewright_config::ByteSize;
use gatewright_config::gateway::OnFault;
use gatewright_core::{Body, ProblemKind, Response};
use http::{HeaderValue, Method};

use crate::testing::{exchange, exchange_with, fail, integration, load, pass, stage, text};

#[tokio::test]
async fn a_request_and_its_response_are_rewritten() {
    let plugin = load("rewrites", |_| {}).await.unwrap();
    let stage = stage(&plugin, |_| {}).await;
    let mut exchange = exchange_with(&[("x-remove", "1"), ("content-length", "5")]);
    exchange.body = Body::full("hello");
    pass(&stage, &mut exchange).await;
    assert_eq!(exchange.request.target, "/rewritten/a");
    assert_eq!(exchange.request.headers.get("x-rewritten").unwrap(), "request");
    assert!(!exchange.request.headers.contains_key("x-remove"));
    assert!(!exchange.request.headers.contains_key("content-length"));
    assert!(exchange.attributes.get("plugin.rewrites.rewritten").is_some());
    assert_eq!(
        exchange.body.take().collect(100).await.unwrap(),
        Bytes::from("request:hello")
    );

    assert!(stage.sees_responses());
    let mut response = Response::new(Body::full("world"));
    response
        .headers_mut()
        .insert("content-length", HeaderValue::from_static("5"));
    stage.on_response(&mut exchange, &mut response).await.unwrap();
    assert_eq!(response.headers().get("x-rewritten").unwrap(), "response");
    assert!(!response.headers().contains_key("content-length"));
    assert_eq!(text(response).await, "response:world");
}

#[tokio::test]
async fn a_response_to_head_has_no_body_to_rewrite_and_keeps_its_length() {
    let plugin = load("rewrites", |_| {}).await.unwrap();
    let stage = stage(&plugin, |_| {}).await;
    let mut exchange = exchange();
    exchange.request.method = Method::HEAD;
    let mut response = Response::new(Body::empty());
    response
        .headers_mut()
        .insert("content-length", HeaderValue::from_static("5"));
    stage.on_response(&mut exchange, &mut response).await.unwrap();
    assert_eq!(response.headers().get("content-length").unwrap(), "5");
    assert!(response.body().is_empty());
}

#[tokio::test]
async fn bodies_over_the_limit_are_413_on_the_way_in_and_502_on_the_way_out() {
    let plugin = load("rewrites", |_| {}).await.unwrap();
    let stage = stage(&plugin, |stage| {
        stage.body_bytes = ByteSize(4);
        stage.on_fault = OnFault::Skip;
    });
    let stage = stage.await;
    let mut exchange = exchange();
    exchange.body = Body::full("hello");
    assert_eq!(fail(&stage, &mut exchange).await.kind(), ProblemKind::RequestTooLarge);
    let mut response = Response::new(Body::full("world"));
    let problem = stage.on_response(&mut exchange, &mut response).await.unwrap_err();
    assert_eq!(problem.kind(), ProblemKind::IntegrationFailure);
    assert!(problem.cause().unwrap().contains("`body` of its use"));
}

#[tokio::test]
async fn a_transform_that_fails_is_passed_over_when_the_route_says_so() {
    let plugin = load("rewrites-path", |_| {}).await.unwrap();
    let stage = stage(&plugin, |stage| stage.on_fault = OnFault::Skip).await;
    let mut exchange = exchange_with(&[("x-mode", "absolute")]);
    exchange.body = Body::full("kept");
    pass(&stage, &mut exchange).await;
    assert_eq!(exchange.request.target, "/a");
    assert_eq!(exchange.body.take().collect(100).await.unwrap(), Bytes::from("kept"));
}

#[tokio::test]
async fn an_integration_sees_the_request_as_the_chain_left_it() {
    let plugin = load("echo", |_| {}).await.unwrap();
    let integration = integration(&plugin, serde_json::Value::Null).await;
    let mut exchange = exchange_with(&[("x-one", "1"), ("x-one", "2")]);
    exchange.request.target = "/a/7?q=%20".parse().unwrap();
    exchange.parameters = gatewright_core::Parameters::new(&["id".into()].into(), ["7"].into_iter(), 1);
    exchange
        .attributes
        .set("auth.principal", gatewright_core::Value::Text("alice".to_owned()));
    exchange.body = Body::full("12345");
    let seen = text(integration.call(&mut exchange).await.unwrap()).await;
    let seen: serde_json::Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(seen["path"], "/a/7");
    assert_eq!(seen["query"], "q=%20");
    assert_eq!(seen["authority"], "Api.Example:8080");
    assert_eq!(seen["headers"], serde_json::json!([["x-one", "1"], ["x-one", "2"]]));
    assert_eq!(seen["body_length"], 5);
    assert_eq!(seen["peer"]["address"], "192.0.2.1");
    assert_eq!(seen["parameters"], serde_json::json!({ "id": "7" }));
    assert_eq!(seen["attributes"], serde_json::json!({ "auth.principal": "alice" }));
    assert!(seen["budget_ms"].as_u64().unwrap() > 1_000);
}
