//! Fresh instances and reused ones.

use gatewright_config::gateway::InstancePolicy;
use gatewright_core::ProblemKind;
use serde_json::{Value, json};

use crate::testing::{exchange_with, integration, load, refuse, text};

async fn seen(integration: &std::sync::Arc<dyn gatewright_core::Integration>, canary: &str) -> Value {
    let response = integration
        .call(&mut exchange_with(&[("x-canary", canary)]))
        .await
        .unwrap();
    serde_json::from_str(&text(response).await).unwrap()
}

#[tokio::test]
async fn a_fresh_instance_never_sees_what_another_call_left_in_memory() {
    let plugin = load("keeps-state", |config| config.instances = InstancePolicy::Fresh)
        .await
        .unwrap();
    let integration = integration(&plugin, Value::Null).await;
    for canary in 0..200 {
        let canary = format!("secret-{canary}");
        assert_eq!(
            seen(&integration, &canary).await,
            json!({ "calls": 1, "seen": [canary] })
        );
    }
    assert_eq!(plugin.runtime_stats().instances, 0);
}

#[tokio::test]
async fn a_reused_instance_serves_so_many_calls_and_no_more() {
    let plugin = load("keeps-state", |config| config.instances = InstancePolicy::Reuse(3))
        .await
        .unwrap();
    let integration = integration(&plugin, Value::Null).await;
    let mut calls = Vec::new();
    for _ in 0..7 {
        calls.push(seen(&integration, "c").await["calls"].as_u64().unwrap());
    }
    assert_eq!(calls, [1, 2, 3, 1, 2, 3, 1]);
    assert_eq!(plugin.runtime_stats().idle, 1);
    drop(integration);
    // The sweeper may be looking at the runtime right now; then the end of it is the sweeper's.
    for _ in 0..1_000 {
        if plugin.runtime_stats().instances == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the idle instance outlived its runtime");
}

#[tokio::test]
async fn an_instance_that_trapped_is_not_used_again() {
    let plugin = load("traps", |config| config.instances = InstancePolicy::Reuse(100))
        .await
        .unwrap();
    let integration = integration(&plugin, Value::Null).await;
    integration
        .call(&mut exchange_with(&[("x-mode", "off")]))
        .await
        .unwrap();
    assert_eq!(plugin.runtime_stats().idle, 1);
    refuse(
        &integration,
        &mut exchange_with(&[("x-mode", "panic")]),
        ProblemKind::PluginFault,
    )
    .await;
    assert_eq!(plugin.runtime_stats().instances, 0);
}
