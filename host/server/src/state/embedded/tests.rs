//! Buckets, counters, entries and what they remember.

use gatewright_core::Scope;

use super::*;

const TEN_A_SECOND: TokenBucket = TokenBucket {
    interval: Duration::from_millis(100),
    burst: 3,
};

#[test]
fn a_burst_passes_and_then_the_rate() {
    let state = Embedded::default();
    let take = |ms| state.take_at("limit", "key", TEN_A_SECOND, Duration::from_millis(ms));
    assert_eq!(
        [take(0), take(0), take(0)].map(|taken| (taken.allowed, taken.remaining)),
        [(true, 2), (true, 1), (true, 0)]
    );
    let refused = take(0);
    assert!(!refused.allowed);
    assert_eq!(refused.retry_after, Duration::from_millis(100));
    assert_eq!(refused.reset, Duration::from_millis(300));
    assert!(take(100).allowed);
    assert!(!take(199).allowed);
    assert!(take(200).allowed);
}

#[test]
fn never_more_than_burst_and_rate_allow() {
    let state = Embedded::default();
    let allowed = (0..10_000)
        .filter(|ms| {
            state
                .take_at("limit", "key", TEN_A_SECOND, Duration::from_millis(*ms))
                .allowed
        })
        .count();
    assert_eq!(allowed, 3 + 99);
}

#[test]
fn buckets_of_different_limits_and_keys_are_apart() {
    let state = Embedded::default();
    for (limit, key) in [("a", "b"), ("a", "c"), ("b", "b"), ("ab", "")] {
        assert_eq!(
            state.take_at(limit, key, TEN_A_SECOND, Duration::ZERO).remaining,
            2,
            "{limit} {key}"
        );
    }
}

#[test]
fn full_buckets_are_forgotten_and_the_number_is_bounded() {
    let state = Embedded::default();
    for number in 0..SHARDS * 4096 {
        state.take_at(
            "limit",
            &number.to_string(),
            TEN_A_SECOND,
            Duration::from_millis(number as u64),
        );
    }
    assert!(state.len() < SHARDS * 4096 / 2, "{}", state.len());
    let abuser = TokenBucket {
        interval: Duration::from_secs(3600),
        burst: 2,
    };
    for _ in 0..3 {
        state.take_at("limit", "abuser", abuser, Duration::ZERO);
    }
    for number in 0..SHARDS * MAX_BUCKETS * 2 {
        state.take_at("flood", &number.to_string(), TEN_A_SECOND, Duration::ZERO);
    }
    assert!(state.len() <= SHARDS * MAX_BUCKETS);
    assert!(!state.take_at("limit", "abuser", abuser, Duration::ZERO).allowed);
}

fn space(owner: &'static str, name: &'static str) -> Space<'static> {
    Space {
        owner,
        name,
        bytes: 64 << 10,
        scope: Scope::Instance,
    }
}

#[test]
fn tokens_are_taken_all_or_none() {
    let state = Embedded::default();
    let take = |tokens, ms| {
        let now = Duration::from_millis(ms);
        let taken = state.take_many_at(space("a", "a"), "key", tokens, TEN_A_SECOND, now);
        let taken = taken.unwrap();
        (taken.allowed, taken.remaining, taken.retry_after.as_millis())
    };
    assert_eq!(take(2, 0), (true, 1, 0));
    assert_eq!(take(2, 0), (false, 1, 100));
    assert_eq!(take(0, 0), (true, 1, 0));
    assert_eq!(take(2, 100), (true, 0, 0));
    assert_eq!(take(3, 100), (false, 0, 300));
}

#[test]
fn a_window_begins_with_the_first_count_and_ends_with_it() {
    let state = Embedded::default();
    let add = |delta, ms| {
        let window = Duration::from_millis(100);
        let now = Duration::from_millis(ms);
        state.add_at(space("a", "a"), "key", delta, window, now).unwrap()
    };
    assert_eq!([add(1, 50), add(2, 100), add(-4, 149)], [1, 3, -1]);
    assert_eq!(
        [add(1, 150), add(i64::MAX, 151), add(i64::MAX, 152)],
        [1, i64::MAX, i64::MAX]
    );
}

#[test]
fn owners_and_names_have_counters_of_their_own() {
    let state = Embedded::default();
    let spaces = [("a", "b"), ("a", "c"), ("b", "b"), ("ab", ""), ("", "ab")];
    for (owner, name) in spaces {
        let space = space(owner, name);
        assert_eq!(
            state.add_at(space, "k", 1, Duration::from_secs(1), Duration::ZERO),
            Ok(1)
        );
        // A bucket of the same key is another thing.
        let taken = state.take_many_at(space, "k", 3, TEN_A_SECOND, Duration::ZERO);
        assert!(taken.unwrap().allowed);
    }
}

#[test]
fn a_value_is_changed_by_whoever_knows_its_revision() {
    let state = Embedded::default();
    let put = |expected, value: &'static str, ttl: Option<u64>, ms| {
        let ttl = ttl.map(Duration::from_millis);
        let now = Duration::from_millis(ms);
        state.put_at(
            space("a", "a"),
            "k",
            expected,
            &Bytes::from_static(value.as_bytes()),
            ttl,
            now,
        )
    };
    let get = |ms| state.get_at(space("a", "a"), "k", Duration::from_millis(ms));
    let first = put(Expected::Absent, "a", Some(100), 0).unwrap().unwrap();
    assert_eq!(put(Expected::Absent, "b", None, 99), Ok(None));
    assert_eq!(get(99).unwrap().value, "a");
    assert_eq!(get(100), None);
    let second = put(Expected::Absent, "b", None, 100).unwrap().unwrap();
    assert!(second > first);
    assert_eq!(put(Expected::Revision(first), "c", None, 100), Ok(None));
    let third = put(Expected::Revision(second), "c", None, 100).unwrap().unwrap();
    assert!(matches!(state.delete(space("a", "a"), "k"), Step::Ready(Some(Ok(())))));
    assert_eq!(get(100), None);
    assert!(put(Expected::Anything, "d", None, 100).unwrap().unwrap() > third);
    assert_eq!(state.get_at(space("b", "a"), "k", Duration::ZERO), None);
}

#[test]
fn a_store_that_is_full_takes_what_has_room_and_forgets_nothing() {
    let state = Embedded::default();
    let put = |key: &str, bytes: usize, ttl: Option<u64>, ms| {
        let (ttl, now) = (ttl.map(Duration::from_millis), Duration::from_millis(ms));
        let value = Bytes::from(vec![0; bytes]);
        state.put_at(space("a", "a"), key, Expected::Anything, &value, ttl, now)
    };
    put("kept", 30 << 10, None, 0).unwrap();
    put("short", 30 << 10, Some(200), 0).unwrap();
    assert_eq!(put("more", 30 << 10, None, 0), Err(StateError::Full));
    // What is there may change within its room.
    put("kept", 29 << 10, None, 100).unwrap();
    assert_eq!(put("more", 30 << 10, None, 100), Err(StateError::Full));
    put("more", 30 << 10, None, 200).unwrap();
    assert!(
        state
            .get_at(space("a", "a"), "kept", Duration::from_millis(200))
            .is_some()
    );
    assert_eq!(put("huge", 1 << 20, None, 1_000), Err(StateError::Full));
    assert!(state.entries.of(space("a", "a")).bytes() <= 64 << 10);
}

#[test]
fn what_is_remembered_makes_room_by_its_end_and_is_no_entry() {
    let state = Embedded::default();
    let at = Duration::from_secs;
    let remember = |key: &str, bytes: usize, ttl, now| {
        state.remember_at(space("a", "a"), key, &Bytes::from(vec![0; bytes]), at(ttl), at(now))
    };
    let recall = |key: &str, now| state.recall_at(space("a", "a"), key, at(now)).map(|value| value.len());
    remember("long", 20 << 10, 1_000, 0).unwrap();
    remember("short", 20 << 10, 100, 0).unwrap();
    assert_eq!(
        (recall("long", 99), recall("short", 99)),
        (Some(20 << 10), Some(20 << 10))
    );
    assert_eq!((recall("long", 999), recall("short", 100)), (Some(20 << 10), None));
    remember("more", 30 << 10, 500, 50).unwrap();
    assert_eq!(
        (recall("long", 50), recall("short", 50), recall("more", 50)),
        (Some(20 << 10), None, Some(30 << 10))
    );
    assert_eq!(remember("huge", 1 << 20, 1, 50), Err(StateError::Full));
    assert_eq!(recall("more", 50), Some(30 << 10));
    assert_eq!(state.get_at(space("a", "a"), "long", at(50)), None);
    assert!(matches!(
        state.forget(space("a", "a"), "long"),
        Step::Ready(Some(Ok(())))
    ));
    assert_eq!(recall("long", 50), None);
    assert!(state.remembered.of(space("a", "a")).bytes() <= 64 << 10);
}

#[test]
fn counts_of_many_threads_are_exact() {
    let state = Embedded::default();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..1_000 {
                    let key = (n % 3).to_string();
                    let day = Duration::from_secs(86_400);
                    state.add_at(space("a", "a"), &key, 1, day, Duration::ZERO).unwrap();
                }
            });
        }
    });
    let sum: i64 = (0..3)
        .map(|key| {
            let key = key.to_string();
            state
                .add_at(space("a", "a"), &key, 0, Duration::ZERO, Duration::ZERO)
                .unwrap()
        })
        .sum();
    assert_eq!(sum, 4_000);
}

#[test]
fn a_flood_of_keys_costs_its_owner_alone_and_leaves_the_longest_counts() {
    let state = Embedded::default();
    let add = |space, key: &str, window| {
        let window = Duration::from_secs(window);
        state.add_at(space, key, 1, window, Duration::ZERO).unwrap()
    };
    add(space("quiet", "a"), "key", 60);
    add(space("noisy", "a"), "long", 86_400);
    for number in 0..100_000 {
        add(space("noisy", "a"), &number.to_string(), 60);
    }
    assert!(state.counters.of(space("noisy", "a")).bytes() <= 64 << 10);
    assert_eq!(add(space("quiet", "a"), "key", 60), 2);
    assert_eq!(add(space("noisy", "a"), "long", 60), 2);
}

#[test]
fn s7_a_million_keys_take_less_than_200_mib() {
    // Memory is the whole process's: in this one other tests run at the same time.
    const ALONE: &str = "GATEWRIGHT_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
        alone.env(ALONE, "1").args([
            "--exact",
            "--nocapture",
            "state::embedded::tests::s7_a_million_keys_take_less_than_200_mib",
        ]);
        let output = alone.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}{output:?}");
        return;
    }
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    };
    let state = Embedded::default();
    let before = resident();
    let take = |number: u32, now| {
        let address = std::net::Ipv4Addr::from(number);
        state.take_at("a-route#3", &format!("client:{address}"), TEN_A_SECOND, now)
    };
    for number in 0..1_000_000 {
        assert!(take(number, Duration::ZERO).allowed);
    }
    assert_eq!(state.len(), 1_000_000, "none of them made room for another");
    let taken = resident().saturating_sub(before);
    assert!(taken < 200 << 20, "{taken} bytes");
    // All are full again: the next requests sweep them away, however few these are.
    for number in 0..2000 {
        take(number, Duration::from_secs(120));
    }
    assert!(state.len() <= 2000, "{}", state.len());
}
