//! What the metrics endpoint shows of plugins.

use gatewright_config::gateway::PluginConfig;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::Value;

use crate::testing::{exchange_with, guest, integration, own_host};

#[tokio::test]
async fn calls_traps_and_own_metrics_are_counted_by_plugin() {
    let directory = tempfile::tempdir().unwrap();
    let host = own_host(directory.path(), 4);
    let mut registry = Registry::default();
    host.register_metrics(&mut registry);
    let mut config = PluginConfig::default();
    config.grants.metrics = true;
    config.cpu = std::time::Duration::from_secs(60);
    config.time = config.cpu;
    let traps = host.load("traps", &guest("traps"), &config).await.unwrap();
    let trapping = integration(&traps, Value::Null).await;
    trapping.call(&mut exchange_with(&[("x-mode", "off")])).await.unwrap();
    trapping
        .call(&mut exchange_with(&[("x-mode", "panic")]))
        .await
        .err()
        .unwrap();
    let chatters = host.load("chatters", &guest("chatters"), &config).await.unwrap();
    let chattering = integration(&chatters, Value::Null).await;
    for mode in ["series", "names"] {
        chattering.call(&mut exchange_with(&[("x-mode", mode)])).await.unwrap();
    }

    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    for line in [
        r#"gatewright_plugin_calls_total{plugin="traps",route="route",hook="integration",outcome="ok"} 1"#,
        r#"gatewright_plugin_calls_total{plugin="traps",route="route",hook="integration",outcome="trap"} 1"#,
        r#"gatewright_plugin_call_seconds_count{plugin="traps",hook="integration"} 2"#,
        r#"gatewright_plugin_call_seconds_bucket{le="+Inf",plugin="traps",hook="integration"} 2"#,
        r#"gatewright_plugin_traps_total{plugin="traps",route="route",reason="unreachable"} 1"#,
        r#"gatewright_plugin_instances{plugin="traps",state="busy"} 0"#,
        r#"gatewright_plugin_calls_in_progress{plugin="traps",route="route",state="running"} 0"#,
        r#"gatewright_plugin_queue_seconds_total{plugin="traps",route="route"} 0"#,
        r#"gatewright_plugin_runtimes 2"#,
        r#"gatewright_plugin_loads_total{source="compiler"} 2"#,
        r#"gatewright_plugin_samples_dropped_total{plugin="chatters"} 99903"#,
        r#"gatewright_plugin_custom_series_total{plugin="chatters",n="99"} 1"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}
