//! `throttle`: so many requests in a time, and no more.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use gatewright_config::{ThrottleConfig, ThrottleKey};
use gatewright_core::{
    Exchange, Explanation, Flow, Limit, Problem, ProblemKind, RateLimit, RouteName, Scope, Stage, State, StateError,
    Step, Taken, TokenBucket, Value,
};
use gatewright_wasm::scope;
use http::HeaderName;

/// Takes a token for every request, and refuses those for which there is none.
pub struct Throttle {
    state: Arc<dyn State>,
    limit: String,
    scope: Scope,
    bucket: TokenBucket,
    by: Key,
}

enum Key {
    Route,
    Client,
    Principal,
    Header(HeaderName),
}

impl Stage for Throttle {
    fn name(&self) -> &str {
        "throttle"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        let limit = Limit {
            name: &self.limit,
            scope: self.scope,
        };
        match self.state.take(limit, &self.key(exchange), self.bucket) {
            Step::Ready(Some(taken)) => Step::ready(self.settle(exchange, taken)),
            waiting => Step::waiting(async move {
                let taken = waiting.await;
                self.settle(exchange, taken)
            }),
        }
    }
}

impl Throttle {
    /// The throttle at `position` of a route's chain.
    pub fn new(config: &ThrottleConfig, route: &RouteName, position: usize, state: Arc<dyn State>) -> Self {
        let by = match &config.by {
            ThrottleKey::Route => Key::Route,
            ThrottleKey::Client => Key::Client,
            ThrottleKey::ApiKey => Key::Principal,
            // The configuration has checked the name; without one the client's address is as strict.
            ThrottleKey::Header(name) => HeaderName::from_bytes(name.as_bytes()).map_or(Key::Client, Key::Header),
        };
        let interval = Duration::from_secs_f64(1.0 / config.rate.per_second().max(1e-9));
        Self {
            state,
            limit: format!("{route}#{position}"),
            scope: scope(config.scope),
            bucket: TokenBucket {
                interval,
                burst: config.burst,
            },
            by,
        }
    }

    /// Whose bucket the exchange takes from. What a client may leave out falls back to its address, so that nobody
    /// gets out of a limit by saying less.
    fn key<'e>(&self, exchange: &'e Exchange) -> Cow<'e, str> {
        let named = match &self.by {
            Key::Route => return Cow::Borrowed(""),
            Key::Client => None,
            Key::Principal => exchange.principal().map(|name| format!("key:{name}")),
            Key::Header(name) => exchange
                .request
                .headers
                .get(name)
                .map(|value| format!("header:{}", String::from_utf8_lossy(value.as_bytes()))),
        };
        Cow::Owned(named.unwrap_or_else(|| format!("client:{}", exchange.client)))
    }

    fn settle(&self, exchange: &mut Exchange, taken: Result<Taken, StateError>) -> Result<Flow, Problem> {
        let taken = taken.map_err(|error| {
            let cause = format!("throttle `{}`: {error}", self.limit);
            Problem::new(ProblemKind::StateUnavailable).with_cause(cause)
        })?;
        if let Some(explanation) = &exchange.record.explanation {
            self.explain(explanation, exchange, taken);
        }
        exchange.note_limit(RateLimit {
            limit: self.bucket.burst,
            remaining: taken.remaining,
            reset: taken.reset,
            counted: taken.counted,
        });
        if taken.allowed {
            Ok(Flow::Proceed)
        } else {
            Err(Problem::new(ProblemKind::Throttled).with_retry_after(taken.retry_after))
        }
    }

    fn explain(&self, explanation: &Explanation, exchange: &Exchange, taken: Taken) {
        let by = match &self.by {
            Key::Route => "route".to_owned(),
            // A field may hold a secret: that it was used has to be enough.
            Key::Header(name) if exchange.request.headers.contains_key(name) => format!("header:{name}"),
            Key::Client | Key::Principal | Key::Header(_) => self.key(exchange).into_owned(),
        };
        let count = |count: u64| Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
        let seconds = |time: Duration| Value::Number(time.as_secs_f64());
        explanation.note(
            "limit",
            [
                ("limit", Value::Text(self.limit.clone())),
                ("by", Value::Text(by)),
                ("allowed", Value::Truth(taken.allowed)),
                ("burst", count(self.bucket.burst)),
                ("remaining", count(taken.remaining)),
                ("full_in_seconds", seconds(taken.reset)),
                ("retry_after_seconds", seconds(taken.retry_after)),
            ],
        );
    }
}
