//! What the file says: one type a section, read by serde, documented for the JSON Schema, no logic.
//!
//! Names are not resolved and texts not taken apart; [`crate::gateway`] is what it means. Values that can be wrong
//! in ways serde does not see carry their position ([`Located`]). A required key is an `Option` here, so that a
//! section without it can still be read and its other mistakes be found.

mod access_log;
mod admin;
mod cache;
mod candidate;
mod case;
mod case_services;
mod chain;
mod counters;
mod credential;
mod fields;
mod integration;
mod key;
mod kv;
mod listener;
mod located;
mod locked;
mod on_fault;
mod period;
mod plugin;
mod plugins;
mod predicate;
mod quantity;
mod record;
mod redis;
mod response_cache;
mod route;
mod scope;
mod secrets;
mod server;
mod service_answer;
mod settings;
mod stage;
mod state;
mod upstream;
mod usage_plan;

use std::collections::BTreeMap;

use schemars::JsonSchema;

pub use access_log::AccessLog;
pub use admin::Admin;
pub use cache::Cache;
pub use candidate::{Candidate, CandidateMode, CandidateShare};
pub use case::{
    Case, CaseFailure, CaseRequest, CaseResponse, Cases, Decision, Effect, Expect, ExpectRequest, ExpectStatement,
    FaultKind, HookName, Role,
};
pub use case_services::{CaseCall, CaseOutbound, CaseServices, Contents, OutboundFailure, SentRequest};
pub use chain::{Chain, ChainEntry, STAGES};
pub use counters::Counters;
pub use credential::Credential;
pub use fields::{FieldExpectation, FieldValues};
pub use integration::{HttpIntegration, Integration, PluginIntegration, RespondIntegration};
pub use key::{Key, PreviousKey};
pub use kv::Kv;
pub use listener::{ClientAuth, ForwardingField, Limits, Listener, Protocol, Tls, TlsVersion, Underscores};
pub use located::{Located, Section};
pub use locked::Locked;
pub use on_fault::OnFault;
pub use period::Period;
pub use plugin::{Grants, HttpClient, Instances, Plugin};
pub use plugins::{LockPolicy, LockUse, Plugins};
pub use predicate::Predicate;
pub use quantity::{Count, Delay, Percent, Timeout};
pub use record::{Record, RecordOn};
pub use redis::{Redis, RedisMode, RedisReadiness};
pub use response_cache::ResponseCache;
pub use route::{Encoded, Route};
pub use scope::{Scope, StoreUnavailable, WhenUnavailable};
pub use secrets::Secrets;
pub use server::Server;
pub use service_answer::{BucketAnswer, Content, EntryAnswer, ErrorAnswer, ResponseAnswer, ServiceAnswer};
pub use settings::{Json, Settings};
pub use stage::*;
pub use state::State;
pub use upstream::{Target, Upstream};
pub use usage_plan::{PlanQuota, PlanThrottle, UsagePlan};

/// A Gatewright configuration file.
#[derive(Debug, Default, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
#[schemars(title = "Gatewright configuration", extend("required" = ["listener"]))]
pub struct File {
    /// Files and folders that continue this file, in order, after it. Default `[]`.
    pub include: Vec<String>,
    /// The process: threads and how it stops.
    pub server: Section<Server>,
    /// Listeners by name: where clients connect. At least one.
    pub listener: BTreeMap<String, Section<Listener>>,
    /// The admin address: health, metrics and inspection.
    pub admin: Section<Admin>,
    /// Where access records go.
    pub access_log: Section<AccessLog>,
    /// Where plugins come from, and what they may cost together.
    pub plugins: Section<Plugins>,
    /// Limits and grants of single plugins by name; a plugin that is not named has the defaults.
    pub plugin: BTreeMap<String, Section<Plugin>>,
    /// Secrets by name, for grants to plugins.
    pub secrets: Section<Secrets>,
    /// Counters by name, for grants to plugins; those that are not named have the defaults.
    pub counters: BTreeMap<String, Section<Counters>>,
    /// Key-value stores by name, for grants to plugins; those that are not named have the defaults.
    pub kv: BTreeMap<String, Section<Kv>>,
    /// Caches by name, for grants to plugins; those that are not named have the defaults.
    pub cache: BTreeMap<String, Section<Cache>>,
    /// Servers in which gateways share what they count and keep.
    pub redis: Option<Section<Redis>>,
    /// What the stages `cache` of all routes keep together.
    pub response_cache: Section<ResponseCache>,
    /// What this gateway counts, beyond its own life.
    pub state: Section<State>,
    /// Upstreams by name: where requests are sent.
    pub upstream: BTreeMap<String, Section<Upstream>>,
    /// Usage plans by name: what holders of some API keys may use.
    pub usage_plan: BTreeMap<String, Section<UsagePlan>>,
    /// Named chains: stages that several routes share.
    pub chain: BTreeMap<String, Section<Chain>>,
    /// Routes: what is served.
    pub route: Vec<Section<Route>>,
}

impl File {
    /// The keys at the top of the file.
    pub const KEYS: [&'static str; 18] = [
        "include",
        "server",
        "listener",
        "admin",
        "access_log",
        "plugins",
        "plugin",
        "secrets",
        "counters",
        "kv",
        "cache",
        "redis",
        "response_cache",
        "state",
        "upstream",
        "usage_plan",
        "chain",
        "route",
    ];
}
