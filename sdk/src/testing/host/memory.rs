//! What the host of a test remembers, one per thread.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::time::Duration;

use super::LogLine;
use crate::Response;
use crate::http::{HttpError, HttpRequest};
use crate::kv::Entry;

pub(super) type HttpAnswer = Rc<dyn Fn(&HttpRequest) -> Result<Response, HttpError>>;

pub(super) struct Host {
    pub(super) unix: Duration,
    pub(super) monotonic: Duration,
    pub(super) random: u64,
    pub(super) logs: Vec<LogLine>,
    pub(super) metrics: HashMap<String, f64>,
    pub(super) secrets: HashMap<String, Vec<u8>>,
    pub(super) stores: HashMap<String, Store>,
    pub(super) caches: HashMap<String, Cache>,
    pub(super) counters: HashMap<String, HashMap<String, Counter>>,
    pub(super) http: Option<HttpAnswer>,
    /// Why stores, caches and counters do not answer.
    pub(super) away: Option<String>,
}

#[derive(Default)]
pub(super) struct Store {
    pub(super) entries: HashMap<String, (Entry, Option<Duration>)>,
    pub(super) revision: u64,
}

#[derive(Default)]
pub(super) struct Cache {
    /// Values, and when they are over.
    pub(super) values: HashMap<String, (Vec<u8>, Duration)>,
    /// Keys whose values another call computes.
    pub(super) elsewhere: HashSet<String>,
}

/// A fixed window or a token bucket, whichever the plugin uses the key as.
#[derive(Clone, Copy)]
pub(super) struct Counter {
    pub(super) since: Duration,
    pub(super) window: i64,
    pub(super) tokens: f64,
}

impl Host {
    pub(super) fn new() -> Self {
        Self {
            unix: Duration::from_secs(1_700_000_000),
            monotonic: Duration::from_secs(1),
            random: 0,
            logs: Vec::new(),
            metrics: HashMap::new(),
            secrets: HashMap::new(),
            stores: HashMap::new(),
            caches: HashMap::new(),
            counters: HashMap::new(),
            http: None,
            away: None,
        }
    }
}

thread_local! {
    static HOST: RefCell<Host> = RefCell::new(Host::new());
}

pub(super) fn with<T>(act: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with_borrow_mut(act)
}
