//! What a trap, a fault or a lie costs: that call.

use gatewright_config::gateway::OnFault;
use gatewright_core::{Exchange, ProblemKind};
use serde_json::{Value, json};

use crate::breaker::THRESHOLD;
use crate::testing::{exchange, exchange_with, fail, integration, load, pass, refuse, stage, text};

fn mode(mode: &str) -> Exchange {
    exchange_with(&[("x-mode", mode)])
}

#[tokio::test]
async fn a_trap_is_a_fault_of_that_call_only() {
    let plugin = load("traps", |_| {}).await.unwrap();
    let integration = integration(&plugin, Value::Null).await;
    for (asked, expected) in [
        ("", "unreachable"),
        ("panic", "unreachable"),
        ("divide", "divide by zero"),
        ("out-of-bounds", "out of bounds"),
    ] {
        let cause = refuse(&integration, &mut mode(asked), ProblemKind::PluginFault).await;
        assert!(
            cause.contains("plugin `traps`") && cause.contains(expected),
            "{asked}: {cause}"
        );
        assert_eq!(
            text(integration.call(&mut mode("off")).await.unwrap()).await,
            "survived\n"
        );
    }
}

#[tokio::test]
async fn an_authorizer_that_fails_lets_nobody_pass() {
    let traps = load("traps", |_| {}).await.unwrap();
    let authorizer = stage(&traps, |_| {}).await;
    for asked in ["", "panic", "divide"] {
        let problem = fail(&authorizer, &mut mode(asked)).await;
        assert_eq!(problem.kind(), ProblemKind::AuthorizerFailure, "{problem}");
    }
    pass(&authorizer, &mut mode("off")).await;
    let bad = load("bad-output", |_| {}).await.unwrap();
    let authorizer = stage(&bad, |stage| stage.on_fault = OnFault::Status(503)).await;
    for asked in ["fault-unavailable", "fault-internal", "crlf-in-value", "host"] {
        let problem = fail(&authorizer, &mut mode(asked)).await;
        assert_eq!(problem.kind(), ProblemKind::AuthorizerFailure, "{problem}");
        assert_eq!(problem.status(), 503);
    }
}

#[tokio::test]
async fn a_fault_is_told_to_the_log_without_control_characters_and_never_to_the_client() {
    let plugin = load("bad-output", |_| {}).await.unwrap();
    let integration = integration(&plugin, Value::Null).await;
    let problem = integration.call(&mut mode("fault-internal")).await.err().unwrap();
    assert_eq!(problem.message(), "Internal Server Error");
    let cause = problem.cause().unwrap();
    assert!(
        cause.contains("`internal`: asked to be broken\\r\\n\\u{1b}[31msecret"),
        "{cause}"
    );
    let problem = integration.call(&mut mode("fault-unavailable")).await.err().unwrap();
    assert_eq!(
        (problem.kind(), problem.status().as_u16()),
        (ProblemKind::PluginFault, 503)
    );
}

#[tokio::test]
async fn a_plugin_that_traps_on_every_call_is_left_in_peace_for_a_while() {
    let plugin = load("traps", |config| config.concurrency = 3).await.unwrap();
    let integration = integration(&plugin, Value::Null).await;
    for _ in 0..THRESHOLD {
        refuse(&integration, &mut mode(""), ProblemKind::PluginFault).await;
    }
    let problem = integration.call(&mut mode("off")).await.err().unwrap();
    assert_eq!(problem.kind(), ProblemKind::PluginUnavailable, "{problem}");
    assert!(problem.retry_after().is_some());
    assert_eq!(plugin.runtime_stats().resting, 1);
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    integration.call(&mut mode("off")).await.unwrap();
    assert_eq!(plugin.runtime_stats().resting, 0);
}

#[tokio::test]
async fn lies_in_the_abi_are_faults_and_cost_the_host_nothing() {
    let plugin = load("lies-in-abi", |_| {}).await.unwrap();
    for (lie, kinds) in [
        ("bad-utf8-name", ProblemKind::PluginFault),
        ("bad-utf8-fault", ProblemKind::PluginFault),
        ("surrogate", ProblemKind::PluginFault),
        ("long-body", ProblemKind::PluginFault),
        ("many-fields", ProblemKind::PluginFault),
        ("bad-case", ProblemKind::PluginFault),
        ("misaligned", ProblemKind::PluginFault),
        ("beyond", ProblemKind::PluginFault),
        ("aliased-fields", ProblemKind::PluginOutputTooLarge),
    ] {
        let integration = integration(&plugin, json!({ "mode": lie })).await;
        let problem = integration.call(&mut exchange()).await.err().unwrap();
        assert!(
            problem.kind() == kinds || problem.kind() == ProblemKind::PluginOutputTooLarge,
            "{lie}: {problem}"
        );
    }
    let honest = integration(&plugin, Value::Null).await;
    assert_eq!(text(honest.call(&mut exchange()).await.unwrap()).await, "correct\n");
}
