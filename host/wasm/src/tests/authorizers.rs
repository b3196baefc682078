//! Authorizers that behave, and their decisions kept.

use std::sync::Arc;
use std::time::Duration;

use gatewright_config::gateway::IdentitySource;
use gatewright_core::{Attributes, Exchange, Flow, ProblemKind, Stage, Value};
use http::Method;

use crate::testing::{self, exchange_with, fail, load, pass};
use crate::{Plugin, StageUse};

async fn stage(plugin: &Arc<Plugin>, cache: Duration, last_authorizer: bool) -> Arc<dyn Stage> {
    let mut config = testing::stage_config();
    config.identity = vec![IdentitySource::Header("x-key".to_owned())];
    config.cache = cache;
    let route = "route".into();
    plugin
        .stage(StageUse {
            config: &config,
            route: &route,
            last_authorizer,
        })
        .await
        .unwrap()
}

/// A plugin of its own for a test that counts calls: the name makes it another.
async fn plugin(name: &str) -> Arc<Plugin> {
    let config = gatewright_config::gateway::PluginConfig {
        time: Duration::from_secs(5),
        ..Default::default()
    };
    testing::host()
        .load(name, &testing::guest("decides"), &config)
        .await
        .unwrap()
}

fn calls(plugin: &Plugin) -> u64 {
    plugin.runtime_stats().calls.iter().map(|calls| calls.count).sum()
}

fn attribute(attributes: &Attributes, name: &str) -> String {
    attributes
        .get(name)
        .as_deref()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn key(key: &str) -> Exchange {
    exchange_with(&[("x-key", key)])
}

#[tokio::test]
async fn a_grant_is_applied_and_its_context_cannot_say_who_the_principal_is() {
    let plugin = load("decides", |_| {}).await.unwrap();
    let stage = stage(&plugin, Duration::ZERO, true).await;
    let mut exchange = key("k");
    exchange.request.target = "/a?q=1".parse().unwrap();
    pass(&stage, &mut exchange).await;
    assert_eq!(exchange.record.principal.as_deref(), Some("holder of k"));
    let attributes = &exchange.attributes;
    for (name, expected) in [
        ("auth.principal", "holder of k"),
        ("auth.usage_key", "holder of k"),
        ("auth.scopes", "read write"),
        ("auth.authorizer", "decides"),
        ("auth.authority", "Api.Example:8080"),
        ("auth.unasked", "0"),
    ] {
        assert_eq!(attribute(attributes, name), expected, "{name}");
    }
    assert!(exchange.request.headers.contains_key("x-decision-number"));
}

#[tokio::test]
async fn a_denial_is_an_answer_with_its_code_and_its_reason_only_in_the_record() {
    let plugin = load("decides", |_| {}).await.unwrap();
    let stage = stage(&plugin, Duration::ZERO, true).await;
    for (asked, status, code) in [("deny", 403, "ACCESS_DENIED"), ("401", 401, "UNAUTHORIZED")] {
        let mut exchange = key(asked);
        let Ok(Flow::Answer(response)) = stage.on_request(&mut exchange).await else {
            panic!("{asked} passed")
        };
        assert_eq!(response.status(), status);
        assert_eq!(response.headers().get("x-gatewright-error").unwrap(), code);
        assert_eq!(exchange.record.problem.unwrap().code(), code);
        assert!(
            exchange
                .record
                .cause
                .as_deref()
                .unwrap()
                .starts_with("plugin `decides`: ")
        );
    }
    assert_eq!(
        fail(&stage, &mut key("ok-denial")).await.kind(),
        ProblemKind::AuthorizerFailure
    );
    for principal in ["principal:", "principal:a\u{e9}\tb"] {
        assert_eq!(
            fail(&stage, &mut key(principal)).await.kind(),
            ProblemKind::AuthorizerFailure
        );
    }
}

#[tokio::test]
async fn when_every_authorizer_abstains_nobody_passes() {
    let plugin = load("decides", |_| {}).await.unwrap();
    let first = stage(&plugin, Duration::ZERO, false).await;
    let last = stage(&plugin, Duration::ZERO, true).await;
    let mut exchange = key("abstain");
    // An api-key stage names a principal too; it is no authorizer.
    exchange.record.principal = Some("key".to_owned());
    exchange.attributes.set("auth.principal", Value::Text("key".to_owned()));
    pass(&first, &mut exchange).await;
    assert_eq!(fail(&last, &mut exchange).await.kind(), ProblemKind::AccessDenied);
    let mut exchange = key("yes");
    pass(&first, &mut exchange).await;
    exchange.request.headers.insert("x-key", "abstain".parse().unwrap());
    pass(&last, &mut exchange).await;
}

#[tokio::test]
async fn a_kept_decision_is_used_for_the_same_request_and_no_other() {
    let plugin = plugin("kept").await;
    let stage = stage(&plugin, Duration::from_secs(60), true).await;
    for _ in 0..3 {
        pass(&stage, &mut key("k")).await;
    }
    assert_eq!(calls(&plugin), 1);
    let mut other_path = key("k");
    other_path.request.target = "/b".parse().unwrap();
    pass(&stage, &mut other_path).await;
    let mut other_method = key("k");
    other_method.request.method = Method::POST;
    pass(&stage, &mut other_method).await;
    pass(&stage, &mut key("l")).await;
    pass(&stage, &mut key("")).await;
    pass(&stage, &mut testing::exchange()).await;
    assert_eq!(calls(&plugin), 6);
    // A denial is kept as well, under its own identity.
    for _ in 0..2 {
        assert!(matches!(stage.on_request(&mut key("deny")).await, Ok(Flow::Answer(_))));
    }
    assert_eq!(calls(&plugin), 7);
    testing::host().purge_decisions();
    pass(&stage, &mut key("k")).await;
    assert_eq!(calls(&plugin), 8);
}

#[tokio::test]
async fn a_plugin_whose_decisions_are_kept_sees_nothing_that_is_not_in_their_key() {
    let plugin = plugin("sees").await;
    let stage = stage(&plugin, Duration::from_secs(60), true).await;
    let mut exchange = key("k");
    exchange.request.target = "/a?admin=1".parse().unwrap();
    pass(&stage, &mut exchange).await;
    assert_eq!(attribute(&exchange.attributes, "auth.authority"), "api.example");
}

#[tokio::test]
async fn an_ambiguous_identity_is_neither_kept_nor_taken_for_an_absent_one() {
    let plugin = plugin("ambiguous").await;
    let stage = stage(&plugin, Duration::from_secs(60), true).await;
    for _ in 0..2 {
        pass(&stage, &mut exchange_with(&[("x-key", "a"), ("x-key", "b")])).await;
    }
    assert_eq!(calls(&plugin), 2);
    pass(&stage, &mut testing::exchange()).await;
    assert_eq!(calls(&plugin), 3);
}

#[tokio::test]
async fn a_grant_with_a_policy_answers_for_other_paths_as_its_policy_says() {
    let plugin = plugin("policies").await;
    let stage = stage(&plugin, Duration::from_secs(60), true).await;
    let at = |method: Method, path: &str| {
        let mut exchange = key("policy");
        exchange.request.method = method;
        exchange.request.target = path.parse().unwrap();
        exchange
    };
    pass(&stage, &mut at(Method::GET, "/open/a")).await;
    pass(&stage, &mut at(Method::GET, "/open/a/b")).await;
    for (method, path) in [
        (Method::GET, "/open/secret"),
        (Method::POST, "/open/a"),
        (Method::GET, "/b"),
    ] {
        let mut exchange = at(method, path);
        assert_eq!(
            fail(&stage, &mut exchange).await.kind(),
            ProblemKind::AccessDenied,
            "{path}"
        );
        assert!(exchange.attributes.is_empty() && exchange.record.principal.is_none());
    }
    assert_eq!(calls(&plugin), 1);
}

#[tokio::test]
async fn a_plugin_bounds_how_long_its_decision_is_kept_and_failures_never_are() {
    let plugin = plugin("bounds").await;
    let stage = stage(&plugin, Duration::from_secs(60), true).await;
    for _ in 0..2 {
        pass(&stage, &mut key("ttl:0")).await;
    }
    assert_eq!(calls(&plugin), 2);
    pass(&stage, &mut key("ttl:30")).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    pass(&stage, &mut key("ttl:30")).await;
    assert_eq!(calls(&plugin), 4);
    for _ in 0..2 {
        fail(&stage, &mut key("fault")).await;
    }
    assert_eq!(calls(&plugin), 6);
}
