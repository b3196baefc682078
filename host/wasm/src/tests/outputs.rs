//! What comes out of a plugin is checked before anything of it is used.

use gatewright_core::{Body, Exchange, Flow, ProblemKind, Response};
use serde_json::Value;

use crate::testing::{exchange_with, fail, integration, load, pass, refuse, stage};

/// Modes of `bad-output` that no answer may have.
const NEVER: [&str; 30] = [
    "cr-in-value",
    "lf-in-value",
    "crlf-in-value",
    "split",
    "nul-in-value",
    "control-in-value",
    "delete-in-value",
    "crlf-in-name",
    "nul-in-name",
    "space-in-name",
    "colon-in-name",
    "unicode-in-name",
    "empty-name",
    "pseudo-name",
    "long-name",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "host",
    "host-upper",
    "proxy-connection",
    "proxy-authorization",
    "gatewright-error",
    "status-0",
    "status-100",
    "status-600",
    "status-65535",
];

fn mode(mode: &str) -> Exchange {
    exchange_with(&[("x-mode", mode)])
}

fn is_refused(kind: ProblemKind) -> bool {
    matches!(
        kind,
        ProblemKind::PluginOutputInvalid | ProblemKind::PluginOutputTooLarge
    )
}

#[tokio::test]
async fn no_bad_field_or_status_of_an_answer_gets_out() {
    let plugin = load("bad-output", |_| {}).await.unwrap();
    let integration = integration(&plugin, Value::Null).await;
    for bad in NEVER {
        let problem = integration.call(&mut mode(bad)).await.err().unwrap();
        assert!(is_refused(problem.kind()), "{bad}: {problem}");
        let cause = problem.cause().unwrap();
        assert!(
            cause.contains("plugin `bad-output`") && !cause.contains("set-cookie"),
            "{bad}: {cause}"
        );
    }
    for fine in ["high-bytes", "empty-value", "content-length", "forwarded", "fine"] {
        let response = integration.call(&mut mode(fine)).await.unwrap();
        assert!(!response.headers().contains_key("content-length"), "{fine}");
    }
}

#[tokio::test]
async fn edits_are_applied_all_or_none() {
    let plugin = load("bad-output", |_| {}).await.unwrap();
    let stage = stage(&plugin, |_| {}).await;
    for bad in NEVER.iter().filter(|mode| !mode.starts_with("status")) {
        let mut exchange = exchange_with(&[("x-mode", bad)]);
        let before = exchange.request.headers.clone();
        fail(&stage, &mut exchange).await;
        assert_eq!(exchange.request.headers, before, "{bad}");
    }
    for bad in NEVER {
        let mut exchange = mode(bad);
        let mut response = Response::new(Body::full("upstream"));
        let problem = stage.on_response(&mut exchange, &mut response).await.unwrap_err();
        assert!(is_refused(problem.kind()), "{bad}: {problem}");
        assert!(response.headers().is_empty() && response.status() == 200, "{bad}");
    }
}

#[tokio::test]
async fn request_edits_of_what_the_gateway_says_about_the_client_are_refused() {
    let plugin = load("bad-output", |_| {}).await.unwrap();
    let stage = stage(&plugin, |_| {}).await;
    fail(&stage, &mut mode("forwarded")).await;
}

#[tokio::test]
async fn floods_are_refused_whatever_they_are_made_of() {
    let plugin = load("floods-output", |config| {
        config.memory = gatewright_config::ByteSize(64 << 20);
        config.cpu = std::time::Duration::from_secs(5);
    });
    let plugin = plugin.await.unwrap();
    let integration = integration(&plugin, Value::Null).await;
    for flood in ["body", "fields", "value", "name"] {
        refuse(&integration, &mut mode(flood), ProblemKind::PluginOutputTooLarge).await;
    }
    let stage = stage(&plugin, |_| {}).await;
    for flood in ["attributes", "attribute", "scopes", "principal", "statements", "fields"] {
        let problem = fail(&stage, &mut mode(flood)).await;
        assert_eq!(problem.kind(), ProblemKind::AuthorizerFailure, "{flood}: {problem}");
    }
    pass(&stage, &mut mode("")).await;
}

#[tokio::test]
async fn no_rewritten_request_line_leads_elsewhere() {
    let plugin = load("rewrites-path", |_| {}).await.unwrap();
    let stage = stage(&plugin, |_| {}).await;
    for bad in [
        "double-slash",
        "backslash",
        "absolute",
        "relative",
        "empty",
        "asterisk",
        "crlf",
        "space",
        "nul",
        "fragment",
        "question",
        "bad-escape",
        "unicode",
        "long",
        "clear",
        "query-crlf",
        "query-space",
        "query-fragment",
        "method-crlf",
        "method-empty",
        "method-connect",
        "method-clear",
        "authority-crlf",
        "authority-user",
        "body-unasked",
    ] {
        let mut exchange = mode(bad);
        let problem = fail(&stage, &mut exchange).await;
        assert!(is_refused(problem.kind()), "{bad}: {problem}");
        assert_eq!(exchange.request.target, "/a", "{bad}");
    }
    for climbing in ["dot-dot", "dot-dot-inside", "encoded-dot-dot"] {
        let mut exchange = mode(climbing);
        match stage.on_request(&mut exchange).await {
            Ok(Flow::Proceed) => assert!(!exchange.request.path().contains(".."), "{climbing}"),
            Ok(Flow::Answer(_)) => panic!("{climbing}"),
            Err(problem) => assert!(is_refused(problem.kind()), "{climbing}: {problem}"),
        }
    }
    let mut good = mode("good");
    pass(&stage, &mut good).await;
    assert_eq!(good.request.target, "/good%20path/?a=1&b=%20");
}
