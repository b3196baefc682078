//! What the host functions know during a call: which plugin calls, for which exchange, what is left of its budgets.

use std::sync::Arc;

use gatewright_core::ExchangeId;
use wasmtime::UpdateDeadline;
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::failure::CpuExceeded;
use crate::granted::Granted;
use crate::limits::{Limits, Meter};
use crate::log_gate::LogGate;
use crate::metrics::{CustomMetrics, PluginStats};
use crate::recording::Served;
use crate::turns::Turns;

/// Largest piece of randomness that WASI hands out at once.
const WASI_RANDOM_BYTES: u64 = 64 << 10;

/// What all instances of a plugin share.
pub(crate) struct Caller {
    /// The plugin's name in the configuration.
    pub(crate) name: Arc<str>,
    pub(crate) limits: Limits,
    pub(crate) stats: Arc<PluginStats>,
    pub(crate) custom: Arc<CustomMetrics>,
    pub(crate) granted: Granted,
    /// Lets a line about services that are not granted into the log, now and then.
    pub(crate) refusals: LogGate,
}

/// The data of a store.
pub(crate) struct CallState {
    pub(crate) caller: Arc<Caller>,
    pub(crate) exchange: Option<ExchangeId>,
    pub(crate) meter: Meter,
    pub(crate) log_bytes_left: usize,
    pub(crate) http_requests_left: usize,
    /// Where calls of services are noted, when the call may be written down.
    pub(crate) served: Option<Arc<Served>>,
    ticks_left: u32,
    turns: Turns,
    wasi: Option<Box<Wasi>>,
}

struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
}

impl CallState {
    pub(crate) fn new(caller: Arc<Caller>) -> Self {
        Self {
            meter: Meter::new(caller.limits.memory_bytes),
            exchange: None,
            log_bytes_left: caller.limits.log_bytes,
            http_requests_left: caller.limits.http.requests,
            served: None,
            ticks_left: caller.limits.cpu_ticks,
            turns: Turns::default(),
            wasi: None,
            caller,
        }
    }

    /// Full budgets for a new call.
    pub(crate) fn begin(&mut self, exchange: Option<ExchangeId>, cpu_ticks: u32) {
        self.exchange = exchange;
        self.ticks_left = cpu_ticks;
        self.turns = Turns::default();
        self.log_bytes_left = self.caller.limits.log_bytes;
        self.http_requests_left = self.caller.limits.http.requests;
    }

    /// A tick came while the guest computed: it lets others run, or has had its time.
    pub(crate) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        self.ticks_left = self.ticks_left.checked_sub(1).ok_or(CpuExceeded)?;
        Ok(UpdateDeadline::YieldCustom(1, self.turns.next()))
    }
}

/// Most guests never ask for WASI, so it is made when one does: no files, no arguments, no environment, no network.
/// Standard input is empty, what is written to the standard outputs is discarded.
impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi.get_or_insert_with(|| {
            let mut context = WasiCtxBuilder::new();
            context
                .allow_tcp(false)
                .allow_udp(false)
                .max_random_size(WASI_RANDOM_BYTES);
            let mut table = ResourceTable::new();
            table.set_max_capacity(crate::limits::HANDLES);
            Box::new(Wasi {
                context: context.build(),
                table,
            })
        });
        WasiCtxView {
            ctx: &mut wasi.context,
            table: &mut wasi.table,
        }
    }
}
