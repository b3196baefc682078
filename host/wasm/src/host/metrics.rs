//! A plugin's own metrics. Never refused: without the grant, and beyond the limit of series, calls are dropped and counted.

use crate::api::bindings::gatewright::plugin::metrics::Host;
use crate::metrics::Sample;
use crate::state::CallState;

impl Host for CallState {
    fn add(&mut self, name: String, delta: u64, labels: Vec<(String, String)>) -> wasmtime::Result<()> {
        self.sample(&name, Sample::Add(delta), labels);
        Ok(())
    }

    fn set(&mut self, name: String, value: f64, labels: Vec<(String, String)>) -> wasmtime::Result<()> {
        self.sample(&name, Sample::Set(value), labels);
        Ok(())
    }

    fn observe(&mut self, name: String, value: f64, labels: Vec<(String, String)>) -> wasmtime::Result<()> {
        self.sample(&name, Sample::Observe(value), labels);
        Ok(())
    }
}

impl CallState {
    fn sample(&self, name: &str, sample: Sample, labels: Vec<(String, String)>) {
        let caller = &*self.caller;
        if !caller.limits.grants.metrics || !caller.custom.record(&caller.name, name, sample, labels) {
            caller.stats.sample_dropped();
        }
    }
}
