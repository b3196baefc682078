//! The walk along a chain and back, with what is held at each place.

use super::{BodyStep, Handling, Peak};

/// A body on its way.
#[derive(Clone, Copy, Debug)]
pub(super) enum OnItsWay {
    /// Chunk by chunk; nobody has all of it.
    Streaming,
    /// As a whole, of at most so many bytes.
    Held(u64),
}

/// What is known so far.
pub(super) struct Walk {
    pub(super) request: Vec<BodyStep>,
    pub(super) response: Vec<BodyStep>,
    pub(super) request_body: OnItsWay,
    pub(super) response_body: OnItsWay,
    pub(super) peak: Peak,
}

/// What an instance of a plugin takes while it runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guest {
    pub(super) memory_bytes: u64,
    /// What it hands out is copied from its memory.
    pub(super) host_call_bytes: u64,
}

impl OnItsWay {
    fn held(self) -> u64 {
        match self {
            Self::Streaming => 0,
            Self::Held(bytes) => bytes,
        }
    }

    /// All of it, of at most `most` bytes.
    pub(super) fn collect(&mut self, most: u64) -> u64 {
        let bytes = match *self {
            Self::Streaming => most,
            Self::Held(bytes) => bytes.min(most),
        };
        *self = Self::Held(bytes);
        bytes
    }
}

impl Walk {
    pub(super) fn new() -> Self {
        Self {
            request: Vec::new(),
            response: Vec::new(),
            request_body: OnItsWay::Streaming,
            response_body: OnItsWay::Held(0),
            peak: Peak::default(),
        }
    }

    /// A plugin runs, with what is held now.
    pub(super) fn runs(&mut self, by: &str, guest: Guest) {
        let Guest {
            memory_bytes,
            host_call_bytes,
        } = guest;
        let bodies = self.request_body.held().saturating_add(self.response_body.held());
        let bytes = bodies.saturating_add(memory_bytes).saturating_add(host_call_bytes);
        self.note(bytes, by);
    }

    /// Nothing runs, and bodies are held.
    pub(super) fn holds(&mut self, by: &str) {
        let bytes = self.request_body.held().saturating_add(self.response_body.held());
        self.note(bytes, by);
    }

    fn note(&mut self, bytes: u64, by: &str) {
        if bytes > self.peak.bytes {
            self.peak = Peak {
                bytes,
                at: by.to_owned(),
            };
        }
    }
}

pub(super) fn step(by: &str, body: Handling) -> BodyStep {
    BodyStep {
        by: by.to_owned(),
        body,
    }
}
