//! The walk along a chain and back, with what is held at each place.

use super::{BodyStep, Handling, Peak};

/// What a content coding keeps of a stream, at most: the window of brotli or zstd, and what goes in and comes out.
const CODING_BYTES: u64 = 18 << 20;

/// A body on its way.
#[derive(Clone, Copy, Debug)]
pub(super) enum OnItsWay {
    /// Chunk by chunk; nobody has all of it.
    Streaming,
    /// Chunk by chunk, at most so many bytes in all.
    Bounded(u64),
    /// As a whole, of at most so many bytes.
    Held(u64),
}

/// What is known so far.
pub(super) struct Walk {
    pub(super) request: Vec<BodyStep>,
    pub(super) response: Vec<BodyStep>,
    pub(super) request_body: OnItsWay,
    pub(super) response_body: OnItsWay,
    /// What the filters have that the request's body goes through: instances, and what they have not read yet.
    request_filters: u64,
    response_filters: u64,
    pub(super) peak: Peak,
}

/// What an instance of a plugin takes while it runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guest {
    pub(super) memory_bytes: u64,
    /// What it hands out is copied from its memory.
    pub(super) host_call_bytes: u64,
    pub(super) output_bytes: u64,
}

impl Guest {
    fn bytes(self) -> u64 {
        self.memory_bytes.saturating_add(self.host_call_bytes)
    }

    /// The most that a filter makes of a body.
    fn most_of(self, longest: u64) -> u64 {
        longest.saturating_mul(2).saturating_add(self.output_bytes)
    }
}

impl OnItsWay {
    fn held(self) -> u64 {
        match self {
            Self::Streaming | Self::Bounded(_) => 0,
            Self::Held(bytes) => bytes,
        }
    }

    /// The most that it has; none when nobody knows.
    pub(super) fn longest(self) -> Option<u64> {
        match self {
            Self::Streaming => None,
            Self::Bounded(bytes) | Self::Held(bytes) => Some(bytes),
        }
    }

    /// All of it, of at most `most` bytes.
    fn collect(&mut self, most: u64) -> u64 {
        let bytes = self.longest().map_or(most, |bytes| bytes.min(most));
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
            request_filters: 0,
            response_filters: 0,
            peak: Peak::default(),
        }
    }

    /// All of the request's body is waited for, and its filters are done then.
    pub(super) fn collect_request(&mut self, by: &str, most: u64) -> u64 {
        let bytes = self.request_body.collect(most);
        self.holds(by);
        self.request_filters = 0;
        bytes
    }

    /// The same of the response's.
    pub(super) fn collect_response(&mut self, by: &str, most: u64) -> u64 {
        let bytes = self.response_body.collect(most);
        self.holds(by);
        self.response_filters = 0;
        bytes
    }

    /// The request's body, of at most `longest` bytes, goes through a filter, whose instance is there as long as it
    /// lasts: also while whatever comes after runs.
    pub(super) fn filter_request(&mut self, by: &str, guest: Guest, longest: u64) {
        self.request_filters = self
            .request_filters
            .saturating_add(guest.bytes() + self.request_body.held());
        self.request_body = OnItsWay::Bounded(guest.most_of(longest));
        self.holds(by);
    }

    /// The same of the response's.
    pub(super) fn filter_response(&mut self, by: &str, guest: Guest) {
        self.response_filters = self
            .response_filters
            .saturating_add(guest.bytes() + self.response_body.held());
        if let Some(longest) = self.response_body.longest() {
            self.response_body = OnItsWay::Bounded(guest.most_of(longest));
        }
        self.holds(by);
    }

    /// A plugin makes the response as it goes, and is there until its end.
    pub(super) fn serves(&mut self, by: &str, guest: Guest) {
        self.response_filters = self.response_filters.saturating_add(guest.bytes());
        self.holds(by);
    }

    /// The response's body is copied as it goes, as far as `most` bytes.
    pub(super) fn keeps(&mut self, by: &str, most: u64) {
        self.response_filters = self.response_filters.saturating_add(most);
        self.holds(by);
    }

    /// A plugin runs, with what is held now.
    pub(super) fn runs(&mut self, by: &str, guest: Guest) {
        self.note(self.held().saturating_add(guest.bytes()), by);
    }

    /// The request's body, of at most `longest` bytes then, goes through a content coding.
    pub(super) fn code_request(&mut self, by: &str, longest: u64) {
        self.request_filters = self
            .request_filters
            .saturating_add(CODING_BYTES + self.request_body.held());
        self.request_body = OnItsWay::Bounded(longest);
        self.holds(by);
    }

    /// The same of the response's, which may become so much longer.
    pub(super) fn code_response(&mut self, by: &str, longer: u64) {
        self.response_filters = self
            .response_filters
            .saturating_add(CODING_BYTES + self.response_body.held());
        if let Some(longest) = self.response_body.longest() {
            self.response_body = OnItsWay::Bounded(longest.saturating_add(longer));
        }
        self.holds(by);
    }

    /// Somebody looks into the start of a body, and needs so many bytes for it. They may be held until they are sent.
    pub(super) fn inspects(&mut self, by: &str, bytes: u64) {
        self.request_filters = self.request_filters.saturating_add(bytes);
        self.holds(by);
    }

    /// A stage needs so much for a moment.
    pub(super) fn works(&mut self, by: &str, bytes: u64) {
        self.note(self.held().saturating_add(bytes), by);
    }

    /// Nothing else runs, and bodies are held.
    pub(super) fn holds(&mut self, by: &str) {
        self.note(self.held(), by);
    }

    fn held(&self) -> u64 {
        let bodies = self.request_body.held().saturating_add(self.response_body.held());
        bodies
            .saturating_add(self.request_filters)
            .saturating_add(self.response_filters)
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
