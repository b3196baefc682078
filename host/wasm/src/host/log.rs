//! Lines in the gateway's log. Never refused; what is beyond a call's budget is dropped and counted.

use gatewright_config::ByteSize;
use gatewright_core::ExchangeId;

use crate::api::bindings::gatewright::plugin::log::{Host, Level};
use crate::state::{CallState, Caller};
use crate::text::escaped;

/// By this target the log of plugins is filtered.
const TARGET: &str = "gatewright::plugin";
/// What a line costs besides its text, so that a budget of bytes bounds empty lines too.
const LINE_BYTES: usize = 64;
/// What a field costs besides its text: there are as many empty ones as fit into a call's bytes.
const FIELD_BYTES: usize = 2;
pub(super) const LONGEST_MESSAGE: usize = 8 << 10;
/// What is kept of a line that may say why the guest traps.
const LAST_ERROR: usize = 1 << 10;
const LONGEST_FIELD: usize = 1 << 10;

impl Host for CallState {
    fn enabled(&mut self, level: Level) -> wasmtime::Result<bool> {
        Ok(is_enabled(level))
    }

    fn write(&mut self, level: Level, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        if level == Level::Error {
            self.last_error = Some(escaped(&message, LAST_ERROR));
        }
        self::write(
            &self.caller,
            self.exchange,
            &mut self.log_budget,
            level,
            &message,
            &fields,
        );
        Ok(())
    }
}

/// What a call may still say.
#[derive(Debug)]
pub(crate) struct LogBudget {
    bytes_left: usize,
    /// The log says that something is missing.
    is_marked: bool,
}

impl LogBudget {
    /// That of a call.
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            bytes_left: bytes,
            is_marked: false,
        }
    }
}

/// Writes a line, if there is enough left for it. Where there is not, the log says so once a call.
pub(super) fn write(
    caller: &Caller,
    exchange: Option<ExchangeId>,
    budget: &mut LogBudget,
    level: Level,
    message: &str,
    fields: &[(String, String)],
) {
    let Some(left) = budget.bytes_left.checked_sub(cost(message, fields)) else {
        caller.stats.log_line_dropped();
        if is_enabled(level) && !std::mem::replace(&mut budget.is_marked, true) {
            let bytes = ByteSize(caller.limits.log_bytes as u64);
            let mark = format!("[left out: a line for which {bytes} of `log_bytes` leave no room, and perhaps more]");
            line(caller, exchange, level, &mark, &[]);
        }
        return;
    };
    budget.bytes_left = left;
    if is_enabled(level) {
        line(caller, exchange, level, message, fields);
    }
}

fn line(caller: &Caller, exchange: Option<ExchangeId>, level: Level, message: &str, fields: &[(String, String)]) {
    let plugin = &*caller.name;
    let exchange = exchange.map(tracing::field::display);
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

/// What a line takes of the budget.
fn cost(message: &str, fields: &[(String, String)]) -> usize {
    let fields = fields
        .iter()
        .map(|(name, value)| FIELD_BYTES + name.len() + value.len());
    LINE_BYTES + message.len() + fields.sum::<usize>()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_lines_and_empty_fields_cost_what_they_take_in_the_log() {
        assert_eq!(cost("", &[]), 64);
        assert_eq!(cost("abc", &[("a".to_owned(), "bc".to_owned())]), 64 + 3 + 2 + 3);
        let empty = vec![Default::default(); 100_000];
        assert!(cost("", &empty) > 200_000);
    }
}
