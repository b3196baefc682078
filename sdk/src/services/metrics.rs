//! Metrics of the plugin, exposed by the gateway as `gatewright_plugin_custom_<name>`. Names and label names match
//! `[a-z_][a-z0-9_]*`; what does not, what is beyond the plugin's limit of series, and everything without the operator's
//! grant is dropped.

use crate::host;

/// Adds to a counter.
pub fn add(name: &str, delta: u64, labels: &[(&str, &str)]) {
    host::metric_add(name, delta, labels);
}

/// Sets a gauge.
pub fn set(name: &str, value: f64, labels: &[(&str, &str)]) {
    host::metric_set(name, value, labels);
}

/// Adds an observation to a histogram, in the unit of its name (`…_seconds`).
pub fn observe(name: &str, value: f64, labels: &[(&str, &str)]) {
    host::metric_observe(name, value, labels);
}
