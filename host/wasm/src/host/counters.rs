//! Counters that the instances of a plugin share, kept by the same engine as those of the gateway's own stages.

use std::time::Duration;

use gatewright_core::{Space, State, StateError, TokenBucket};

use super::KEY_BYTES;
use super::asked::Asked;
use crate::api::bindings::gatewright::plugin::counters::{Bucket, CounterError, Host};
use crate::granted::scope;
use crate::metrics::{Answered, Service};
use crate::state::{CallState, Caller};

impl Host for CallState {
    async fn add(
        &mut self,
        counter: String,
        key: String,
        delta: i64,
        window: u32,
    ) -> wasmtime::Result<Result<i64, CounterError>> {
        let told = self.told("counters.add", &counter, Some(&key));
        let caller = &self.caller;
        let added = async {
            let asked = Asked::by(caller, Service::Counters);
            let counted = add(caller, &counter, &key, delta, window).await;
            asked.settled(counted, |refusal, asked| refusal.into_error(asked, &counter))
        };
        told.or(added).await
    }

    async fn take(
        &mut self,
        counter: String,
        key: String,
        tokens: u32,
        capacity: u32,
        refill_per_second: f64,
    ) -> wasmtime::Result<Result<Bucket, CounterError>> {
        let told = self.told("counters.take", &counter, Some(&key));
        let caller = &self.caller;
        let took = async {
            let asked = Asked::by(caller, Service::Counters);
            let taken = match bucket(tokens, capacity, refill_per_second) {
                Ok(bucket) => take(caller, &counter, &key, tokens, bucket).await,
                Err(reason) => Err(Refusal::BadRequest(reason)),
            };
            asked.settled(taken, |refusal, asked| refusal.into_error(asked, &counter))
        };
        told.or(took).await
    }
}

async fn add(caller: &Caller, counter: &str, key: &str, delta: i64, window: u32) -> Result<i64, Refusal> {
    let (state, space) = granted(caller, counter, key)?;
    if window == 0 {
        return Err(Refusal::BadRequest("a window of 0 milliseconds"));
    }
    let window = Duration::from_millis(window.into());
    Ok(state.add(space, key, delta, window).await?)
}

async fn take(caller: &Caller, counter: &str, key: &str, tokens: u32, bucket: TokenBucket) -> Result<Bucket, Refusal> {
    let (state, space) = granted(caller, counter, key)?;
    let taken = state.take_many(space, key, tokens.into(), bucket).await?;
    // Rounded up: who comes back when he was told to should not come in vain.
    let retry_after = taken.retry_after.as_nanos().div_ceil(1_000_000);
    Ok(Bucket {
        allowed: taken.allowed,
        remaining: taken.remaining,
        retry_after: u32::try_from(retry_after).unwrap_or(u32::MAX),
    })
}

/// Why nothing was counted.
enum Refusal {
    NotGranted,
    BadRequest(&'static str),
    Unavailable(StateError),
}

impl From<StateError> for Refusal {
    fn from(error: StateError) -> Self {
        Self::Unavailable(error)
    }
}

impl Refusal {
    fn into_error(self, asked: Asked, counter: &str) -> CounterError {
        match self {
            Self::NotGranted => {
                asked.refused(counter);
                CounterError::NoSuchCounter
            }
            Self::BadRequest(reason) => {
                asked.ended(Answered::Invalid);
                CounterError::BadRequest(reason.to_owned())
            }
            Self::Unavailable(error) => {
                asked.ended(Answered::Failed);
                CounterError::Unavailable(error.to_string())
            }
        }
    }
}

fn granted<'c>(caller: &'c Caller, counter: &'c str, key: &str) -> Result<(&'c dyn State, Space<'c>), Refusal> {
    let grant = caller.limits.grants.counters.get(counter).ok_or(Refusal::NotGranted)?;
    if key.len() > KEY_BYTES {
        return Err(Refusal::BadRequest("a key of more than 512 bytes"));
    }
    let space = Space {
        owner: &caller.name,
        name: counter,
        bytes: grant.bytes.0,
        scope: scope(grant.scope),
    };
    Ok((caller.granted.state()?, space))
}

fn bucket(tokens: u32, capacity: u32, refill_per_second: f64) -> Result<TokenBucket, &'static str> {
    if capacity == 0 {
        return Err("a capacity of 0");
    }
    if tokens > capacity {
        return Err("more tokens than the bucket can hold");
    }
    if !refill_per_second.is_finite() || refill_per_second <= 0.0 {
        return Err("a rate that is not positive and finite");
    }
    Ok(TokenBucket {
        interval: Duration::try_from_secs_f64(refill_per_second.recip()).unwrap_or(Duration::MAX),
        burst: capacity.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_that_makes_no_sense_is_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(bucket(1, 1, rate).is_err(), "{rate}");
        }
        assert!(bucket(1, 0, 1.0).is_err());
        assert!(bucket(2, 1, 1.0).is_err());
        assert_eq!(bucket(0, 3, 4.0).unwrap().interval, Duration::from_millis(250));
        assert_eq!(bucket(1, 1, f64::MIN_POSITIVE).unwrap().interval, Duration::MAX);
    }
}
