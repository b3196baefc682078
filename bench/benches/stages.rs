//! Built-in stages, and the path's normal form.

#![expect(clippy::panic, reason = "a benchmark that cannot be set up has nothing to say")]

use std::sync::Arc;

use divan::{Bencher, black_box};
use gatewright::stages::{api_key::ApiKey, throttle::Throttle};
use gatewright::state::embedded::Embedded;
use gatewright_bench::exchange;
use gatewright_config::{ApiKeyConfig, ApiKeyEntry, ApiKeySource, Rate, Scope, ThrottleConfig, ThrottleKey};
use gatewright_core::{Flow, Stage, Step};

fn main() {
    divan::main();
}

fn run(bencher: Bencher<'_, '_>, stage: &dyn Stage) {
    let mut exchange = exchange(10);
    bencher.bench_local(|| match stage.on_request(black_box(&mut exchange)) {
        Step::Ready(Some(Ok(Flow::Proceed))) => {}
        _ => panic!("the stage lets the request pass, and at once"),
    });
}

#[divan::bench]
fn throttle(bencher: Bencher<'_, '_>) {
    let rate: Rate = "1000000000/s".parse().unwrap_or_else(|_| panic!("a rate"));
    let config = ThrottleConfig {
        rate,
        burst: 1_000_000_000,
        by: ThrottleKey::Client,
        scope: Scope::Instance,
    };
    run(
        bencher,
        &Throttle::new(&config, &Arc::from("route"), 0, Arc::new(Embedded::default())),
    );
}

#[divan::bench]
fn api_key(bencher: Bencher<'_, '_>) {
    let source = ApiKeySource::Header {
        name: "authorization".to_owned(),
        scheme: Some("Bearer".to_owned()),
    };
    let config = ApiKeyConfig {
        keys: "keys.toml".into(),
        sources: vec![source],
    };
    // SHA-256 of `secret`.
    let digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let keys = format!("[[key]]\nname = \"bench\"\nsha256 = \"{digest}\"\n");
    let keys: Vec<ApiKeyEntry> =
        gatewright_config::parse_keys(&keys, "keys.toml".as_ref()).unwrap_or_else(|errors| panic!("{errors}"));
    run(bencher, &ApiKey::new(&config, keys));
}

#[divan::bench(args = ["/service/users/42", "/a/%41/./b//c"])]
fn normalise_path(path: &str) -> usize {
    gatewright_core::path::normalise(black_box(path)).map_or(0, |path| path.len())
}
