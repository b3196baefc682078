//! `jwt`: who the client is, by a token that an issuer has signed (RFC 7519, RFC 6750).
//!
//! A token that has been verified once is known by its digest; whether it is good for this route and at this time is asked
//! every time. A token that cannot be verified lets nobody pass, whatever the reason.

use std::sync::Arc;
use std::time::Instant;

use gatewright_config::{Algorithm, JwtConfig};
use gatewright_core::{Exchange, Flow, Problem, Stage, Step};

use crate::token::gate::{Gate, unavailable};
use crate::token::issuers::Keys;
use crate::token::key_set::{KeySet, Unverified, Verified, sha256};
use crate::token::key_source::{KeySource, Reason};
use crate::token::rules::Refusal;

/// Lets clients pass that send a token of an issuer.
pub struct Jwt {
    keys: Keys,
    algorithms: Vec<Algorithm>,
    gate: Gate,
}

/// What is known of a token at once.
enum Looked {
    Verified(Arc<Verified>),
    Refused(Refusal),
    /// The issuer has to be asked.
    NoKeys,
    UnknownKey,
}

impl Stage for Jwt {
    fn name(&self) -> &str {
        "jwt"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        let token = match self.gate.carriers.token(&exchange.request) {
            Ok(token) => token,
            Err(refusal) => return Step::ready(Err(self.gate.refuse(&refusal))),
        };
        let looked = self.look(&token, exchange.now);
        match (&looked, &self.keys) {
            (Looked::NoKeys, Keys::Fetched(source)) => {
                let token = token.into_owned();
                Step::waiting(self.look_again(exchange, source, Reason::Missing, token))
            }
            (Looked::UnknownKey, Keys::Fetched(source)) => {
                let token = token.into_owned();
                Step::waiting(self.look_again(exchange, source, Reason::UnknownKey, token))
            }
            _ => Step::ready(self.settle(exchange, looked)),
        }
    }
}

impl Jwt {
    /// A stage with these keys.
    #[must_use]
    pub fn new(config: &JwtConfig, keys: Keys) -> Self {
        Self {
            keys,
            algorithms: config.algorithms.clone(),
            gate: Gate::new("jwt", &config.carriers, &config.rules, true),
        }
    }

    async fn look_again(
        &self,
        exchange: &mut Exchange,
        source: &Arc<KeySource>,
        why: Reason,
        token: Vec<u8>,
    ) -> Result<Flow, Problem> {
        source.fetched(why, exchange.deadline).await;
        let (now, _) = exchange.look_at_clock();
        let looked = self.look(&token, now);
        self.settle(exchange, looked)
    }

    fn look(&self, token: &[u8], now: Instant) -> Looked {
        match &self.keys {
            Keys::Fixed(keys) => self.verify(keys, token),
            Keys::Fetched(source) => match source.keys(now) {
                Some(keys) => self.verify(&keys, token),
                None => Looked::NoKeys,
            },
            Keys::Nobodys => Looked::NoKeys,
        }
    }

    fn verify(&self, keys: &KeySet, token: &[u8]) -> Looked {
        let digest = sha256(token);
        // Another route may accept other algorithms.
        let known = keys.known(&digest);
        if let Some(known) = known.filter(|known| self.algorithms.contains(&known.algorithm)) {
            return Looked::Verified(known);
        }
        match keys.verify(token, digest, &self.algorithms) {
            Ok(verified) => Looked::Verified(verified),
            Err(Unverified::Invalid(reason)) => Looked::Refused(Refusal::invalid(reason)),
            Err(Unverified::UnknownKey) => Looked::UnknownKey,
        }
    }

    fn settle(&self, exchange: &mut Exchange, looked: Looked) -> Result<Flow, Problem> {
        match looked {
            Looked::Verified(verified) => self.gate.admit(exchange, &verified.claims, verified.algorithm.name()),
            Looked::Refused(refusal) => Err(self.gate.refuse(&refusal)),
            Looked::UnknownKey => {
                let refusal = Refusal::invalid("its issuer has no key of the name that it says (`kid`)");
                Err(self.gate.refuse(&refusal))
            }
            Looked::NoKeys => Err(unavailable(
                "there are no keys of the issuer, or they are too old; the log says why",
            )),
        }
    }
}
