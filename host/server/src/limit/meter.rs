//! A quota as stages and usage plans hold requests to it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gatewright_config::{Period as ConfigPeriod, QuotaRule};
use gatewright_core::{
    Counted, Exchange, Limit, Period, Problem, ProblemKind, Quota, RateLimit, Scope, Spent, State, StateError, Step,
    Value,
};

use crate::state::bounds;

/// A number of requests in each calendar period, counted under one name.
pub struct Meter {
    state: Arc<dyn State>,
    /// Its name, under which it is counted.
    name: String,
    scope: Scope,
    rule: QuotaRule,
    period: Period,
}

impl Meter {
    /// A quota of that name.
    pub fn new(name: String, rule: QuotaRule, scope: Scope, state: Arc<dyn State>) -> Self {
        Self {
            state,
            name,
            scope,
            rule,
            period: match rule.period {
                ConfigPeriod::Hour => Period::Hour,
                ConfigPeriod::Day => Period::Day,
                ConfigPeriod::Week => Period::Week,
                ConfigPeriod::Month => Period::Month,
            },
        }
    }

    /// Spends one request of `key`.
    pub fn spend(&self, key: &str) -> Step<'_, Result<Spent, StateError>> {
        self.state.spend(self.limit(), key, self.quota(), 1)
    }

    /// What `key` has spent.
    pub fn look(&self, key: &str) -> Step<'_, Result<Spent, StateError>> {
        self.state.spend(self.limit(), key, self.quota(), 0)
    }

    /// Says what `key` has spent.
    pub fn correct(&self, key: &str, used: u64) -> Step<'_, Result<Spent, StateError>> {
        self.state.correct(self.limit(), key, self.quota(), used)
    }

    /// How many requests there may be in the current period.
    pub fn quota(&self) -> Quota {
        let QuotaRule { limit, offset, .. } = self.rule;
        let off = offset.filter(|offset| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let (start, end) = bounds(self.period, now.map_or(0, |now| now.as_secs()));
            (start..end).contains(&offset.start)
        });
        Quota {
            limit: limit.saturating_sub(off.map_or(0, |offset| offset.requests)),
            period: self.period,
        }
    }

    fn limit(&self) -> Limit<'_> {
        Limit {
            name: &self.name,
            scope: self.scope,
        }
    }

    /// What spending came to, for the exchange and its client. `by` is whose requests are counted.
    ///
    /// # Errors
    /// When the quota is used up, and when the store cannot be asked and the limit is closed then.
    pub fn settle(
        &self,
        exchange: &mut Exchange,
        spent: Result<Spent, StateError>,
        by: impl Fn(&Exchange) -> String,
    ) -> Result<(), Problem> {
        let spent = spent.map_err(|error| {
            let cause = format!("quota `{}`: {error}", self.name);
            Problem::new(ProblemKind::StateUnavailable).with_cause(cause)
        })?;
        if let Some(explanation) = &exchange.record.explanation {
            let count = |count: u64| Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
            explanation.note(
                "quota",
                [
                    ("quota", Value::Text(self.name.clone())),
                    ("by", Value::Text(by(exchange))),
                    ("allowed", Value::Truth(spent.allowed)),
                    ("period", Value::Text(self.period.as_str().to_owned())),
                    ("used", count(spent.used)),
                    ("remaining", count(spent.remaining)),
                    ("next_period_in_seconds", Value::Number(spent.reset.as_secs_f64())),
                ],
            );
        }
        exchange.note_limit(RateLimit {
            limit: self.quota().limit,
            remaining: spent.remaining,
            reset: spent.reset,
            counted: spent.counted,
        });
        if spent.allowed || spent.counted == Counted::NotAtAll {
            return Ok(());
        }
        // At the very end of a period it is over before a second is.
        let wait = spent.reset.max(Duration::from_secs(1));
        Err(Problem::new(ProblemKind::QuotaExceeded).with_retry_after(wait))
    }
}
