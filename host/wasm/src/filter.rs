//! A filter of one body: it has an instance of its plugin for itself, and a place among the plugin's filters, as long as
//! the body lasts. What it is given and gives is counted here; who gives and takes is [`crate::filtered_body`].

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use gatewright_core::ExchangeId;
use tokio::sync::OwnedSemaphorePermit;

use crate::api::{FilterHandle, Hook as _, OpenFilter};
use crate::breaker::Pass;
use crate::failure::{Failure, OutputError};
use crate::instance::Instance;
use crate::kind::PluginKind;
use crate::metrics::{Measured, RouteStats};
use crate::recording::FilterRecording;
use crate::runtime::{Cause, Runtime};
use crate::tape::Tape;

/// A filter that is open. Dropped before its end, its instance is gone with it and serves nobody else.
pub(crate) struct Filter {
    runtime: Arc<Runtime>,
    instance: Box<Instance>,
    handle: FilterHandle,
    exchange: ExchangeId,
    stats: Arc<RouteStats>,
    pass: Pass,
    measure: Measure,
    recording: Option<Box<FilterRecording>>,
    _place: OwnedSemaphorePermit,
}

impl Filter {
    /// Asks a plugin whether it wants to filter a body. None: it does not.
    pub(crate) async fn open(
        runtime: &Arc<Runtime>,
        stats: &Arc<RouteStats>,
        hook: &OpenFilter<'_>,
        cause: Cause<'_>,
    ) -> Result<Option<Self>, Failure> {
        let mut measured = stats.measure(PluginKind::BodyFilter);
        let tape = runtime.plugin().tape();
        let mut result = Self::admit(runtime, stats, hook, cause, tape.clone(), &mut measured).await;
        if let (Some(recorder), Some(Tape::Noting(served))) = (runtime.plugin().recorder(), tape) {
            let mut recording = FilterRecording::begin(recorder, runtime, &hook.inputs(), cause.exchange, served);
            recording.took(&measured.so_far());
            match &mut result {
                Ok(Some(filter)) => filter.recording = Some(Box::new(recording)),
                Ok(None) => recording.ended(recorder, None),
                Err(failure) => recording.ended(recorder, Some(failure)),
            }
        }
        runtime.counted(cause, measured, &result);
        result
    }

    async fn admit(
        runtime: &Arc<Runtime>,
        stats: &Arc<RouteStats>,
        hook: &OpenFilter<'_>,
        cause: Cause<'_>,
        tape: Option<Tape>,
        measured: &mut Measured<'_>,
    ) -> Result<Option<Self>, Failure> {
        let pass = runtime.admit(PluginKind::BodyFilter)?;
        let plugin = runtime.plugin();
        let (place, now) = plugin
            .filter_place(hook.response.is_some(), measured.began(), cause.deadline, stats)
            .await?;
        measured.has_place(now);
        let budget = runtime.budget(now, cause.deadline);
        let opening = pin!(async {
            let _running = plugin.shared().ticker.running();
            let mut instance = runtime.instance(cause.exchange).await?;
            instance.store.data_mut().serves(cause.headers, tape);
            let handle = hook.call(&mut instance, budget).await?;
            Ok((instance, handle))
        });
        let opened = runtime.within_time(opening, now, cause.deadline, measured).await;
        match opened {
            Ok((instance, Some(handle))) => Ok(Some(Self {
                runtime: Arc::clone(runtime),
                instance,
                handle,
                exchange: cause.exchange,
                stats: Arc::clone(stats),
                pass,
                measure: Measure::new(plugin.caller().limits.output_bytes),
                recording: None,
                _place: place,
            })),
            Ok((instance, None)) => {
                runtime.judge(PluginKind::BodyFilter, pass, None);
                runtime.put_back(instance);
                Ok(None)
            }
            Err(failure) => {
                runtime.judge(PluginKind::BodyFilter, pass, Some(&failure));
                Err(failure)
            }
        }
    }

    /// What is to be passed on for this chunk. After a failure there is no use in it any more.
    pub(crate) async fn push(&mut self, chunk: &[u8]) -> Result<Bytes, Failure> {
        let Self {
            runtime,
            instance,
            handle,
            exchange,
            stats,
            pass,
            measure,
            recording,
            _place: _,
        } = self;
        instance.begin(Some(*exchange));
        let pushing = async {
            measure.give(chunk);
            measure.take(handle.push(instance, chunk).await?)
        };
        let output = run(runtime, stats, *pass, pushing, recording.as_deref_mut()).await;
        stats.used_memory(instance.memory());
        if let Some(recording) = recording {
            recording.passed(Some(chunk), output.as_ref().ok());
        }
        if let Err(failure) = &output {
            record(runtime, recording.take(), Some(failure));
        }
        output
    }

    /// The last bytes of a body that is complete. Only now its plugin has done what was asked of it.
    pub(crate) async fn finish(self) -> Result<Bytes, Failure> {
        let Self {
            runtime,
            mut instance,
            handle,
            exchange,
            stats,
            pass,
            mut measure,
            mut recording,
            _place,
        } = self;
        instance.begin(Some(exchange));
        let finishing = async { measure.take(handle.finish(&mut instance).await?) };
        let output = run(&runtime, &stats, pass, finishing, recording.as_deref_mut()).await;
        stats.used_memory(instance.memory());
        if let Some(recording) = &mut recording {
            recording.passed(None, output.as_ref().ok());
        }
        record(&runtime, recording, output.as_ref().err());
        let output = output?;
        runtime.judge(PluginKind::BodyFilter, pass, None);
        runtime.put_back(instance);
        Ok(output)
    }

    /// The plugin's name.
    pub(crate) fn plugin(&self) -> &Arc<str> {
        &self.runtime.plugin().caller().name
    }
}

/// One call, within its limits, counted. It has the plugin's time: how long the body takes is for others to bound.
async fn run<T>(
    runtime: &Runtime,
    stats: &RouteStats,
    pass: Pass,
    call: impl Future<Output = Result<T, Failure>>,
    recording: Option<&mut FilterRecording>,
) -> Result<T, Failure> {
    let plugin = runtime.plugin();
    let mut measured = stats.measure(PluginKind::BodyFilter);
    let (now, _running) = (measured.began(), plugin.shared().ticker.running());
    measured.has_place(now);
    let deadline = now + plugin.caller().limits.time;
    let result = runtime.within_time(pin!(call), now, deadline, &mut measured).await;
    if let Some(recording) = recording {
        recording.took(&measured.so_far());
    }
    runtime.count(stats, measured, &result);
    if let Err(failure) = &result {
        runtime.judge(PluginKind::BodyFilter, pass, Some(failure));
    }
    result
}

/// A filter has come to its end.
fn record(runtime: &Runtime, recording: Option<Box<FilterRecording>>, failure: Option<&Failure>) {
    if let (Some(recorder), Some(recording)) = (runtime.plugin().recorder(), recording) {
        recording.ended(recorder, failure);
    }
}

/// What has gone in and come out. All that comes out is at most twice what went in, and `output_bytes` more, so that a
/// plugin makes no flood of a trickle.
struct Measure {
    slack: u64,
    given: u64,
    taken: u64,
}

impl Measure {
    fn new(output_bytes: usize) -> Self {
        Self {
            slack: output_bytes as u64,
            given: 0,
            taken: 0,
        }
    }

    fn give(&mut self, chunk: &[u8]) {
        self.given = self.given.saturating_add(chunk.len() as u64);
    }

    fn take(&mut self, output: Bytes) -> Result<Bytes, Failure> {
        self.taken = self.taken.saturating_add(output.len() as u64);
        if self.taken > self.given.saturating_mul(2).saturating_add(self.slack) {
            let what = "the body: more than twice what the filter was given and `output_bytes` together";
            return Err(OutputError::too_large(what).into());
        }
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_doubles_and_has_some_bytes_more_and_no_more() {
        let mut measure = Measure::new(3);
        let take = |measure: &mut Measure, length| measure.take(Bytes::from(vec![0; length]));
        take(&mut measure, 3).unwrap();
        assert!(take(&mut measure, 1).is_err());
        let mut measure = Measure { taken: 0, ..measure };
        measure.give(b"12");
        take(&mut measure, 7).unwrap();
        measure.give(b"3");
        take(&mut measure, 2).unwrap();
        assert!(take(&mut measure, 1).is_err());
    }
}
