//! What the same authorizer costs in each language: the one that `gatewright plugin new` starts, built by
//! `cargo xtask bench --languages`. Prints a table for `bench/README.md`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has nothing to say")]

use std::path::Path;
use std::time::{Duration, Instant};

use gatewright_bench::{Guests, exchange};
use gatewright_config::InstancePolicy;

const LANGUAGES: [&str; 6] = ["rust", "c", "go", "javascript", "typescript", "python"];
/// At least so long, and so often, is each measured.
const TIME: Duration = Duration::from_secs(1);
const ROUNDS: usize = 100;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench/languages");
    println!("| language | file | compile | call, fresh instance | call, used instance |");
    println!("| --- | --- | --- | --- | --- |");
    for language in LANGUAGES {
        let file = folder.join(format!("{language}.wasm"));
        let kilobytes = std::fs::metadata(&file).unwrap().len() / 1000;
        // A store of its own, so that it is compiled now.
        let store = folder.join(format!("store-{}", std::process::id())).join(language);
        let guests = Guests::start_in(store);
        let compile = guests.compile_ms(&file).map_or("–".to_owned(), |ms| format!("{ms} ms"));
        let fresh = median(&guests, &file, InstancePolicy::Fresh);
        let used = median(&guests, &file, InstancePolicy::Reuse(1_000_000));
        println!("| {language} | {kilobytes} kB | {compile} | {fresh:.1} µs | {used:.1} µs |");
    }
    let _ = std::fs::remove_dir_all(folder.join(format!("store-{}", std::process::id())));
}

/// Microseconds of a call, everything that belongs to it included.
fn median(guests: &Guests, file: &Path, instances: InstancePolicy) -> f64 {
    let stage = guests.authorizer_of(file, instances, serde_json::json!({ "word": "secret" }));
    let mut exchange = exchange(10);
    let _entered = guests.enter();
    let mut times = Vec::new();
    let began = Instant::now();
    while times.len() < ROUNDS || began.elapsed() < TIME {
        let call = Instant::now();
        guests.call(&*stage, &mut exchange);
        times.push(call.elapsed());
    }
    times.sort_unstable();
    times.get(times.len() / 2).unwrap().as_secs_f64() * 1e6
}
