//! A filter as a recording: all of its calls are one, which ends with the body, or before it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright_core::ExchangeId;

use super::{Draft, Inputs, RecordedChunk, Recorder, Served};
use crate::failure::Failure;
use crate::kind::PluginKind;
use crate::metrics::{Outcome, Taken};
use crate::runtime::Runtime;

/// Chunks that are kept of a body.
const CHUNKS: usize = 1_000;

/// What is known of a filter so far.
pub(crate) struct FilterRecording {
    draft: Draft,
    served: Arc<Served>,
    taken: Taken,
}

impl FilterRecording {
    /// A filter was asked for. What it is given has to be kept, because it is long gone when the filter ends.
    pub(crate) fn begin(
        recorder: &Recorder,
        runtime: &Runtime,
        inputs: &Inputs<'_>,
        exchange: ExchangeId,
        served: Arc<Served>,
    ) -> Self {
        Self {
            draft: recorder.draft(runtime, inputs, exchange, PluginKind::BodyFilter.as_str()),
            served,
            taken: Taken {
                kind: PluginKind::BodyFilter,
                queue: Duration::ZERO,
                wall: Duration::ZERO,
                processor: Duration::ZERO,
            },
        }
    }

    /// One of its calls took so long.
    pub(crate) fn took(&mut self, taken: &Taken) {
        self.taken.queue += taken.queue;
        self.taken.wall += taken.wall;
        self.taken.processor += taken.processor;
    }

    /// It was given a chunk, or told of the end.
    pub(crate) fn passed(&mut self, given: Option<&[u8]>, returned: Option<&Bytes>) {
        let recording = &mut self.draft.recording;
        if recording.chunks.len() >= CHUNKS {
            recording.chunks_left_out += 1;
            return;
        }
        recording.chunks.push(RecordedChunk {
            given: given.map(|bytes| self.served.chunk(bytes)),
            returned: returned.map(|bytes| self.served.chunk(bytes)),
        });
    }

    /// It has come to its end.
    pub(crate) fn ended(mut self, recorder: &Recorder, failure: Option<&Failure>) {
        let outcome = failure.map_or(Outcome::Ok, Outcome::from);
        let Some(rule) = recorder.rule(outcome, self.taken.wall) else {
            return;
        };
        if recorder.gate.open().is_none() {
            return;
        }
        let Draft { recording, private, .. } = &mut self.draft;
        for chunk in &mut recording.chunks {
            for content in chunk.given.iter_mut().chain(&mut chunk.returned) {
                recorder.conceal_content(private, content);
            }
        }
        recorder.keep(self.draft, rule, &self.taken, failure, &self.served);
    }
}
