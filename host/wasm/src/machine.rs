//! Engines with what belongs to them. The one that nearly all plugins run on is there from the start; the one with
//! concurrency support, which WASI 0.3 needs, costs each call more and is made when the first file is loaded that asks for it.

use std::sync::{Arc, OnceLock};

use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::engine::{self, Concurrency};
use crate::state::CallState;
use crate::{PluginError, host};

/// An engine, and what its plugins are linked with.
pub(crate) struct Machine {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<CallState>,
    /// Counts instances where there is no pool to do it.
    pub(crate) places: Option<Arc<Semaphore>>,
}

impl Machine {
    fn start(instances: u32, concurrency: Concurrency) -> Result<Self, PluginError> {
        let started = engine::start(instances, concurrency)?;
        let places = usize::try_from(instances).unwrap_or(Semaphore::MAX_PERMITS);
        Ok(Self {
            linker: host::linker(&started.engine, concurrency)
                .map_err(|error| PluginError::Engine(format!("{error:#}")))?,
            places: (!started.pooled).then(|| Arc::new(Semaphore::new(places.max(1)))),
            engine: started.engine,
        })
    }
}

/// Those of a process.
pub(crate) struct Machines {
    instances: u32,
    plain: Machine,
    concurrent: OnceLock<Machine>,
}

impl Machines {
    /// Starts the first one. Each has places for `instances` instances at once.
    ///
    /// # Errors
    /// When the machine cannot run WebAssembly.
    pub(crate) fn start(instances: u32) -> Result<Self, PluginError> {
        Ok(Self {
            instances,
            plain: Machine::start(instances, Concurrency::Off)?,
            concurrent: OnceLock::new(),
        })
    }

    /// The one for such plugins. It is started when it is first asked for, and then it stays.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn of(&self, concurrency: Concurrency) -> Result<&Machine, PluginError> {
        match (concurrency, self.concurrent.get()) {
            (Concurrency::Off, _) => Ok(&self.plain),
            (Concurrency::On, Some(machine)) => Ok(machine),
            (Concurrency::On, None) => {
                let machine = Machine::start(self.instances, concurrency)?;
                Ok(self.concurrent.get_or_init(|| machine))
            }
        }
    }

    /// Advances the epochs.
    pub(crate) fn tick(&self) {
        self.plain.engine.increment_epoch();
        if let Some(machine) = self.concurrent.get() {
            machine.engine.increment_epoch();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_with_concurrency_is_made_when_it_is_asked_for_and_once() {
        let machines = Machines::start(1).unwrap();
        machines.of(Concurrency::Off).unwrap();
        machines.tick();
        assert!(machines.concurrent.get().is_none());
        let machine = machines.of(Concurrency::On).unwrap();
        assert!(std::ptr::eq(machine, machines.of(Concurrency::On).unwrap()));
        assert!(!Engine::same(
            &machine.engine,
            &machines.of(Concurrency::Off).unwrap().engine
        ));
    }
}
