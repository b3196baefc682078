//! `mode = "aws"`: the configuration says how long, the key says what, and permission says who may fetch anew.

use super::{counting, gateway, get, status};
use gatewright_tests::{TestFiles, TestGateway, guests};

const AWS: &str = "mode = \"aws\"";

#[test]
fn only_the_parts_of_the_key_tell_requests_apart() {
    let origin = counting(&[("cache-control", "max-age=0")]);
    let gateway = gateway(
        &origin,
        "mode = \"aws\", key = [\"query:page\", \"header:accept-language\"]",
    );
    assert_eq!(get(&gateway, "/a?page=1&other=1", &[]).text(), "answer 1");
    assert_eq!(get(&gateway, "/a?other=2&page=1", &[]).text(), "answer 1");
    assert_eq!(get(&gateway, "/a?page=2", &[]).text(), "answer 2");
    assert_eq!(
        get(&gateway, "/a?page=1", &[("accept-language", "de")]).text(),
        "answer 3"
    );
    assert_eq!(get(&gateway, "/b?page=1", &[]).text(), "answer 4");
}

#[test]
fn a_ttl_of_zero_is_never_and_what_went_wrong_is_not_kept() {
    let origin = counting(&[]);
    let never = gateway(&origin, "mode = \"aws\", ttl = \"0s\"");
    assert_ne!(get(&never, "/a", &[]).text(), get(&never, "/a", &[]).text());
    let failing = gatewright_tests::Origin::start(|_| async {
        http::Response::builder()
            .status(404)
            .body(gatewright_tests::full("no"))
            .unwrap()
    });
    let gateway = gateway(&failing, AWS);
    get(&gateway, "/a", &[]);
    get(&gateway, "/a", &[]);
    assert_eq!(failing.hits(), 2);
}

#[test]
fn who_may_not_have_it_fetched_anew_is_refused_or_ignored_or_warned() {
    let origin = counting(&[]);
    let refresh = [("cache-control", "max-age=0")];
    let forbidding = gateway(&origin, AWS);
    get(&forbidding, "/a", &[]);
    let refused = get(&forbidding, "/a", &refresh);
    assert_eq!((refused.status, refused.error()), (403, Some("ACCESS_DENIED")));
    for (policy, warning) in [
        ("ignore", None),
        (
            "warn",
            Some("199 gatewright \"Cache-Control: max-age=0 was not heeded\""),
        ),
    ] {
        let gateway = gateway(&origin, &format!("mode = \"aws\", refused_refresh = \"{policy}\""));
        let first = get(&gateway, "/a", &[]);
        let response = get(&gateway, "/a", &refresh);
        assert_eq!(
            (response.text(), response.header("warning")),
            (first.text(), warning),
            "{policy}"
        );
    }
}

#[test]
fn who_may_have_it_fetched_anew_replaces_it_for_all() {
    let origin = counting(&[("etag", "\"a\"")]);
    let gateway = gateway(&origin, "mode = \"aws\", refresh = \"everybody\"");
    assert_eq!(get(&gateway, "/a", &[]).text(), "answer 1");
    // Other things that a request may say to caches are not Amazon's.
    assert_eq!(get(&gateway, "/a", &[("cache-control", "no-cache")]).text(), "answer 1");
    let anew = get(&gateway, "/a", &[("cache-control", "max-age=0")]);
    assert_eq!(
        (anew.text().as_str(), status(&anew)),
        ("answer 2", "gatewright; fwd=request; stored")
    );
    assert_eq!(get(&gateway, "/a", &[]).text(), "answer 2");
    assert!(
        !origin
            .requests()
            .iter()
            .any(|request| request.headers.contains_key("if-none-match"))
    );
}

#[test]
fn the_configuration_can_leave_it_to_principals() {
    let origin = counting(&[]);
    let stage = "{ use = \"cache\", mode = \"aws\", by = \"everybody\", refresh = \"principal\" }";
    let chain = format!("{{ use = \"api-key\", keys = \"keys.toml\" }}, {stage}");
    let gateway = TestFiles::default()
        .with("keys.toml", super::principals::keys())
        .start(&super::with_chain(&origin, &chain));
    let ask = |fields: &[(&str, &str)]| get(&gateway, "/a", fields).text();
    assert_eq!(ask(&[("x-api-key", "one")]), "answer 1");
    assert_eq!(ask(&[("x-api-key", "two"), ("cache-control", "max-age=0")]), "answer 2");
    assert_eq!(ask(&[("x-api-key", "one")]), "answer 2");
}

#[test]
fn an_authorizer_after_the_cache_is_refused_at_load() {
    let origin = counting(&[]);
    let plugin = "{ use = \"cache\" }, { plugin = \"decides\" }";
    let config = format!(
        "[plugins]\ndirectory = \"plugins\"\n{}",
        super::with_chain(&origin, plugin)
    );
    let files = TestFiles::default().with("plugins/decides.wasm", guests::guest("decides"));
    let Err(error) = files.try_start(&config) else {
        panic!("an authorizer would not be asked on hits")
    };
    assert!(error.contains("comes after `cache`"), "{error}");
    let native = "{ use = \"cache\" }, { use = \"api-key\", keys = \"keys.toml\" }";
    let Err(error) = TestGateway::try_start(&super::with_chain(&origin, native)) else {
        panic!("nor would a stage")
    };
    assert!(error.contains("keeps clients out comes after `cache`"), "{error}");
}
