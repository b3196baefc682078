//! A plugin with one configuration: what routes share that say the same, across reloads.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gatewright_config::gateway::InstancePolicy;
use gatewright_core::{ExchangeId, Explanation, Value};
use http::HeaderMap;

use crate::api::{self, Hook};
use crate::breaker::{Breakers, Pass};
use crate::call::{Stopped, limited};
use crate::configuration::Settings;
use crate::digest::Digest;
use crate::failure::{Failure, TrapReason};
use crate::instance::{Instance, is_exhausted};
use crate::kind::PluginKind;
use crate::metrics::{Measured, Outcome, RouteStats};
use crate::plugin::Plugin;
use crate::pool::Pool;
use crate::recording::Call;
use crate::tape::Tape;

/// One runtime.
pub(crate) struct Runtime {
    plugin: Arc<Plugin>,
    settings: Settings,
    /// Of plugin and configuration together.
    digest: Digest,
    pool: Pool,
    breakers: Breakers,
    /// Whether a grant ever had a policy, so that it is worth looking for one in the decision cache.
    grants_policies: AtomicBool,
}

/// The exchange a call is for.
#[derive(Clone, Copy)]
pub(crate) struct Cause<'a> {
    pub(crate) exchange: ExchangeId,
    /// When the exchange must be over.
    pub(crate) deadline: Instant,
    /// The numbers of the plugin on the exchange's route.
    pub(crate) stats: &'a RouteStats,
    /// Where the call says what it did, when somebody wants to know.
    pub(crate) explanation: Option<&'a Explanation>,
    /// Header fields of its request.
    pub(crate) headers: &'a HeaderMap,
}

impl Runtime {
    pub(crate) fn new(plugin: Arc<Plugin>, settings: Settings, digest: Digest) -> Self {
        let workers = plugin.shared().settings.workers;
        plugin.shared().metrics.runtimes.fetch_add(1, Ordering::Relaxed);
        Self {
            plugin,
            settings,
            digest,
            pool: Pool::new(workers),
            breakers: Breakers::new(),
            grants_policies: AtomicBool::new(false),
        }
    }

    pub(crate) fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }

    /// The configuration.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Whether one of its breakers is open.
    pub(crate) fn is_resting(&self) -> bool {
        self.breakers.is_any_open()
    }

    pub(crate) fn grants_policies(&self) -> bool {
        self.grants_policies.load(Ordering::Relaxed)
    }

    pub(crate) fn has_granted_a_policy(&self) {
        self.grants_policies.store(true, Ordering::Relaxed);
    }

    /// One call, within all limits, counted. Dropping it ends the guest.
    pub(crate) async fn call<H: Hook>(&self, hook: &H, cause: Cause<'_>) -> Result<H::Output, Failure> {
        let mut measured = cause.stats.measure(H::KIND);
        let tape = self.plugin.tape();
        let result = self.admit_and_run(hook, cause, tape.as_ref(), &mut measured).await;
        if let (Some(recorder), Some(Tape::Noting(served))) = (self.plugin.recorder(), tape) {
            let call = Call {
                inputs: hook.inputs(),
                exchange: cause.exchange,
                taken: measured.so_far(),
                served: &served,
                failure: result.as_ref().err(),
            };
            recorder.consider(self, &call);
        }
        self.counted(cause, measured, &result);
        result
    }

    /// Counts a call of an exchange, explains it to who wants to know, and logs it when it failed.
    pub(crate) fn counted<T>(&self, cause: Cause<'_>, measured: Measured<'_>, result: &Result<T, Failure>) {
        if let Some(explanation) = cause.explanation {
            self.explain(explanation, &measured, result.as_ref().err());
        }
        self.count(cause.stats, measured, result);
    }

    /// Counts a call, and logs it when it failed.
    pub(crate) fn count<T>(&self, stats: &RouteStats, measured: Measured<'_>, result: &Result<T, Failure>) {
        if let Some(observer) = self.plugin.observer() {
            let failed = result.as_ref().is_err_and(Failure::is_the_plugins);
            observer.called(failed, measured.began().elapsed());
        }
        match result {
            Ok(_) => measured.ended(Outcome::Ok),
            Err(failure) => {
                let kind = measured.kind();
                measured.ended(failure.into());
                self.plugin.note(kind, failure, stats);
            }
        }
    }

    /// Counts a call that was not made because of the message that it would have been given.
    pub(crate) fn refused(&self, kind: PluginKind, stats: &RouteStats, failure: &Failure) {
        stats.measure(kind).ended(failure.into());
    }

    /// Whether a call may run at all.
    pub(crate) fn admit(&self, kind: PluginKind) -> Result<Pass, Failure> {
        self.breakers.of(kind).admit().map_err(Failure::Resting)
    }

    async fn admit_and_run<H: Hook>(
        &self,
        hook: &H,
        cause: Cause<'_>,
        tape: Option<&Tape>,
        measured: &mut Measured<'_>,
    ) -> Result<H::Output, Failure> {
        let pass = self.admit(H::KIND)?;
        let (_place, now) = self.plugin.place(measured.began(), cause.deadline, cause.stats).await?;
        measured.has_place(now);
        let budget = self.budget(now, cause.deadline);
        let guest = pin!(self.run(hook, cause, tape, budget));
        let result = self.within_time(guest, now, cause.deadline, measured).await;
        self.judge(H::KIND, pass, result.as_ref().err());
        result
    }

    /// A guest was given up that runs in a task of its own.
    pub(crate) fn gave_up(&self, kind: PluginKind, pass: Pass, stats: &RouteStats, failure: &Failure) {
        self.plugin.note(kind, failure, stats);
        self.judge(kind, pass, Some(failure));
    }

    /// The wall time of a call that begins now.
    pub(crate) fn budget(&self, now: Instant, deadline: Instant) -> Duration {
        let time = self.plugin.caller().limits.time;
        time.min(deadline.saturating_duration_since(now))
    }

    /// Runs a guest until it is done, its time is used up, or the exchange is over.
    pub(crate) async fn within_time<T>(
        &self,
        guest: Pin<&mut impl Future<Output = Result<T, Failure>>>,
        now: Instant,
        deadline: Instant,
        measured: &mut Measured<'_>,
    ) -> Result<T, Failure> {
        let time = now + self.plugin.caller().limits.time;
        match limited(guest, time.min(deadline), &mut measured.processor).await {
            Ok(result) => result,
            Err(Stopped::Late) if deadline < time => Err(Failure::ExchangeOver),
            Err(Stopped::Late) => Err(Failure::TimeExceeded),
            Err(Stopped::Panicked(message)) => Err(Failure::Trap(TrapReason::HostPanic, message)),
        }
    }

    /// The guest's part: what happens here counts against its time and is gone when it is stopped.
    async fn run<H: Hook>(
        &self,
        hook: &H,
        cause: Cause<'_>,
        tape: Option<&Tape>,
        budget: Duration,
    ) -> Result<H::Output, Failure> {
        let _running = self.plugin.shared().ticker.running();
        let mut instance = self.instance(cause.exchange).await?;
        instance.store.data_mut().serves(cause.headers, tape.cloned());
        let at_work = AtWork {
            instance: &mut instance,
            cause,
        };
        let output = hook.call(at_work.instance, budget).await?;
        drop(at_work);
        instance.end();
        self.put_back(instance);
        Ok(output)
    }

    pub(crate) async fn instance(&self, exchange: ExchangeId) -> Result<Box<Instance>, Failure> {
        if let Some(mut instance) = self.pool.take() {
            instance.begin(Some(exchange));
            return Ok(instance);
        }
        match self.fresh(exchange).await {
            Err(error) if is_exhausted(&error) => {
                // Idle instances of other plugins hold places that this call needs more.
                self.plugin.shared().runtimes.evict();
                match self.fresh(exchange).await {
                    Err(error) if is_exhausted(&error) => Err(Failure::Saturated),
                    result => result?,
                }
            }
            result => result?,
        }
    }

    async fn fresh(&self, exchange: ExchangeId) -> wasmtime::Result<Result<Box<Instance>, Failure>> {
        let ticks = self.plugin.caller().limits.cpu_ticks;
        let mut instance = self.plugin.instance(Some(exchange), ticks).await?;
        Ok(match api::configure(&mut instance, self.settings.text()).await? {
            Ok(()) => {
                instance.memory_at_start = instance.memory();
                Ok(instance)
            }
            Err(_) => {
                let text = "`configure` refused a configuration that it accepted at load".to_owned();
                Err(Failure::Trap(TrapReason::Configure, text))
            }
        })
    }

    fn explain(&self, explanation: &Explanation, measured: &Measured<'_>, failure: Option<&Failure>) {
        let micros = |time: Duration| Value::Number(time.as_secs_f64() * 1e6);
        let summary = self.plugin.summary();
        let taken = measured.so_far();
        let mut facts = vec![
            ("plugin", Value::Text(summary.name.clone())),
            ("version", Value::Text(summary.version.clone())),
            ("digest", Value::Text(summary.digest.clone())),
            ("hook", Value::Text(taken.kind.as_str().to_owned())),
            ("queue_us", micros(taken.queue)),
            ("wall_us", micros(taken.wall)),
            ("cpu_us", micros(taken.processor)),
        ];
        if let Some(failure) = failure {
            facts.push(("failure", Value::Text(failure.to_string())));
        }
        explanation.note("plugin-call", facts);
    }

    /// Keeps an instance for the next call, if it may serve one and has not grown too much.
    pub(crate) fn put_back(&self, mut instance: Box<Instance>) {
        let limits = &self.plugin.caller().limits;
        let InstancePolicy::Reuse(calls) = limits.instances else {
            return;
        };
        instance.calls = instance.calls.saturating_add(1);
        let headroom = limits.memory_bytes.saturating_sub(instance.memory_at_start);
        let grown = instance.memory().saturating_sub(instance.memory_at_start);
        if instance.calls < calls && grown <= headroom / 2 {
            instance.store.data_mut().has_served();
            self.pool.put(instance);
        }
    }

    /// Tells the breaker how a call ended.
    pub(crate) fn judge(&self, kind: PluginKind, pass: Pass, failure: Option<&Failure>) {
        let breaker = self.breakers.of(kind);
        let name = &self.plugin.caller().name;
        match failure {
            Some(failure) if failure.is_breakdown() => {
                if let Some(wait) = breaker.failed(pass) {
                    tracing::error!(plugin = %name, wait = ?wait, "plugin failed too often in a row, its calls are refused");
                }
            }
            // Neither speaks for the plugin nor against it.
            Some(Failure::ExchangeOver | Failure::Saturated | Failure::Resting(_) | Failure::Message(_)) => {}
            _ => {
                if breaker.succeeded() {
                    tracing::info!(plugin = %name, "plugin works again");
                }
            }
        }
    }
}

/// An instance in a call. However that ends, the memory that it took is noted.
struct AtWork<'a> {
    instance: &'a mut Instance,
    cause: Cause<'a>,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        let memory = self.instance.memory();
        self.cause.stats.used_memory(memory);
        if let Some(explanation) = self.cause.explanation {
            let memory = i64::try_from(memory).unwrap_or(i64::MAX);
            explanation.note(
                "instance",
                [
                    ("reused", Value::Truth(self.instance.calls > 0)),
                    ("memory_bytes", Value::Integer(memory)),
                ],
            );
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.plugin.shared().metrics.runtimes.fetch_sub(1, Ordering::Relaxed);
    }
}
