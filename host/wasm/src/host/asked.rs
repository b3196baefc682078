//! One call of a service that has to be granted: counted however it ends, and said in the log when it was refused.

use std::sync::Arc;
use std::time::Instant;

use crate::metrics::{Answered, Service, nanos};
use crate::state::{CallState, Caller};
use crate::text::escaped;

/// Longest name of what was not granted in the log.
const LONGEST_NAME: usize = 256;

/// A call of a service.
pub(super) struct Asked {
    caller: Arc<Caller>,
    service: Service,
    began: Instant,
    answered: Answered,
}

impl CallState {
    /// A plugin calls a service. Dropped before it has ended, it was cancelled.
    pub(super) fn asked(&self, service: Service) -> Asked {
        Asked::by(&self.caller, service)
    }
}

impl Asked {
    /// A plugin calls a service.
    pub(super) fn by(caller: &Arc<Caller>, service: Service) -> Self {
        Self {
            caller: Arc::clone(caller),
            service,
            began: Instant::now(),
            answered: Answered::Cancelled,
        }
    }

    /// It ended so.
    pub(super) fn ended(mut self, answered: Answered) {
        self.answered = answered;
    }

    /// It ended with this result. `failed` says how an error counts.
    pub(super) fn settled<T, E, F>(self, result: Result<T, E>, failed: impl FnOnce(E, Self) -> F) -> Result<T, F> {
        match result {
            Ok(value) => {
                self.ended(Answered::Ok);
                Ok(value)
            }
            Err(error) => Err(failed(error, self)),
        }
    }

    /// `what` is not granted. The plugin learns no more than that; the operator does, once a second.
    pub(super) fn refused(self, what: &str) {
        let advice = format!(
            "name it in `grants` of `[plugin.{}]`, under `{}`",
            self.caller.name,
            self.service.as_str()
        );
        self.refuse(Answered::Refused, what, "it is not granted", &advice);
    }

    /// A host that is granted has no address but one that a name may not stand for.
    pub(super) fn refused_address(self, host: &str, address: &str) {
        let advice = format!(
            "set `allow_private = true` under `[plugin.{}.http]`, or grant the address itself",
            self.caller.name
        );
        let reason = format!("its address is private: {address}");
        self.refuse(Answered::Refused, host, &reason, &advice);
    }

    /// One more request than the plugin may send now.
    pub(super) fn limited(self) {
        let Caller { name, limits, .. } = &*self.caller;
        let reason = format!("it sends more than {}", limits.http.rate);
        let advice = format!("raise `rate` under `[plugin.{name}.http]`");
        self.refuse(Answered::Limited, "one more request", &reason, &advice);
    }

    fn refuse(mut self, answered: Answered, what: &str, reason: &str, advice: &str) {
        self.answered = answered;
        let Caller {
            name,
            refusals,
            granted,
            ..
        } = &*self.caller;
        if let Some(observer) = &granted.observer {
            observer.refused(self.service.as_str(), what);
        }
        let (service, what) = (self.service.as_str(), escaped(what, LONGEST_NAME));
        if let Some(suppressed) = refusals.open(&format!("{service} {what}")) {
            tracing::warn!(
                plugin = %name,
                service,
                suppressed,
                "plugin asked for `{what}`, which it may not have: {reason}; if it should have it, {advice}"
            );
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let time = nanos(self.began.elapsed());
        self.caller.stats.services.note(self.service, self.answered, time);
    }
}
