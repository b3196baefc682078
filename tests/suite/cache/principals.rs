//! Nobody gets what another one was told, unless the answer says that it is for all.

use gatewright_tests::{Origin, TestFiles, TestGateway, full};
use http::Response;
use sha2::{Digest as _, Sha256};

use super::{get, status, with_chain};

pub(super) fn keys() -> String {
    let entry = |name: &str| {
        let hash: String = Sha256::digest(name).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("[[key]]\nname = \"{name}\"\nsha256 = \"{hash}\"\n")
    };
    entry("one") + &entry("two")
}

/// Says who asks.
fn greeting(cache_control: &'static str) -> Origin {
    Origin::start(move |request| async move {
        let who = request
            .headers()
            .get("x-api-key")
            .or_else(|| request.headers().get("authorization"));
        let who = who.map_or("nobody", |value| value.to_str().unwrap()).to_owned();
        Response::builder()
            .header("cache-control", cache_control)
            .body(full(who))
            .unwrap()
    })
}

fn gateway(origin: &Origin, keys: &str) -> TestGateway {
    let comma = if keys.is_empty() { "" } else { ", " };
    let chain =
        format!("{{ use = \"api-key\", keys = \"keys.toml\", forward = true }}, {{ use = \"cache\"{comma}{keys} }}");
    TestFiles::default()
        .with("keys.toml", self::keys())
        .start(&with_chain(origin, &chain))
}

#[test]
fn c30_what_the_authenticated_are_told_is_kept_only_if_it_is_for_all() {
    let origin = greeting("max-age=60");
    let gateway = gateway(&origin, "");
    for who in ["one", "two", "one"] {
        assert_eq!(get(&gateway, "/a", &[("x-api-key", who)]).text(), who);
    }
    assert_eq!(origin.hits(), 3);
    let origin = greeting("max-age=60, public");
    let gateway = self::gateway(&origin, "");
    for _ in 0..2 {
        assert_eq!(get(&gateway, "/a", &[("x-api-key", "one")]).text(), "one");
        assert_eq!(get(&gateway, "/a", &[("x-api-key", "two")]).text(), "one");
    }
}

#[test]
fn c30_whoever_says_who_it_is_in_authorization_gets_an_answer_of_its_own() {
    for (keys, hits) in [("", 4), ("by = \"principal\"", 2), ("mode = \"aws\"", 2)] {
        let origin = greeting("max-age=60");
        let gateway = super::gateway(&origin, keys);
        for who in ["Bearer a", "Bearer b", "Bearer a", "Bearer b"] {
            assert_eq!(get(&gateway, "/a", &[("authorization", who)]).text(), who, "{keys}");
        }
        assert_eq!(get(&gateway, "/a", &[]).text(), "nobody", "{keys}");
        assert_eq!(origin.hits(), hits + 1, "{keys}");
    }
}

#[test]
fn by_principal_each_has_its_own_answers() {
    for keys in ["by = \"principal\"", "mode = \"aws\""] {
        let origin = greeting("max-age=60");
        let gateway = gateway(&origin, keys);
        for who in ["one", "two", "one", "two"] {
            assert_eq!(get(&gateway, "/a", &[("x-api-key", who)]).text(), who, "{keys}");
        }
        assert_eq!(origin.hits(), 2, "{keys}");
        // And nobody without a key gets any.
        assert_eq!(get(&gateway, "/a", &[]).status, 401, "{keys}");
        let wrong = get(&gateway, "/a", &[("x-api-key", "three")]);
        assert_eq!((wrong.status, status(&wrong)), (403, ""), "{keys}");
    }
}

#[test]
fn a_change_by_one_makes_the_answers_of_all_forgotten() {
    let origin = greeting("max-age=60");
    let gateway = gateway(&origin, "by = \"principal\"");
    for who in ["one", "two"] {
        get(&gateway, "/a", &[("x-api-key", who)]);
    }
    gatewright_tests::http(gateway.addr("public"), "PUT", "/a", &[("x-api-key", "one")], b"x");
    for who in ["one", "two"] {
        get(&gateway, "/a", &[("x-api-key", who)]);
    }
    assert_eq!(origin.hits(), 5);
}
