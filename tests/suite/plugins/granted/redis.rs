//! What plugins keep in Redis: keys of the gateway's own, whatever the plugin calls them.

use gatewright_tests::redis::RedisServer;
use serde_json::{Value, json};

use super::{ask, config, files, ok};

/// The lines of Redis's answer that are keys, and not lengths.
fn keys(redis: &RedisServer) -> Vec<String> {
    let answer = redis.ask(&["KEYS", "*"]);
    let lines = answer.lines().filter(|line| !line.starts_with(['*', '$']));
    lines.map(str::to_owned).collect()
}

#[test]
fn every_key_of_a_plugins_stores_begins_with_the_configured_prefix() {
    let redis = RedisServer::start();
    for prefix in ["gatewright", "tenant-a"] {
        assert!(redis.ask(&["FLUSHALL"]).starts_with("+OK"));
        let line = match prefix {
            "gatewright" => String::new(),
            other => format!("prefix = \"{other}\"\n"),
        };
        let sections = format!(
            "[redis]\n{}\n{line}[kv.sessions]\nscope = \"cluster\"\n[cache.keys]\nscope = \"cluster\"\n[counters.logins]\nscope = \"cluster\"\n",
            redis.keys()
        );
        let grants = "grants = { kv = [\"sessions\"], cache = [\"keys\"], counters = [\"logins\"] }";
        let gateway = files().start(&config(grants, &sections));
        let before = keys(&redis);
        // Names that would lead elsewhere, if they were part of a key.
        for (number, key) in ["k", "other:k", "{tag}k", "\r\nSET evil 1"].into_iter().enumerate() {
            let window = json!({ "call": "add", "store": "logins", "key": key, "window": 60_000 });
            assert_eq!(ask(&gateway, &window), ok(1));
            let bucket =
                json!({ "call": "take", "store": "logins", "key": key, "tokens": 1, "capacity": 3, "rate": 0.001 });
            assert_eq!(ask(&gateway, &bucket)["ok"][0], true);
            let set =
                json!({ "call": "set", "store": "sessions", "key": key, "value": format!("v{number}"), "ttl": 60_000 });
            assert!(ask(&gateway, &set)["ok"].is_u64());
            let put = json!({ "call": "cache-put", "store": "keys", "key": key, "value": "v", "ttl": 60_000 });
            assert_eq!(ask(&gateway, &put), ok(Value::Null));
        }
        // A value that was never there is computed by one: that is kept, too.
        let get = json!({ "call": "cache-get", "store": "keys", "key": "nothing", "wait": 0 });
        assert_eq!(ask(&gateway, &get), ok("compute"));
        let after = keys(&redis);
        let own = |family: &str| {
            let start = format!("{prefix}:{{{family}:");
            after.iter().filter(|key| key.starts_with(&start)).count()
        };
        assert!(own("kv") > 0 && own("cache") > 0 && own("counters") > 0, "{after:?}");
        for key in before.iter().chain(&after) {
            assert!(key.starts_with(&format!("{prefix}:")), "{key}: {after:?}");
        }
    }
}
