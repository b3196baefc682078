//! The words of Gatewright: what a request's way through the gateway is made of.
//!
//! An [`Exchange`] is one request and everything known about it. [`Stage`]s see it on the way in and its
//! [`Response`] on the way out, an [`Integration`] answers it, a [`Problem`] says why it could not be answered,
//! and an [`AccessRecord`] says what became of it. No I/O and no runtime here, and nothing of the configuration.

#![deny(missing_docs)]

pub mod attribute;
pub mod body;
pub mod certificate;
pub mod client;
pub mod exchange;
pub mod explanation;
pub mod integration;
pub mod interim;
pub mod parameters;
pub mod path;
pub mod problem;
pub mod record;
pub mod stage;
pub mod state;
pub mod step;
pub mod upload;
pub mod wildcard;
pub mod worker;

pub use attribute::{Attributes, Claims, Value};
pub use body::{Body, BodyError};
pub use certificate::ClientCertificate;
pub use client::{Client, ClientAddress, ClientIp};
pub use exchange::{Exchange, ExchangeId, RateLimit, Request, Response, RouteName};
pub use explanation::{Explanation, Note};
pub use integration::Integration;
pub use interim::Interim;
pub use parameters::Parameters;
pub use problem::{Fault, Problem, ProblemKind};
pub use record::{AccessRecord, CacheUse, Outcome, Recorder};
pub use stage::{Flow, Stage};
pub use state::{
    Away, Counted, Entry, Expected, Lease, Leased, Limit, Period, Quota, Scope, Space, Spent, State, StateError, Taken,
    TokenBucket,
};
pub use step::Step;
pub use upload::Upload;
pub use worker::PerWorker;
