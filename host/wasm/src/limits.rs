//! What one plugin may use, from its configuration, and the part of it that wasmtime asks about: memory and tables.

use std::fmt;
use std::time::Duration;

use gatewright_config::gateway::{Grants, HttpClientConfig, InstancePolicy, PluginConfig};
use wasmtime::ResourceLimiter;

use crate::ticker::TICK;

/// Elements of all tables of one instance.
const TABLE_ELEMENTS: usize = 200_000;
/// The limits of one plugin.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limits {
    pub(crate) memory_bytes: usize,
    pub(crate) time: Duration,
    /// Processor time, in ticks of the epoch.
    pub(crate) cpu_ticks: u32,
    pub(crate) host_call_bytes: usize,
    pub(crate) output_bytes: usize,
    pub(crate) log_bytes: usize,
    /// Resource handles alive in one instance; a guest that forgets to drop them hits this.
    pub(crate) handles: usize,
    pub(crate) concurrency: usize,
    pub(crate) queue_timeout: Duration,
    pub(crate) instances: InstancePolicy,
    pub(crate) grants: Grants,
    pub(crate) http: HttpClientConfig,
}

impl From<&PluginConfig> for Limits {
    fn from(config: &PluginConfig) -> Self {
        let PluginConfig {
            memory,
            time,
            cpu,
            host_call_bytes,
            output_bytes,
            log_bytes,
            handles,
            concurrency,
            queue_timeout,
            instances,
            grants,
            http,
            publishers: _,
            candidate: _,
            record: _,
        } = config;
        Self {
            memory_bytes: bytes(memory.0),
            time: *time,
            cpu_ticks: ticks(*cpu),
            host_call_bytes: bytes(host_call_bytes.0),
            output_bytes: bytes(output_bytes.0),
            log_bytes: bytes(log_bytes.0),
            handles: *handles,
            concurrency: (*concurrency).clamp(1, tokio::sync::Semaphore::MAX_PERMITS),
            queue_timeout: *queue_timeout,
            instances: *instances,
            grants: grants.clone(),
            http: http.clone(),
        }
    }
}

fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// Whole ticks, at least one: a tick may come right after a call began, so a guest gets what it is promised only if
/// a tick that has begun counts in its favour.
pub(crate) fn ticks(cpu: Duration) -> u32 {
    u32::try_from(cpu.as_nanos().div_ceil(TICK.as_nanos()))
        .unwrap_or(u32::MAX)
        .max(1)
}

/// Counts the memory and tables of one instance and refuses what goes beyond.
///
/// A refusal traps instead of letting `memory.grow` return -1: the operator learns the true reason, and no guest
/// goes on half-working.
#[derive(Debug)]
pub(crate) struct Meter {
    limit: usize,
    memory: usize,
    table_elements: usize,
}

impl Meter {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            memory: 0,
            table_elements: 0,
        }
    }

    /// Linear memory of the instance now; it never shrinks.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let memory = self.memory.saturating_add(desired.saturating_sub(current));
        if memory > self.limit {
            return Err(MemoryExceeded { limit: self.limit }.into());
        }
        self.memory = memory;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let elements = self.table_elements.saturating_add(desired.saturating_sub(current));
        if elements > TABLE_ELEMENTS {
            return Err(TableExceeded.into());
        }
        self.table_elements = elements;
        Ok(true)
    }

    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        8
    }
}

/// The guest wanted more memory than it may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryExceeded {
    limit: usize,
}

impl fmt::Display for MemoryExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it wants more than the {} bytes of `memory` it may have", self.limit)
    }
}

impl std::error::Error for MemoryExceeded {}

/// The guest wanted larger tables than it may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableExceeded;

impl fmt::Display for TableExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it wants more than {TABLE_ELEMENTS} table elements")
    }
}

impl std::error::Error for TableExceeded {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_of_one_instance_share_one_limit() {
        let mut meter = Meter::new(100);
        assert!(meter.memory_growing(0, 60, None).unwrap());
        assert!(meter.memory_growing(0, 60, None).unwrap_err().is::<MemoryExceeded>());
        assert!(meter.memory_growing(60, 100, None).unwrap());
        assert_eq!(meter.memory(), 100);
    }

    #[test]
    fn processor_time_is_rounded_up_to_ticks() {
        assert_eq!(ticks(Duration::ZERO), 1);
        assert_eq!(ticks(Duration::from_micros(1001)), 2);
        assert_eq!(ticks(Duration::MAX), u32::MAX);
    }
}
