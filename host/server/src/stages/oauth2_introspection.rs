//! `oauth2-introspection`: who the client is, by a token that an authorization server vouches for (RFC 7662).
//!
//! Its answer is used again for a short while; what the token must say for this route is asked every time. While nobody
//! answers nobody passes, but those of whom it is known.

use std::sync::Arc;

use gatewright_config::Oauth2IntrospectionConfig;
use gatewright_core::{Exchange, Flow, Problem, Stage, Step};

use crate::token::gate::{Gate, unavailable};
use crate::token::introspector::{Introspector, Said};
use crate::token::rules::Refusal;

/// Lets clients pass whose tokens an authorization server vouches for.
pub struct Oauth2Introspection {
    /// None when nobody may be asked.
    introspector: Option<Arc<Introspector>>,
    gate: Gate,
}

impl Stage for Oauth2Introspection {
    fn name(&self) -> &str {
        "oauth2-introspection"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        let token = match self.gate.carriers.token(&exchange.request) {
            Ok(token) => token,
            Err(refusal) => return Step::ready(Err(self.gate.refuse(&refusal))),
        };
        let Some(introspector) = &self.introspector else {
            return Step::ready(self.settle(exchange, None, "nobody is asked"));
        };
        if let Some(said) = introspector.known(&token, exchange.now) {
            return Step::ready(self.settle(exchange, Some(&said), "an answer that is known"));
        }
        let token = token.into_owned();
        Step::waiting(async move {
            let said = introspector.ask(token, exchange.deadline).await;
            exchange.look_at_clock();
            self.settle(exchange, said.as_deref(), "an answer")
        })
    }
}

impl Oauth2Introspection {
    /// A stage that asks this authorization server.
    #[must_use]
    pub fn new(config: &Oauth2IntrospectionConfig, introspector: Option<Arc<Introspector>>) -> Self {
        Self {
            introspector,
            gate: Gate::new("oauth2-introspection", &config.carriers, &config.rules, false),
        }
    }

    fn settle(&self, exchange: &mut Exchange, said: Option<&Said>, proof: &str) -> Result<Flow, Problem> {
        match said {
            Some(Said::Active(claims)) => self.gate.admit(exchange, claims, proof),
            Some(Said::Inactive) => {
                let refusal = Refusal::invalid("the authorization server says that it is not active");
                Err(self.gate.refuse(&refusal))
            }
            None => Err(unavailable(
                "the authorization server has not answered; the log says why",
            )),
        }
    }
}
