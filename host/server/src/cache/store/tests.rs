//! What is kept, what makes room, and who fetches.

use std::time::Duration;

use gatewright_config::CacheBy;
use http::StatusCode;

use super::*;
use crate::cache::asked::Asks;
use crate::cache::directives::Directives;
use crate::cache::key::Keys;
use crate::cache::purge::Purge;
use crate::cache::stored::Head;
use crate::cache::tests::{exchange, stored};
use crate::telemetry::Metrics;

fn store(bytes: u64) -> Arc<Store> {
    Store::new(bytes, None, Metrics::default().cache())
}

fn key(path: &str) -> Key {
    let mut exchange = exchange();
    exchange.request.target = path.parse().unwrap();
    Keys::new(&Arc::from("route"), None, CacheBy::Everybody).key(&exchange, &Asks::of(&exchange))
}

fn wanted(purge: &str) -> Wanted {
    serde_json::from_str::<Purge>(purge).unwrap().wanted().unwrap()
}

fn none() -> HeaderMap {
    HeaderMap::new()
}

fn enter(store: &Store, key: &Key, asked: &HeaderMap, may_wait: bool) -> Entered {
    let entering = Entering {
        asked,
        now: Instant::now(),
        usable: &|_| true,
        takes_stale: true,
        may_wait,
        leads: &|_| true,
    };
    store.enter(key, &entering)
}

fn fetch(store: &Store, key: &Key) -> Arc<Flight> {
    match enter(store, key, &none(), true) {
        Entered::Fetch(flight, _) => flight,
        Entered::Usable(_) | Entered::Stale(..) | Entered::Wait(_) => panic!("nobody has it or fetches it"),
    }
}

fn keep(store: &Store, key: &Key, body: &str) {
    let flight = fetch(store, key);
    store.keep(key, &flight, Arc::new(stored(&[], body)), 4);
}

fn has(store: &Store, key: &Key) -> bool {
    store.look(&key.bytes, key.hash, &none()).is_some()
}

#[test]
fn there_never_is_more_than_there_may_be() {
    let store = store(100_000);
    let body = "x".repeat(5_000);
    for number in 0..200 {
        keep(&store, &key(&format!("/{number}")), &body);
        assert!(store.bytes() <= 100_000, "{}", store.bytes());
    }
    assert!(store.bytes() > 80_000);
    assert!(has(&store, &key("/199")));
    store.resize(10_000);
    assert!(store.bytes() <= 10_000);
    store.purge(&wanted("{\"all\": true}"));
    assert_eq!(store.bytes(), 0);
}

#[test]
fn what_is_asked_for_stays_while_what_is_not_makes_room() {
    let store = store(1 << 20);
    let (hot, body) = (key("/hot"), "x".repeat(10_000));
    keep(&store, &hot, &body);
    for number in 0..2_000 {
        assert!(has(&store, &hot), "{number}");
        keep(&store, &key(&format!("/{number}")), &body);
    }
}

#[test]
fn what_is_coming_counts_and_has_no_room_that_is_not_there() {
    let store = store(100_000);
    keep(&store, &key("/a"), &"x".repeat(50_000));
    let mut coming = Reservation::new(&store);
    assert!(coming.grow(90_000));
    assert!(!has(&store, &key("/a")));
    let mut more = Reservation::new(&store);
    assert!(!more.grow(20_000));
    drop((coming, more));
    assert_eq!(store.bytes(), 0);
}

#[test]
fn one_fetches_and_others_wait_until_it_is_there() {
    let store = store(1 << 20);
    let key = key("/a");
    let flight = fetch(&store, &key);
    assert!(matches!(enter(&store, &key, &none(), true), Entered::Wait(_)));
    assert!(matches!(enter(&store, &key, &none(), false), Entered::Fetch(..)));
    store.keep(&key, &flight, Arc::new(stored(&[], "a")), 4);
    assert!(matches!(enter(&store, &key, &none(), true), Entered::Usable(_)));
}

#[test]
fn nobody_waits_where_the_last_answer_could_not_be_kept() {
    let store = store(1 << 20);
    let key = key("/a");
    let flight = fetch(&store, &key);
    assert!(matches!(enter(&store, &key, &none(), true), Entered::Wait(_)));
    let alone = Alone {
        until: Instant::now() + Duration::from_secs(10),
        failed: false,
    };
    store.refuse(&key, &flight, alone, None);
    let first = fetch(&store, &key);
    let second = fetch(&store, &key);
    store.keep(&key, &second, Arc::new(stored(&[], "a")), 4);
    store.keep(&key, &first, Arc::new(stored(&[], "b")), 4);
    assert!(has(&store, &key));
}

#[test]
fn what_cannot_be_kept_and_nobody_waits_for_leaves_nothing() {
    let store = store(1 << 20);
    let key = key("/a");
    let alone = Alone {
        until: Instant::now() + Duration::from_secs(10),
        failed: false,
    };
    store.refuse(&key, &fetch(&store, &key), alone, None);
    assert_eq!(store.bytes(), 0);
}

#[test]
fn an_error_is_not_asked_for_again_at_once_where_something_serves() {
    let store = store(1 << 20);
    let key = key("/a");
    let times = crate::cache::freshness::Times {
        if_error: Duration::from_secs(60),
        ..Default::default()
    };
    let head = Head::new(
        StatusCode::OK,
        none(),
        &Directives::default(),
        &none(),
        times,
        Instant::now(),
    );
    store.keep(&key, &fetch(&store, &key), Arc::new(Stored::new(head, "x".into())), 4);
    let ask = |usable: bool| {
        let entering = Entering {
            asked: &none(),
            now: Instant::now(),
            usable: &|_| usable,
            takes_stale: true,
            may_wait: true,
            leads: &|_| true,
        };
        store.enter(&key, &entering)
    };
    let Entered::Fetch(flight, There::This(_)) = ask(false) else {
        panic!("it is stale")
    };
    let alone = Alone {
        until: Instant::now() + Duration::from_secs(10),
        failed: true,
    };
    store.refuse(&key, &flight, alone, None);
    assert!(matches!(ask(false), Entered::Stale(_, None)));
}

#[test]
fn what_was_asked_for_before_a_change_is_not_kept_after_it() {
    let store = store(1 << 20);
    let key = key("/a?b");
    let changes: [&dyn Fn(); 3] = [
        &|| assert_eq!(store.invalidate(key.resource), 0),
        &|| assert_eq!(store.purge(&wanted("{\"url\": \"/a?b\"}")), 0),
        &|| assert_eq!(store.purge(&wanted("{\"tag\": \"a\"}")), 0),
    ];
    for change in changes {
        let flight = fetch(&store, &key);
        change();
        store.keep(&key, &flight, Arc::new(stored(&[], "a")), 4);
        assert!(!has(&store, &key));
    }
}

#[test]
fn a_resource_is_forgotten_with_all_its_keys_and_no_other() {
    let store = store(1 << 20);
    for path in ["/a", "/a?b=1", "/a?b=2", "/b"] {
        keep(&store, &key(path), "x");
    }
    assert_eq!(store.invalidate(key("/a").resource), 3);
    assert!(has(&store, &key("/b")) && !has(&store, &key("/a?b=1")));
}

#[test]
fn purges_by_what_responses_are_about() {
    let store = store(1 << 20);
    for (path, tags) in [("/a", "one two"), ("/b", "two"), ("/c", "")] {
        let flight = fetch(&store, &key(path));
        store.keep(
            &key(path),
            &flight,
            Arc::new(stored(&[("surrogate-key", tags)], "x")),
            4,
        );
    }
    assert_eq!(store.purge(&wanted("{\"tag\": \"tw\"}")), 0);
    assert_eq!(store.purge(&wanted("{\"tag\": \"one\"}")), 1);
    assert_eq!(store.purge(&wanted("{\"route\": \"route\"}")), 2);
}

#[test]
fn there_are_no_more_variants_than_there_may_be_and_the_newest_stay() {
    let store = store(1 << 20);
    let key = key("/a");
    let asked = |language: String| {
        let mut headers = HeaderMap::new();
        headers.insert("accept-language", language.parse().unwrap());
        headers
    };
    for number in 0..10 {
        let Entered::Fetch(flight, _) = enter(&store, &key, &asked(format!("l{number}")), true) else {
            panic!("there is no such variant yet");
        };
        let variant =
            crate::cache::tests::stored_for(&[("vary", "accept-language")], "x", &asked(format!("l{number}")));
        store.keep(&key, &flight, Arc::new(variant), 4);
    }
    let known = (0..10).filter(|number| store.look(&key.bytes, key.hash, &asked(format!("l{number}"))).is_some());
    assert_eq!(known.collect::<Vec<_>>(), [6, 7, 8, 9]);
}
