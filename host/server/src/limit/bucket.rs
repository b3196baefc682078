//! A rate as stages and usage plans hold requests to it.

use std::sync::Arc;
use std::time::Duration;

use gatewright_config::Rate;
use gatewright_core::{
    Exchange, Limit, Problem, ProblemKind, RateLimit, Scope, State, StateError, Step, Taken, TokenBucket, Value,
};

/// Token buckets, one for each key, under one name.
pub struct Bucket {
    state: Arc<dyn State>,
    /// Their name, under which they are kept.
    name: String,
    scope: Scope,
    bucket: TokenBucket,
}

impl Bucket {
    /// Buckets of that name.
    pub fn new(name: String, rate: Rate, burst: u64, scope: Scope, state: Arc<dyn State>) -> Self {
        let interval = Duration::from_secs_f64(1.0 / rate.per_second().max(1e-9));
        Self {
            state,
            name,
            scope,
            bucket: TokenBucket { interval, burst },
        }
    }

    /// Takes one token of `key`.
    pub fn take(&self, key: &str) -> Step<'_, Result<Taken, StateError>> {
        let limit = Limit {
            name: &self.name,
            scope: self.scope,
        };
        self.state.take(limit, key, self.bucket)
    }

    /// What taking came to, for the exchange and its client. `by` is whose bucket it is.
    ///
    /// # Errors
    /// When there was no token, and when the store cannot be asked and the limit is closed then.
    pub fn settle(
        &self,
        exchange: &mut Exchange,
        taken: Result<Taken, StateError>,
        by: impl Fn(&Exchange) -> String,
    ) -> Result<(), Problem> {
        let taken = taken.map_err(|error| {
            let cause = format!("throttle `{}`: {error}", self.name);
            Problem::new(ProblemKind::StateUnavailable).with_cause(cause)
        })?;
        if let Some(explanation) = &exchange.record.explanation {
            let count = |count: u64| Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
            let seconds = |time: Duration| Value::Number(time.as_secs_f64());
            explanation.note(
                "limit",
                [
                    ("limit", Value::Text(self.name.clone())),
                    ("by", Value::Text(by(exchange))),
                    ("allowed", Value::Truth(taken.allowed)),
                    ("burst", count(self.bucket.burst)),
                    ("remaining", count(taken.remaining)),
                    ("full_in_seconds", seconds(taken.reset)),
                    ("retry_after_seconds", seconds(taken.retry_after)),
                ],
            );
        }
        exchange.note_limit(RateLimit {
            limit: self.bucket.burst,
            remaining: taken.remaining,
            reset: taken.reset,
            counted: taken.counted,
        });
        if taken.allowed {
            Ok(())
        } else {
            Err(Problem::new(ProblemKind::Throttled).with_retry_after(taken.retry_after))
        }
    }
}
