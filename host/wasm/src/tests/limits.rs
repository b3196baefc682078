//! Time, memory, stack, places: what a guest uses up is its own.

use std::time::{Duration, Instant};

use gatewright_config::ByteSize;
use gatewright_config::gateway::PluginConfig;
use gatewright_core::ProblemKind;
use serde_json::Value;

use crate::testing::{exchange, exchange_with, guest, integration, load, own_host, refuse, text};

#[tokio::test]
async fn an_endless_loop_ends_with_its_processor_time_and_lets_others_run_meanwhile() {
    let plugin = load("loops-in-hook", |config| config.cpu = Duration::from_millis(30))
        .await
        .unwrap();
    let integration = integration(&plugin, Value::Null).await;
    let ticks = tokio::spawn(async {
        let began = Instant::now();
        let mut longest = Duration::ZERO;
        while began.elapsed() < Duration::from_millis(20) {
            let slept = Instant::now();
            tokio::time::sleep(Duration::from_millis(1)).await;
            longest = longest.max(slept.elapsed());
        }
        longest
    });
    let cause = refuse(&integration, &mut exchange(), ProblemKind::PluginTimeout).await;
    assert!(cause.contains("`cpu`") && cause.contains("loops-in-hook"), "{cause}");
    // On the same thread: it got its turn between ticks.
    let longest = ticks.await.unwrap();
    assert!(longest < Duration::from_millis(25), "{longest:?}");
    assert!(plugin.runtime_stats().cpu_ms >= 30.0);
}

#[tokio::test]
async fn a_call_ends_with_its_wall_time() {
    let plugin = load("loops-in-hook", |config| {
        config.cpu = Duration::from_secs(60);
        config.time = Duration::from_millis(30);
    });
    let plugin = plugin.await.unwrap();
    let integration = integration(&plugin, Value::Null).await;
    let began = Instant::now();
    let cause = refuse(&integration, &mut exchange(), ProblemKind::PluginTimeout).await;
    assert!(cause.contains("`time`"), "{cause}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_call_ends_with_its_exchange_and_that_is_not_the_plugins_fault() {
    let plugin = load("loops-in-hook", |config| config.cpu = Duration::from_secs(60))
        .await
        .unwrap();
    let integration = integration(&plugin, Value::Null).await;
    for _ in 0..2 * crate::breaker::THRESHOLD {
        let mut exchange = exchange();
        exchange.deadline = Instant::now() + Duration::from_millis(3);
        refuse(&integration, &mut exchange, ProblemKind::IntegrationTimeout).await;
    }
    assert_eq!(plugin.runtime_stats().resting, 0);
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_guest() {
    let plugin = load("loops-in-hook", |config| config.cpu = Duration::from_secs(60))
        .await
        .unwrap();
    let integration = integration(&plugin, Value::Null).await;
    for _ in 0..20 {
        let mut exchange = exchange();
        let call = integration.call(&mut exchange);
        assert!(tokio::time::timeout(Duration::from_millis(3), call).await.is_err());
    }
    let stats = plugin.runtime_stats();
    assert!(
        stats
            .calls
            .iter()
            .any(|calls| calls.outcome == "cancelled" && calls.count >= 20),
        "{stats:?}"
    );
    assert_eq!(stats.instances, 0);
}

#[tokio::test]
async fn memory_ends_at_its_limit_with_the_reason() {
    let plugin = load("grows-memory", |config| config.memory = ByteSize(16 << 20))
        .await
        .unwrap();
    let integration = integration(&plugin, Value::Null).await;
    let cause = refuse(&integration, &mut exchange(), ProblemKind::PluginFault).await;
    assert!(cause.contains("`memory`"), "{cause}");
    let within = integration
        .call(&mut exchange_with(&[("x-mode", "touch-limit")]))
        .await
        .unwrap();
    assert_eq!(text(within).await, "survived\n");
    let stats = plugin.runtime_stats();
    assert!(
        (12 << 20..=16 << 20).contains(&stats.memory_high_water_bytes),
        "{stats:?}"
    );
    assert!(stats.traps.contains(&("memory", 1)), "{stats:?}");
}

#[tokio::test]
async fn a_plugin_that_starts_with_more_memory_than_it_may_have_is_refused_at_load() {
    let error = load("echo", |config| config.memory = ByteSize(64 << 10))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("raise `memory`"), "{error}");
}

#[tokio::test]
async fn recursion_without_end_overflows_the_guests_stack_and_nothing_else() {
    let plugin = load("recurses", |_| {}).await.unwrap();
    let integration = integration(&plugin, Value::Null).await;
    let cause = refuse(&integration, &mut exchange(), ProblemKind::PluginFault).await;
    assert!(cause.contains("recurses"), "{cause}");
}

#[tokio::test]
async fn more_calls_than_may_run_wait_and_then_are_refused() {
    let plugin = load("spins", |config| {
        config.concurrency = 1;
        config.queue_timeout = Duration::from_millis(30);
        config.cpu = Duration::from_secs(5);
    });
    let plugin = plugin.await.unwrap();
    let integration = integration(&plugin, Value::Null).await;
    let busy = std::sync::Arc::clone(&integration);
    let busy = tokio::spawn(async move {
        let mut exchange = exchange_with(&[("x-spin-ms", "300")]);
        busy.call(&mut exchange).await.map(|response| response.status())
    });
    tokio::task::yield_now().await;
    let problem = integration
        .call(&mut exchange_with(&[("x-spin-ms", "0")]))
        .await
        .err()
        .unwrap();
    assert_eq!(problem.kind(), ProblemKind::PluginSaturated, "{problem}");
    assert!(problem.retry_after().is_some());
    assert_eq!(busy.await.unwrap().unwrap(), 200);
}

#[tokio::test]
async fn a_full_instance_pool_refuses_at_once_and_idle_instances_make_room() {
    let directory = tempfile::tempdir().unwrap();
    let host = own_host(directory.path(), 1);
    let reused = PluginConfig {
        instances: gatewright_config::gateway::InstancePolicy::Reuse(100),
        cpu: Duration::from_secs(5),
        time: Duration::from_secs(5),
        ..PluginConfig::default()
    };
    let spins = host.load("spins", &guest("spins"), &reused).await.unwrap();
    let spinning = integration(&spins, Value::Null).await;
    let echo = host
        .load("echo", &guest("echo"), &PluginConfig::default())
        .await
        .unwrap();
    let echoing = integration(&echo, Value::Null).await;

    spinning.call(&mut exchange_with(&[("x-spin-ms", "0")])).await.unwrap();
    assert_eq!(spins.runtime_stats().idle, 1);
    echoing.call(&mut exchange()).await.unwrap();
    assert_eq!(spins.runtime_stats().idle, 0);

    let busy = tokio::spawn(async move {
        let mut exchange = exchange_with(&[("x-spin-ms", "300")]);
        spinning.call(&mut exchange).await.map(|response| response.status())
    });
    tokio::task::yield_now().await;
    refuse(&echoing, &mut exchange(), ProblemKind::PluginSaturated).await;
    assert_eq!(busy.await.unwrap().unwrap(), 200);
    echoing.call(&mut exchange()).await.unwrap();
}

#[tokio::test]
async fn chatter_is_bounded_by_time_and_by_the_logs_budget() {
    let plugin = load("chatters", |config| {
        config.cpu = Duration::from_millis(50);
        config.grants.metrics = true;
    });
    let plugin = plugin.await.unwrap();
    let integration = integration(&plugin, Value::Null).await;
    for mode in ["", "long", "fields", "clock", "random", "series"] {
        let mut exchange = exchange_with(&[("x-mode", mode)]);
        let began = Instant::now();
        // Whether it is stopped or done depends on the machine; that it ends does not.
        let _ = integration.call(&mut exchange).await;
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{mode}: {:?}",
            began.elapsed()
        );
    }
}
