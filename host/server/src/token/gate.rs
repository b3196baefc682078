//! What stages that ask for a token have in common, whoever vouches for it: where it is, what it must say, and what becomes of
//! an exchange that has a good one.

use std::sync::Arc;
use std::time::Duration;

use gatewright_config::{TokenCarriers, TokenRules};
use gatewright_core::{Attributes, Exchange, Flow, Problem, ProblemKind, Value};

use super::carriers::Carriers;
use super::claims::{self, Claims};
use super::rules::{Refusal, Rules};

/// Lets exchanges with good tokens pass.
pub struct Gate {
    stage: &'static str,
    /// Where tokens are.
    pub carriers: Carriers,
    rules: Rules,
}

impl Gate {
    /// The gate of that stage. `says_all` is whether nobody but the token says who issued it, and when it expires.
    #[must_use]
    pub fn new(stage: &'static str, carriers: &TokenCarriers, rules: &TokenRules, says_all: bool) -> Self {
        Self {
            stage,
            carriers: Carriers::new(carriers),
            rules: Rules::new(rules, says_all),
        }
    }

    /// Lets an exchange pass whose token says this, if that is enough.
    ///
    /// # Errors
    /// Why it is not.
    pub fn admit(&self, exchange: &mut Exchange, claims: &Arc<Claims>, proof: &str) -> Result<Flow, Problem> {
        let checked = self.rules.check(claims, claims::now());
        if let Some(explanation) = &exchange.record.explanation {
            let text = |name: &str| Value::Text(claims.text(name).unwrap_or_default().to_owned());
            let facts = [
                ("proof", Value::Text(proof.to_owned())),
                ("issuer", text("iss")),
                ("expires", Value::Number(claims.expires.unwrap_or_default())),
                ("scopes", Value::Text(claims.scopes().unwrap_or_default().into_owned())),
            ];
            explanation.note("token", facts);
        }
        let principal = checked.map_err(|refusal| self.refuse(&refusal))?;
        exchange.authenticate(self.stage, &principal);
        attach(claims, &mut exchange.attributes);
        self.carriers.settle(&mut exchange.request);
        Ok(Flow::Proceed)
    }

    /// What a client without a good token gets.
    #[must_use]
    pub fn refuse(&self, refusal: &Refusal) -> Problem {
        self.rules.problem(refusal)
    }
}

/// Makes what a token says known to everything after the stage: `auth.scopes` and `auth.claims.NAME`, of this token only.
pub fn attach(claims: &Arc<Claims>, attributes: &mut Attributes) {
    match claims.scopes() {
        Some(scopes) => attributes.set("auth.scopes", Value::Text(scopes.into_owned())),
        None => attributes.remove("auth.scopes"),
    }
    attributes.set_claims(Arc::clone(claims) as _);
}

/// What a client gets while nobody can say whether its token is good.
#[must_use]
pub fn unavailable(cause: &str) -> Problem {
    Problem::new(ProblemKind::IssuerUnavailable)
        .with_cause(cause)
        .with_retry_after(Duration::from_secs(5))
}
