//! What the host functions know during a call: which plugin calls, for which exchange, what is left of its budgets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gatewright_core::ExchangeId;
use http::HeaderMap;
use wasmtime::UpdateDeadline;
use wasmtime_wasi::{Deterministic, HostWallClock, ResourceTable, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::failure::CpuExceeded;
use crate::granted::Granted;
use crate::host::random::seeded;
use crate::host::{LogBudget, Outgoing, Printed};
use crate::leases::{Lease, Leases};
use crate::limits::{Limits, Meter};
use crate::log_gate::LogGates;
use crate::metrics::{CustomMetrics, PluginStats};
use crate::tape::Tape;
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
    pub(crate) leases: Arc<Leases>,
    /// Lets lines about what is not granted into the log, now and then one about each.
    pub(crate) refusals: LogGates,
}

/// The data of a store.
pub(crate) struct CallState {
    pub(crate) caller: Arc<Caller>,
    pub(crate) exchange: Option<ExchangeId>,
    pub(crate) meter: Meter,
    pub(crate) log_budget: LogBudget,
    /// What the guest has logged as an error in this call, at last: if it traps now, that is why.
    pub(crate) last_error: Option<String>,
    /// Values of caches that this call is to compute.
    pub(crate) leases: Vec<Lease>,
    /// Random numbers of tests.
    pub(crate) seeded: Option<Deterministic>,
    pub(crate) outgoing: Outgoing,
    /// Where answers of services are noted, or come from.
    pub(crate) tape: Option<Tape>,
    ticks_left: u32,
    /// Set when somebody has taken what the guest made, and it may go on for as long again.
    fed: Option<Arc<AtomicBool>>,
    turns: Turns,
    wasi: Option<Box<Wasi>>,
}

struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
    http: WasiHttpCtx,
    printed: Printed,
}

impl CallState {
    pub(crate) fn new(caller: Arc<Caller>) -> Self {
        Self {
            meter: Meter::new(caller.limits.memory_bytes),
            exchange: None,
            log_budget: LogBudget::new(caller.limits.log_bytes),
            last_error: None,
            leases: Vec::new(),
            seeded: caller.granted.seed.map(seeded),
            outgoing: Outgoing::new(&caller),
            tape: None,
            ticks_left: caller.limits.cpu_ticks,
            fed: None,
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
        self.log_budget = LogBudget::new(self.caller.limits.log_bytes);
        self.last_error = None;
        self.leases.clear();
        self.outgoing.begin();
        if let Some(wasi) = &self.wasi {
            wasi.printed.begin(exchange);
        }
    }

    /// A guest's own words about why it broke off: its last line of level error, or else what it has printed.
    pub(crate) fn last_words(&self) -> Option<String> {
        let printed = || self.wasi.as_ref().and_then(|wasi| wasi.printed.last_lines());
        self.last_error.clone().or_else(printed)
    }

    /// What is done from now on is done for a request with these header fields.
    pub(crate) fn serves(&mut self, headers: &HeaderMap, tape: Option<Tape>) {
        self.outgoing.is_for(headers, tape.clone());
        self.tape = tape;
    }

    /// The call is over: what was noted of it is not kept by an instance that waits.
    pub(crate) fn has_served(&mut self) {
        self.tape = None;
        self.outgoing.tape = None;
    }

    /// Full processor time whenever this is set.
    pub(crate) fn feed_from(&mut self, fed: &Arc<AtomicBool>) {
        self.fed = Some(Arc::clone(fed));
    }

    /// A tick came while the guest computed: it lets others run, or has had its time.
    pub(crate) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        if self.fed.as_ref().is_some_and(|fed| fed.swap(false, Ordering::Relaxed)) {
            self.ticks_left = self.caller.limits.cpu_ticks;
        }
        self.ticks_left = self.ticks_left.checked_sub(1).ok_or(CpuExceeded)?;
        Ok(UpdateDeadline::YieldCustom(1, self.turns.next()))
    }
}

/// Most guests never ask for WASI, so it is made when one does: no files, no arguments, no environment, no network.
/// Standard input is empty, what is written to the standard outputs goes to the log.
fn wasi<'a>(wasi: &'a mut Option<Box<Wasi>>, caller: &Arc<Caller>, exchange: Option<ExchangeId>) -> &'a mut Wasi {
    wasi.get_or_insert_with(|| {
        let printed = Printed::new(caller, exchange);
        let mut context = WasiCtxBuilder::new();
        context
            .allow_tcp(false)
            .allow_udp(false)
            .stdout(printed.clone())
            .stderr(printed.clone())
            .max_random_size(WASI_RANDOM_BYTES);
        let Granted { time, seed, .. } = &caller.granted;
        if let Some(time) = time {
            context.wall_clock(Still(*time));
        }
        if let Some(seed) = seed {
            context.secure_random(seeded(*seed)).insecure_random(seeded(*seed));
        }
        Box::new(Wasi {
            context: context.build(),
            // Each entry belongs to a handle of the guest, and those are counted.
            table: ResourceTable::new(),
            http: WasiHttpCtx::new(),
            printed,
        })
    })
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = wasi(&mut self.wasi, &self.caller, self.exchange);
        WasiCtxView {
            ctx: &mut wasi.context,
            table: &mut wasi.table,
        }
    }
}

/// The clock of tests.
struct Still(Duration);

impl HostWallClock for Still {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

/// What is requested over `wasi:http` goes the way of the service `http-client`.
impl WasiHttpView for CallState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let wasi = wasi(&mut self.wasi, &self.caller, self.exchange);
        WasiHttpCtxView {
            hooks: &mut self.outgoing,
            table: &mut wasi.table,
            ctx: &mut wasi.http,
        }
    }
}
