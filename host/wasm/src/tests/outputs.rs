//! What comes out of a plugin is checked before anything of it is used. What becomes of it on the wire is in
//! `tests/suite/plugins/hostile_output.rs`.

use gatewright_core::{Body, ProblemKind, Response};

use crate::testing::{exchange_with, fail, load, stage};

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
        let mut exchange = exchange_with(&[("x-mode", bad)]);
        let mut response = Response::new(Body::full("upstream"));
        let problem = stage.on_response(&mut exchange, &mut response).await.unwrap_err();
        let cause = problem.cause().unwrap();
        assert!(
            cause.contains("plugin `bad-output`") && !cause.contains("set-cookie"),
            "{bad}: {cause}"
        );
        assert!(
            matches!(
                problem.kind(),
                ProblemKind::PluginOutputInvalid | ProblemKind::PluginOutputTooLarge
            ),
            "{bad}: {problem}"
        );
        assert!(response.headers().is_empty() && response.status() == 200, "{bad}");
    }
}
