//! What operators purge is gone, and nothing else.

use std::process::Command;

use gatewright_tests::process::binary;
use gatewright_tests::{Origin, RawResponse, TestGateway, full, http};
use http::Response;
use serde_json::json;

use super::{gateway, get, status};

/// Tagged with the segments of its path.
fn tagged() -> Origin {
    Origin::start(|request| async move {
        let tags = request.uri().path().replace('/', " ");
        let response = Response::builder().header("cache-control", "max-age=60");
        let name = if request.uri().path().starts_with("/c") {
            "cache-tag"
        } else {
            "surrogate-key"
        };
        let tags = if name == "cache-tag" {
            tags.trim().replace(' ', ", ")
        } else {
            tags
        };
        response.header(name, tags).body(full("hello")).unwrap()
    })
}

fn purge(gateway: &TestGateway, what: &serde_json::Value) -> RawResponse {
    http(
        gateway.admin(),
        "POST",
        "/cache/purge",
        &[],
        what.to_string().as_bytes(),
    )
}

const PATHS: [&str; 5] = ["/a/one", "/a/one?b=1", "/a/two", "/b/one", "/c/one/three"];

/// Which of the paths are not kept any more, after this.
fn gone(what: &serde_json::Value) -> Vec<&'static str> {
    let origin = tagged();
    let gateway = gateway(&origin, "");
    for path in PATHS {
        get(&gateway, path, &[("host", "a.test")]);
    }
    let answer = purge(&gateway, what);
    assert_eq!(answer.status, 200, "{answer:?}");
    let kept = |path: &&str| !status(&get(&gateway, path, &[("host", "a.test")])).contains("hit");
    let gone: Vec<_> = PATHS.into_iter().filter(kept).collect();
    assert_eq!(answer.json()["purged"], gone.len(), "{what}");
    assert_eq!(gateway.metric("gatewright_cache_purged_total"), gone.len() as f64);
    gone
}

#[test]
fn a_route_that_there_is_not_is_no_purge_of_nothing() {
    let origin = tagged();
    let gateway = gateway(&origin, "");
    let answer = purge(&gateway, &json!({ "route": "alll" }));
    assert_eq!(answer.status, 404, "{answer:?}");
    assert_eq!(
        answer.json()["message"],
        "there is no route `alll`; did you mean `all`?"
    );
    let command = Command::new(binary())
        .args([
            "cache",
            "purge",
            "--route",
            "nosuch",
            "--address",
            &gateway.admin().to_string(),
        ])
        .arg(gateway.dir().join("gateway.toml"))
        .output()
        .unwrap();
    assert_eq!(command.status.code(), Some(2), "{command:?}");
    assert!(
        String::from_utf8_lossy(&command.stderr).contains("there is no route `nosuch`"),
        "{command:?}"
    );
}

#[test]
fn purges_by_url_prefix_tag_route_and_all() {
    assert_eq!(gone(&json!({ "url": "https://a.test/a/one" })), ["/a/one"]);
    assert_eq!(gone(&json!({ "url": "/a/one?b=1" })), ["/a/one?b=1"]);
    assert_eq!(gone(&json!({ "url": "https://other.test/a/one" })), [""; 0]);
    assert_eq!(
        gone(&json!({ "prefix": "http://a.test/a/" })),
        ["/a/one", "/a/one?b=1", "/a/two"]
    );
    assert_eq!(
        gone(&json!({ "tag": "one" })),
        ["/a/one", "/a/one?b=1", "/b/one", "/c/one/three"]
    );
    assert_eq!(gone(&json!({ "tag": "three" })), ["/c/one/three"]);
    assert_eq!(gone(&json!({ "route": "all" })), PATHS);
    assert_eq!(gone(&json!({ "all": true })), PATHS);
}

#[test]
fn what_makes_no_sense_is_refused_and_purges_nothing() {
    let origin = tagged();
    let gateway = gateway(&origin, "");
    get(&gateway, "/a", &[]);
    for what in [
        json!({}),
        json!({ "url": "/a", "tag": "a" }),
        json!({ "url": "a" }),
        json!({ "everything": true }),
        json!([1]),
        json!({ "tag": "x".repeat(100_000) }),
    ] {
        let answer = purge(&gateway, &what);
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    assert_eq!(http(gateway.admin(), "GET", "/cache/purge", &[], b"").status, 405);
    let page = [("origin", "https://evil.test")];
    assert_eq!(
        http(gateway.admin(), "POST", "/cache/purge", &page, b"{\"all\":true}").status,
        403
    );
    assert!(status(&get(&gateway, "/a", &[])).contains("hit"));
}

#[test]
fn the_command_asks_the_gateway_that_runs() {
    let origin = tagged();
    let gateway = gateway(&origin, "");
    get(&gateway, "/a/one", &[]);
    let run = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        command
            .args(["cache", "purge"])
            .arg(gateway.dir().join("gateway.toml"))
            .args(arguments);
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let address = gateway.admin().to_string();
    assert_eq!(
        run(&["--address", &address, "--tag", "one"]),
        (Some(0), "1 responses purged\n".to_owned())
    );
    assert_eq!(run(&["--address", &address, "--all"]).0, Some(0));
    let (code, said) = run(&["--address", &address, "--url", "nonsense"]);
    assert!(code == Some(2) && said.contains("neither a URL"), "{said}");
    let (code, said) = run(&["--all"]);
    assert!(code == Some(2) && said.contains("--address"), "{said}");
    assert_eq!(run(&["--address", &address]).0, Some(2));
    assert_eq!(run(&["--address", &address, "--all", "--tag", "a"]).0, Some(2));
}
