//! Calls every service while it is asked what it is, and says in its description what came of it. Expected: `log`, `clock`
//! and `random` work, every other service refuses, whatever is granted to it.

use gatewright_sdk::http::HttpRequest;
use gatewright_sdk::prelude::*;
use gatewright_sdk::{cache, clock, counters, kv, log, metrics, random, secrets};
use std::fmt::Debug;
use std::time::Duration;

struct DescribesServices;

impl Plugin for DescribesServices {
    fn info() -> Info {
        log::write(log::Level::Info, "said by describe", &[]);
        metrics::add("described_total", 1, &[]);
        let second = Duration::from_secs(1);
        let refused = [
            came_of("kv", kv::get("granted", "k")),
            came_of("cache", cache::get("granted", "k", None)),
            came_of("counters", counters::add("granted", "k", 1, second)),
            came_of("secrets", secrets::get("granted")),
            came_of("http", HttpRequest::new("GET", "http://127.0.0.1:1/").send()),
        ];
        let works = clock::unix() > second && random::bytes(16) != random::bytes(16);
        misbehaving_guests::about("describes-services").description(format!("{works} {}", refused.join(" ")))
    }

    fn configure(_config: &str) -> Result<Self, Vec<ConfigError>> {
        Ok(Self)
    }
}

fn came_of<T: Debug, E: Debug>(service: &str, result: Result<T, E>) -> String {
    match result {
        Ok(value) => format!("{service}=ok({value:?})"),
        Err(error) => format!("{service}={error:?}"),
    }
}

impl Integration for DescribesServices {
    fn handle(&self, _request: &IntegrationRequest) -> Result<Response, Fault> {
        Ok(Response::new(200))
    }
}

gatewright_sdk::plugin!(DescribesServices: integration);
