//! The engine itself, beside the embedded one: both do the same.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright::state::embedded::Embedded;
use gatewright::state::redis::{Address, Login, Redis, RedisSettings, Servers};
use gatewright::telemetry::StateMetrics;
use gatewright_core::{Expected, Limit, Scope, Space, State, StateError, TokenBucket};
use gatewright_tests::block_on;
use gatewright_tests::redis::RedisServer;

const SECOND: Duration = Duration::from_secs(1);

fn redis(server: &RedisServer) -> Redis {
    let settings = RedisSettings {
        servers: Servers::Single(Address::Tcp("127.0.0.1".to_owned(), server.addr().port())),
        login: Login::default(),
        sentinel_login: Login::default(),
        database: 0,
        tls: None,
        prefix: "test".to_owned(),
        connect_timeout: 10 * SECOND,
        timeout: 10 * SECOND,
    };
    Redis::new(settings, 1, &StateMetrics::default())
}

/// Runs a test with either engine.
fn with_both(test: &impl AsyncFn(&dyn State)) {
    let server = RedisServer::start();
    block_on(async {
        test(&Embedded::default()).await;
        test(&redis(&server)).await;
    });
}

fn space(name: &str, bytes: u64) -> Space<'_> {
    Space {
        owner: "plugin",
        name,
        bytes,
        scope: Scope::Instance,
    }
}

fn limit(name: &str) -> Limit<'_> {
    Limit {
        name,
        scope: Scope::Instance,
    }
}

#[test]
fn a_bucket_has_its_burst_and_is_refilled() {
    with_both(&async |state| {
        let bucket = TokenBucket {
            interval: Duration::from_millis(400),
            burst: 3,
        };
        for remaining in [2, 1, 0] {
            let taken = state.take(limit("a"), "key", bucket).await.unwrap();
            assert_eq!((taken.allowed, taken.remaining), (true, remaining));
        }
        let refused = state.take(limit("a"), "key", bucket).await.unwrap();
        assert!(
            !refused.allowed && refused.retry_after <= bucket.interval && !refused.retry_after.is_zero(),
            "{refused:?}"
        );
        assert!(state.take(limit("a"), "other", bucket).await.unwrap().allowed);
        assert!(state.take(limit("b"), "key", bucket).await.unwrap().allowed);
        tokio::time::sleep(refused.retry_after + Duration::from_millis(20)).await;
        assert!(state.take(limit("a"), "key", bucket).await.unwrap().allowed);
        assert!(!state.take(limit("a"), "key", bucket).await.unwrap().allowed);
    });
}

#[test]
fn a_bucket_holds_exactly_its_burst_however_odd_the_rate_is() {
    with_both(&async |state| {
        for (number, (per_second, burst)) in [(3.0, 7), (1.0 / 86_400.0, 1000), (0.3, 10), (7.0, 333)]
            .into_iter()
            .enumerate()
        {
            let bucket = TokenBucket {
                interval: Duration::from_secs_f64(1.0 / per_second),
                burst,
            };
            let (name, began) = (format!("odd {number}"), std::time::Instant::now());
            let mut passed = 0;
            while state.take(limit(&name), "", bucket).await.unwrap().allowed {
                passed += 1;
            }
            let refilled = (began.elapsed().as_secs_f64() * per_second).ceil() as u64;
            assert!(
                (burst..=burst + refilled).contains(&passed),
                "{per_second}: {passed} of {burst}"
            );
        }
    });
}

#[test]
fn a_lower_burst_is_not_held_to_debts_beyond_it() {
    with_both(&async |state| {
        let bucket = |burst| TokenBucket {
            interval: 100 * SECOND,
            burst,
        };
        let many = state
            .take_many(space("debts", 1 << 20), "key", 100, bucket(100))
            .await
            .unwrap();
        assert!(many.allowed);
        let refused = state
            .take_many(space("debts", 1 << 20), "key", 1, bucket(100))
            .await
            .unwrap();
        assert!(!refused.allowed && refused.retry_after <= 100 * SECOND, "{refused:?}");
    });
}

#[test]
fn so_many_tokens_are_taken_all_or_none() {
    with_both(&async |state| {
        let (space, bucket) = (
            space("many", 1 << 20),
            TokenBucket {
                interval: 1000 * SECOND,
                burst: 10,
            },
        );
        let mut left = Vec::new();
        for tokens in [0, 4, 7, 6, 1, 0] {
            let taken = state.take_many(space, "key", tokens, bucket).await.unwrap();
            left.push((taken.allowed, taken.remaining));
        }
        assert_eq!(
            left,
            [(true, 10), (true, 6), (false, 6), (true, 0), (false, 0), (true, 0)]
        );
    });
}

#[test]
fn a_count_ends_with_its_window_and_stays_in_its_bounds() {
    with_both(&async |state| {
        let space = space("counts", 1 << 20);
        let add = async |key: &str, delta: i64, window: Duration| state.add(space, key, delta, window).await.unwrap();
        assert_eq!(add("a", 5, 100 * SECOND).await, 5);
        assert_eq!(add("a", -7, 100 * SECOND).await, -2);
        assert_eq!(add("b", 1, 100 * SECOND).await, 1);
        assert_eq!(add("max", i64::MAX, 100 * SECOND).await, i64::MAX);
        assert_eq!(add("max", 5, 100 * SECOND).await, i64::MAX);
        assert_eq!(add("min", i64::MIN, 100 * SECOND).await, i64::MIN);
        assert_eq!(add("min", -5, 100 * SECOND).await, i64::MIN);
        assert_eq!(add("exact", (1 << 53) + 1, 100 * SECOND).await, (1 << 53) + 1);
        assert_eq!(add("exact", 2, 100 * SECOND).await, (1 << 53) + 3);
        assert_eq!(add("short", 1, Duration::from_millis(60)).await, 1);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(add("short", 1, SECOND).await, 1, "the window is over");
    });
}

#[test]
fn a_value_is_put_only_where_what_was_expected_holds() {
    with_both(&async |state| {
        let space = space("values", 1 << 20);
        let put = async |key: &str, expected, value: &'static [u8], ttl| {
            state
                .put(space, key, expected, Bytes::from_static(value), ttl)
                .await
                .unwrap()
        };
        assert_eq!(state.get(space, "a").await.unwrap(), None);
        assert_eq!(put("a", Expected::Revision(1), b"x", None).await, None);
        let first = put("a", Expected::Absent, b"\0:\xff", None).await.unwrap();
        let entry = state.get(space, "a").await.unwrap().unwrap();
        assert_eq!((&entry.value[..], entry.revision), (&b"\0:\xff"[..], first));
        assert_eq!(put("a", Expected::Absent, b"x", None).await, None);
        let second = put("a", Expected::Revision(first), b"y", None).await.unwrap();
        assert!(second > first);
        assert_eq!(put("a", Expected::Revision(first), b"z", None).await, None);
        state.delete(space, "a").await.unwrap();
        state.delete(space, "a").await.unwrap();
        let third = put("a", Expected::Absent, b"", None).await.unwrap();
        assert!(third > second, "a revision does not come back");
        put("short", Expected::Anything, b"x", Some(Duration::from_millis(60)))
            .await
            .unwrap();
        assert!(state.get(space, "short").await.unwrap().is_some());
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(state.get(space, "short").await.unwrap(), None);
        assert!(put("short", Expected::Absent, b"x", None).await.is_some());
    });
}

#[test]
fn a_store_that_is_full_refuses_and_keeps_what_is_there() {
    with_both(&async |state| {
        let space = space("full", 4 << 10);
        let value = |length| Bytes::from(vec![b'v'; length]);
        let mut kept = 0;
        while state
            .put(space, &format!("key {kept}"), Expected::Anything, value(500), None)
            .await
            .is_ok()
        {
            kept += 1;
            assert!(kept < 100, "nothing bounds it");
        }
        assert!((3..=8).contains(&kept), "{kept}");
        let larger = state.put(space, "key 0", Expected::Anything, value(3000), None).await;
        assert_eq!(larger, Err(StateError::Full));
        for number in 0..kept {
            let found = state.get(space, &format!("key {number}")).await.unwrap();
            assert_eq!(found.unwrap().value.len(), 500);
        }
        state.delete(space, "key 0").await.unwrap();
        assert!(
            state
                .put(space, "new", Expected::Anything, value(500), None)
                .await
                .is_ok()
        );
    });
}

#[test]
fn counts_and_remembered_values_make_room_and_have_nothing_in_common_with_stores() {
    with_both(&async |state| {
        let space = space("room", 4 << 10);
        for number in 0..100 {
            let key = format!("key {number}");
            let ttl = SECOND * (100 + number);
            state
                .remember(space, &key, Bytes::from(vec![b'v'; 500]), ttl)
                .await
                .unwrap();
            state.add(space, &key, 1, ttl).await.unwrap();
        }
        assert!(state.recall(space, "key 99").await.unwrap().is_some());
        assert_eq!(state.recall(space, "key 0").await.unwrap(), None);
        assert_eq!(state.add(space, "key 99", 1, SECOND).await.unwrap(), 2);
        assert_eq!(state.get(space, "key 99").await.unwrap(), None);
        let too_large = state
            .remember(space, "large", Bytes::from(vec![b'v'; 5000]), SECOND)
            .await;
        assert_eq!(too_large, Err(StateError::Full));
        state.forget(space, "key 99").await.unwrap();
        assert_eq!(state.recall(space, "key 99").await.unwrap(), None);
    });
}

#[test]
fn thousands_at_once_over_one_connection_lose_no_count() {
    let server = RedisServer::start();
    block_on(async {
        let state = Arc::new(redis(&server));
        let adding: Vec<_> = (0..4000)
            .map(|_| {
                let state = Arc::clone(&state);
                tokio::spawn(async move { state.add(space("many", 1 << 20), "key", 1, 100 * SECOND).await })
            })
            .collect();
        for added in adding {
            added.await.unwrap().unwrap();
        }
        assert_eq!(state.add(space("many", 1 << 20), "key", 0, SECOND).await, Ok(4000));
        let clients = server.ask(&["INFO", "clients"]);
        assert!(
            clients.contains("connected_clients:2\r\n"),
            "one is whoever asks: {clients}"
        );
    });
}

#[test]
fn a_space_whose_parts_the_server_took_away_begins_anew() {
    let server = RedisServer::start();
    block_on(async {
        let state = redis(&server);
        let space = space("evicted", 2 << 10);
        for part in ["values", "ends", "facts"] {
            for number in 0..20 {
                let key = format!("{part} {number}");
                state
                    .remember(space, &key, Bytes::from_static(&[b'v'; 300]), 100 * SECOND)
                    .await
                    .unwrap();
            }
            let keys = server.ask(&["KEYS", "*"]);
            let key = keys.lines().find(|line| line.ends_with(part)).unwrap().to_owned();
            server.ask(&["DEL", &key]);
            state
                .remember(space, "after", Bytes::from_static(b"v"), 100 * SECOND)
                .await
                .unwrap();
            assert!(state.recall(space, "after").await.unwrap().is_some());
        }
    });
}
