//! One instance of a plugin: its store, and what is known of it. Owned by the call that uses it.

use std::fmt;
use std::sync::Arc;

use gatewright_core::ExchangeId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::InstancePre;
use wasmtime::{PoolConcurrencyLimitError, Store, StoreContextMut};

use crate::api::Exports;
use crate::state::{CallState, Caller};

/// A component that is checked, linked and ready to be instantiated.
pub(crate) struct Component {
    pub(crate) linked: InstancePre<CallState>,
    pub(crate) exports: Arc<Exports>,
    /// Counts instances where no pool does: without one the machine's memory would be the limit.
    pub(crate) places: Option<Arc<Semaphore>>,
}

/// A live instance.
pub(crate) struct Instance {
    pub(crate) store: Store<CallState>,
    pub(crate) raw: wasmtime::component::Instance,
    pub(crate) exports: Arc<Exports>,
    /// Calls it has served.
    pub(crate) calls: u32,
    /// Linear memory it had when it was configured.
    pub(crate) memory_at_start: usize,
    _place: Option<OwnedSemaphorePermit>,
}

impl Instance {
    /// Makes one. Code of the guest may run: `cpu_ticks` is for that and the first call together.
    ///
    /// # Errors
    /// When the guest traps, wants more than it may have, or the pool has no place left.
    pub(crate) async fn make(
        component: &Component,
        caller: &Arc<Caller>,
        exchange: Option<ExchangeId>,
        cpu_ticks: u32,
    ) -> wasmtime::Result<Box<Self>> {
        let place = component
            .places
            .as_ref()
            .map(|places| Arc::clone(places).try_acquire_owned());
        let place = place.transpose().map_err(|_| NoPlace)?;
        let mut store = Store::try_new(component.linked.engine(), CallState::new(Arc::clone(caller)))?;
        store.limiter(|state| &mut state.meter);
        store.set_hostcall_fuel(caller.limits.host_call_bytes);
        store.set_max_component_handles(caller.limits.handles);
        // Where there are tasks and streams, what the engine keeps of them is counted too: a stream is two handles.
        if let Some(table) = store.concurrent_resource_table() {
            table.set_max_capacity(caller.limits.handles.saturating_mul(2));
        }
        store.epoch_deadline_callback(|mut context: StoreContextMut<'_, CallState>| context.data_mut().tick());
        store.data_mut().begin(exchange, cpu_ticks);
        store.set_epoch_deadline(1);
        let started = component.linked.instantiate_async(&mut store).await;
        let raw = started.map_err(|error| explained(&store, error))?;
        caller.stats.instance_made();
        // Boxed: it is handed on a few times in every call.
        Ok(Box::new(Self {
            store,
            raw,
            exports: Arc::clone(&component.exports),
            calls: 0,
            memory_at_start: 0,
            _place: place,
        }))
    }

    /// Full budgets for another call.
    pub(crate) fn begin(&mut self, exchange: Option<ExchangeId>) {
        let cpu_ticks = self.store.data().caller.limits.cpu_ticks;
        self.store.data_mut().begin(exchange, cpu_ticks);
        self.store.set_epoch_deadline(1);
    }

    /// An error of a call, with what the guest has said of it.
    pub(crate) fn explained(&self, error: wasmtime::Error) -> wasmtime::Error {
        explained(&self.store, error)
    }

    /// The call is over: others need not wait for what it did not compute.
    pub(crate) fn end(&mut self) {
        self.store.data_mut().leases.clear();
    }

    /// Linear memory now.
    pub(crate) fn memory(&self) -> usize {
        self.store.data().meter.memory()
    }
}

fn explained(store: &Store<CallState>, error: wasmtime::Error) -> wasmtime::Error {
    match store.data().last_words() {
        Some(words) => error.context(format!("it said: {words}")),
        None => error,
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let stats = &self.store.data().caller.stats;
        stats.used_memory(self.memory());
        stats.instance_gone();
    }
}

/// As many instances are alive as there may be.
#[derive(Clone, Copy, Debug)]
struct NoPlace;

impl fmt::Display for NoPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all plugin instances (`instances` under `[plugins]`) are in use")
    }
}

impl std::error::Error for NoPlace {}

/// Whether an instance could not be made because there are too many.
pub(crate) fn is_exhausted(error: &wasmtime::Error) -> bool {
    error.is::<PoolConcurrencyLimitError>() || error.is::<NoPlace>()
}
