//! Lines in the gateway's log. Never refused; what is beyond a call's budget is dropped and counted.

use crate::api::bindings::gatewright::plugin::log::{Host, Level};
use crate::state::CallState;
use crate::text::escaped;

/// By this target the log of plugins is filtered.
const TARGET: &str = "gatewright::plugin";
/// What a line costs besides its text, so that a budget of bytes bounds empty lines too.
const LINE_BYTES: usize = 64;
const LONGEST_MESSAGE: usize = 8 << 10;
const LONGEST_FIELD: usize = 1 << 10;

impl Host for CallState {
    fn enabled(&mut self, level: Level) -> wasmtime::Result<bool> {
        Ok(is_enabled(level))
    }

    fn write(&mut self, level: Level, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        let text: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        let Some(left) = self.log_bytes_left.checked_sub(LINE_BYTES + message.len() + text) else {
            self.caller.stats.log_line_dropped();
            return Ok(());
        };
        self.log_bytes_left = left;
        if is_enabled(level) {
            self.line(level, &message, &fields);
        }
        Ok(())
    }
}

impl CallState {
    fn line(&self, level: Level, message: &str, fields: &[(String, String)]) {
        let plugin = &*self.caller.name;
        let exchange = self.exchange.map(tracing::field::display);
        let message = escaped(message, LONGEST_MESSAGE);
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", escaped(name, LONGEST_FIELD), escaped(value, LONGEST_FIELD)))
            .collect();
        let fields = fields.join(" ");
        match level {
            Level::Trace => tracing::trace!(target: TARGET, plugin, exchange, fields, "{message}"),
            Level::Debug => tracing::debug!(target: TARGET, plugin, exchange, fields, "{message}"),
            Level::Info => tracing::info!(target: TARGET, plugin, exchange, fields, "{message}"),
            Level::Warn => tracing::warn!(target: TARGET, plugin, exchange, fields, "{message}"),
            Level::Error => tracing::error!(target: TARGET, plugin, exchange, fields, "{message}"),
        }
    }
}

fn is_enabled(level: Level) -> bool {
    match level {
        Level::Trace => tracing::enabled!(target: TARGET, tracing::Level::TRACE),
        Level::Debug => tracing::enabled!(target: TARGET, tracing::Level::DEBUG),
        Level::Info => tracing::enabled!(target: TARGET, tracing::Level::INFO),
        Level::Warn => tracing::enabled!(target: TARGET, tracing::Level::WARN),
        Level::Error => tracing::enabled!(target: TARGET, tracing::Level::ERROR),
    }
}
