//! Services whose other side is not there.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright_core::{
    Body, Entry, Expected, Leased, Limit, Quota, Space, Spent, State, StateError, Step, Taken, TokenBucket,
};
use serde_json::{Value, json};

use gatewright_config::ByteSize;
use gatewright_config::gateway::{CounterGrant, KvGrant, PluginConfig, Scope};

use crate::testing::{exchange, guest, host, integration, text};
use crate::{Granted, Loading, Trust};

/// A store that is away.
struct Away;

fn away<'a, T: 'a>() -> Step<'a, Result<T, StateError>> {
    Step::waiting(async {
        tokio::task::yield_now().await;
        Err(StateError::Unavailable("connection refused".to_owned()))
    })
}

impl State for Away {
    fn take<'a>(&'a self, _: Limit<'_>, _: &str, _: TokenBucket) -> Step<'a, Result<Taken, StateError>> {
        away()
    }

    fn spend<'a>(&'a self, _: Limit<'_>, _: &str, _: Quota, _: u64) -> Step<'a, Result<Spent, StateError>> {
        away()
    }

    fn correct<'a>(&'a self, _: Limit<'_>, _: &str, _: Quota, _: u64) -> Step<'a, Result<Spent, StateError>> {
        away()
    }

    fn lease<'a>(&'a self, _: Limit<'_>, _: &str, _: u64) -> Step<'a, Result<Leased, StateError>> {
        away()
    }

    fn take_many<'a>(&'a self, _: Space<'_>, _: &str, _: u64, _: TokenBucket) -> Step<'a, Result<Taken, StateError>> {
        away()
    }

    fn add<'a>(&'a self, _: Space<'_>, _: &str, _: i64, _: Duration) -> Step<'a, Result<i64, StateError>> {
        away()
    }

    fn get<'a>(&'a self, _: Space<'_>, _: &str) -> Step<'a, Result<Option<Entry>, StateError>> {
        away()
    }

    fn put<'a>(
        &'a self,
        _: Space<'_>,
        _: &str,
        _: Expected,
        _: Bytes,
        _: Option<Duration>,
    ) -> Step<'a, Result<Option<u64>, StateError>> {
        away()
    }

    fn delete<'a>(&'a self, _: Space<'_>, _: &str) -> Step<'a, Result<(), StateError>> {
        away()
    }

    fn recall<'a>(&'a self, _: Space<'_>, _: &str) -> Step<'a, Result<Option<Bytes>, StateError>> {
        away()
    }

    fn remember<'a>(&'a self, _: Space<'_>, _: &str, _: Bytes, _: Duration) -> Step<'a, Result<(), StateError>> {
        away()
    }

    fn forget<'a>(&'a self, _: Space<'_>, _: &str) -> Step<'a, Result<(), StateError>> {
        away()
    }
}

/// What `uses-services` says came of these calls.
async fn ask(name: &str, granted: Granted, calls: Value) -> Value {
    let mut config = PluginConfig {
        time: Duration::from_secs(5),
        ..PluginConfig::default()
    };
    let bytes = ByteSize(1 << 20);
    let scope = Scope::Instance;
    config
        .grants
        .counters
        .insert("c".to_owned(), CounterGrant { bytes, scope });
    let value_bytes = ByteSize(1 << 10);
    config.grants.kv.insert(
        "c".to_owned(),
        KvGrant {
            value_bytes,
            bytes,
            scope,
        },
    );
    let file = guest("uses-services");
    let loading = Loading {
        name,
        file: &file,
        config: &config,
        trust: Trust::default(),
        granted,
        observer: None,
    };
    let plugin = host().load_with(loading).await.unwrap();
    let mut exchange = exchange();
    exchange.body = Body::full(calls.to_string());
    let integration = integration(&plugin, json!({})).await;
    serde_json::from_str(&text(integration.call(&mut exchange).await.unwrap()).await).unwrap()
}

fn state_calls() -> Value {
    json!([
        { "call": "add", "store": "c", "key": "k", "window": 1 },
        { "call": "take", "store": "c", "key": "k", "tokens": 1, "capacity": 1, "rate": 1 },
        { "call": "get", "store": "c", "key": "k" },
        { "call": "set", "store": "c", "key": "k", "value": "v" },
        { "call": "cas", "store": "c", "key": "k", "value": "v" },
        { "call": "delete", "store": "c", "key": "k" },
    ])
}

#[tokio::test]
async fn a_store_that_is_away_is_unavailable_and_the_call_goes_on() {
    let granted = Granted {
        state: Some(Arc::new(Away)),
        ..Granted::default()
    };
    let answers = ask("away", granted, state_calls()).await;
    for answer in answers.as_array().unwrap() {
        let error = answer["error"].as_str().unwrap();
        assert!(
            error.starts_with("Unavailable") && error.contains("connection refused"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_plugin_without_a_store_is_told_so() {
    let answers = ask("alone", Granted::default(), state_calls()).await;
    for answer in answers.as_array().unwrap() {
        assert!(answer["error"].as_str().unwrap().contains("there is none"), "{answer}");
    }
}
