//! WebAssembly engines, each with a pool of ready-made places for instances.
//!
//! What is set here is the same for all plugins of an engine: which WebAssembly is accepted, how instances get their
//! memory, and that a guest which computes can be interrupted. What differs from plugin to plugin is in [`crate::limits`].

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::PluginError;

/// Stack of a guest: enough for interpreters, small enough to overflow before the fibre's own.
const GUEST_STACK_BYTES: usize = 512 << 10;
/// Stack of the fibre a call runs on: the guest's, and as much again for host functions.
const FIBER_STACK_BYTES: usize = 1 << 20;
/// Pages that stay with a place when an instance is gone, so that the next one does not fault them in again.
const RESIDENT_MEMORY_BYTES: usize = 512 << 10;
const RESIDENT_TABLE_BYTES: usize = 64 << 10;
/// Dynamically linked guests (Python) bring tens of core instances each; most components have one to four.
const CORE_INSTANCES_EACH: u32 = 8;

/// Whether an engine has the component model's tasks, streams and futures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Concurrency {
    /// None of that machinery is on the way of a call. Nearly all plugins.
    Off,
    /// As WASI 0.3 needs it.
    On,
}

/// An engine, and whether its instances come from the pool.
pub(crate) struct Started {
    pub(crate) engine: Engine,
    pub(crate) pooled: bool,
}

/// Starts an engine with places for `instances` instances at once.
///
/// # Errors
/// When the machine cannot run it at all.
pub(crate) fn start(instances: u32, concurrency: Concurrency) -> Result<Started, PluginError> {
    let mut config = base(concurrency);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances)));
    match Engine::new(&config) {
        Ok(engine) => Ok(Started { engine, pooled: true }),
        Err(error) => {
            // Each place reserves gigabytes of address space, which containers and old kernels may refuse.
            tracing::warn!(
                instances,
                "cannot reserve the plugin instance pool, calls of plugins will be slower: {error:#}; \
                 lower `instances` under `[plugins]` or raise the address-space limit"
            );
            Ok(Started {
                engine: unpooled(concurrency)?,
                pooled: false,
            })
        }
    }
}

/// An engine without a pool. What it compiles, one with a pool runs.
///
/// # Errors
/// When the machine cannot run it at all.
pub(crate) fn unpooled(concurrency: Concurrency) -> Result<Engine, PluginError> {
    Engine::new(&base(concurrency)).map_err(|error| PluginError::Engine(format!("{error:#}")))
}

fn base(concurrency: Concurrency) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(concurrency == Concurrency::On)
        .memory_init_cow(true)
        .max_wasm_stack(GUEST_STACK_BYTES)
        .async_stack_size(FIBER_STACK_BYTES)
        .wasm_backtrace_max_frames(NonZeroUsize::new(20))
        .shared_memory(false)
        .wasm_memory64(false);
    config
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    let instances = instances.max(1);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_EACH))
        .total_memories(instances.saturating_add(instances / 4))
        .total_tables(instances.saturating_mul(2))
        // A call that ends gives its stack back only when its store is gone.
        .total_stacks(instances.saturating_add(instances / 4))
        .max_core_instances_per_component(64)
        .max_memories_per_component(4)
        .max_tables_per_component(32)
        .max_memories_per_module(2)
        .max_tables_per_module(4)
        .table_elements(100_000)
        .max_component_instance_size(10 << 20)
        .max_core_instance_size(10 << 20)
        .max_unused_warm_slots(64);
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        // Without the scan, keeping pages means clearing them all, touched or not: slower than giving them back.
        pool.pagemap_scan(Enabled::Auto)
            .linear_memory_keep_resident(RESIDENT_MEMORY_BYTES)
            .table_keep_resident(RESIDENT_TABLE_BYTES);
    }
    pool
}
