//! A plugin call, everything included: an authorizer in a new instance, in a used one, and by a remembered decision.

use std::time::Duration;

use divan::Bencher;
use gatewright_bench::{Guests, exchange};
use gatewright_config::InstancePolicy;

fn main() {
    divan::main();
}

fn run(bencher: Bencher<'_, '_>, instances: InstancePolicy, cache: Duration, fields: usize) {
    let guests = Guests::start();
    let stage = guests.authorizer(instances, cache);
    let mut exchange = exchange(fields);
    let _entered = guests.enter();
    bencher.bench_local(|| guests.call(&*stage, &mut exchange));
}

/// By how many header fields the request has: only what the guest asks for is lowered, so it should not matter.
#[divan::bench(args = [1, 11, 31], sample_size = 200)]
fn authorizer_fresh(bencher: Bencher<'_, '_>, fields: usize) {
    run(bencher, InstancePolicy::Fresh, Duration::ZERO, fields);
}

#[divan::bench(args = [1, 11, 31], sample_size = 200)]
fn authorizer_reused(bencher: Bencher<'_, '_>, fields: usize) {
    run(bencher, InstancePolicy::Reuse(1_000_000), Duration::ZERO, fields);
}

#[divan::bench(sample_size = 200)]
fn authorizer_decision_cached(bencher: Bencher<'_, '_>) {
    run(bencher, InstancePolicy::Fresh, Duration::from_secs(3600), 11);
}
