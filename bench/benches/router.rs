//! Finding a route: must not depend on how many there are.

#![expect(clippy::panic, reason = "a benchmark that cannot be set up has nothing to say")]

use divan::{Bencher, black_box};
use gatewright::router::{RouteMatch, RouteRequest, Router};
use gatewright_config::GatewayConfig;
use http::{HeaderMap, Method};

fn main() {
    divan::main();
}

fn config(routes: usize) -> GatewayConfig {
    let mut text = String::from("[listener.a]\naddress = \"127.0.0.1:0\"\n");
    for number in 0..routes {
        text.push_str(&format!(
            "[[route]]\nname = \"r{number}\"\npath = \"/service{number}/users/{{id}}\"\nmethods = [\"GET\"]\n\
             integration = {{ respond = 200 }}\n"
        ));
    }
    gatewright_config::parse(&text, "bench.toml".as_ref()).unwrap_or_else(|errors| panic!("{errors}"))
}

#[divan::bench(args = [10, 1_000, 100_000])]
fn find(bencher: Bencher<'_, '_>, routes: usize) {
    let config = config(routes);
    let router = Router::new(config.routes.iter().enumerate()).unwrap_or_else(|error| panic!("{error:?}"));
    let headers = HeaderMap::new();
    // Nine places spread over the routes: what a gateway is busy with, not what its caches have never seen.
    let paths: Vec<String> = (0..9)
        .map(|n| format!("/service{}/users/42", n * (routes - 1) / 8))
        .collect();
    let mut next = 0;
    bencher.bench_local(|| {
        next = (next + 1) % paths.len();
        let path = paths.get(next).map_or("", String::as_str);
        let request = RouteRequest {
            host: "api.example.com",
            method: &Method::GET,
            path,
            query: None,
            headers: &headers,
            preflight: false,
        };
        assert!(matches!(router.find(black_box(&request)), RouteMatch::Found { .. }));
    });
}
