//! The hook `authorizer`: may this request go on?

use std::sync::Arc;
use std::time::Duration;

use super::allowance::Allowance;
use super::answer;
use super::attributes;
use super::bindings::exports::gatewright::plugin::authorizer as wit;
use super::fields::{self, Message};
use super::function;
use super::lowering::{Lowered, Made, Shown, View};
use super::types::Fault;
use super::{Hook, Needs};
use crate::decision::{Decision, Denial, Grant, Policy, Statement};
use crate::failure::{Failure, OutputError};
use crate::instance::Instance;
use crate::kind::PluginKind;
use crate::recording::Inputs;

/// Namespace of what authorizers find out.
const PREFIX: &str = "auth.";
const TEXT_BYTES: usize = 1 << 10;
const SCOPES: usize = 100;
const STATEMENTS: usize = 64;
const POLICY_BYTES: usize = 4 << 10;

/// `authorize`.
pub(super) type Function =
    function::Function<(&'static wit::AuthorizeInput<'static>,), (Result<wit::Decision, Fault>,)>;

/// One question.
pub(crate) struct Authorize<'a> {
    pub(crate) view: View<'a>,
    pub(crate) shown: Shown,
    pub(crate) needs: &'a Needs,
    pub(crate) identity: &'a [Option<&'a str>],
    pub(crate) body: Option<&'a [u8]>,
}

impl Hook for Authorize<'_> {
    const KIND: PluginKind = PluginKind::Authorizer;
    type Output = Arc<Decision>;

    async fn call(&self, instance: &mut Instance, budget: Duration) -> Result<Arc<Decision>, Failure> {
        let made = Made::of(&self.view, self.needs);
        let lowered = Lowered::of(self.view, self.shown, &made, self.needs);
        let authorize = instance.function(|exports| exports.authorizer.as_ref())?;
        let input = wit::AuthorizeInput {
            exchange: lowered.exchange(budget),
            request: lowered.head(),
            identity: self.identity,
            body: self.body,
        };
        let (decision,) = authorize
            .call_async(&mut instance.store, (&input,))
            .await
            .map_err(|error| instance.explained(error))?;
        let mut allowance = Allowance::new(instance.store.data().caller.limits.output_bytes);
        Ok(Arc::new(checked(decision?, &mut allowance)?))
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            view: self.view,
            identity: self.identity,
            body: self.body,
            response: None,
        }
    }
}

fn checked(decision: wit::Decision, allowance: &mut Allowance) -> Result<Decision, OutputError> {
    Ok(match decision {
        wit::Decision::Allow(grant) => Decision::Allow(self::grant(grant, allowance)?),
        wit::Decision::Deny(denial) => Decision::Deny(self::denial(denial, allowance)?),
        wit::Decision::Abstain => Decision::Abstain,
    })
}

fn grant(grant: wit::Grant, allowance: &mut Allowance) -> Result<Grant, OutputError> {
    let wit::Grant {
        principal,
        context,
        usage_key,
        scopes,
        policy,
        upstream_edits,
        ttl,
    } = grant;
    text("principal", &principal, allowance)?;
    if let Some(usage_key) = &usage_key {
        text("usage-key", usage_key, allowance)?;
    }
    Ok(Grant {
        principal,
        context: attributes::checked(context, PREFIX, allowance)?,
        usage_key,
        scopes: self::scopes(&scopes, allowance)?,
        policy: self::policy(policy, allowance)?,
        edits: fields::edits(upstream_edits, Message::Request, allowance)?,
        ttl: ttl.map(|millis| Duration::from_millis(millis.into())),
    })
}

fn denial(denial: wit::Denial, allowance: &mut Allowance) -> Result<Denial, OutputError> {
    let wit::Denial { response, reason, ttl } = denial;
    let answer = answer::checked(response, allowance)?;
    if answer.status.as_u16() < 400 {
        return Err(OutputError::invalid("`status` of a denial is below 400"));
    }
    let reason = crate::text::escaped(&reason, TEXT_BYTES);
    Ok(Denial {
        answer,
        reason,
        ttl: ttl.map(|millis| Duration::from_millis(millis.into())),
    })
}

/// Text that ends up in logs and header fields.
fn text(what: &str, text: &str, allowance: &mut Allowance) -> Result<(), OutputError> {
    allowance.bytes(what, text.len())?;
    if text.is_empty() || text.len() > TEXT_BYTES || text.chars().any(char::is_control) {
        return Err(OutputError::invalid(format!(
            "`{what}` is not one line of 1 to {TEXT_BYTES} bytes"
        )));
    }
    Ok(())
}

fn scopes(scopes: &[String], allowance: &mut Allowance) -> Result<String, OutputError> {
    if scopes.len() > SCOPES {
        return Err(OutputError::too_large(format!("more than {SCOPES} scopes")));
    }
    for scope in scopes {
        text("scopes", scope, allowance)?;
        if scope.contains(' ') {
            return Err(OutputError::invalid("one of `scopes` has a space in it"));
        }
    }
    Ok(scopes.join(" "))
}

fn policy(policy: Vec<wit::Statement>, allowance: &mut Allowance) -> Result<Policy, OutputError> {
    let made = || {
        policy
            .iter()
            .flat_map(|statement| statement.methods.iter().chain(&statement.paths))
    };
    let bytes: usize = made().map(String::len).sum();
    if policy.len() > STATEMENTS || made().count() > POLICY_BYTES || bytes > POLICY_BYTES {
        return Err(OutputError::too_large(format!(
            "`policy` has more than {STATEMENTS} statements or {POLICY_BYTES} bytes"
        )));
    }
    allowance.bytes("policy", bytes)?;
    let statement = |statement: wit::Statement| Statement {
        allow: statement.effect == wit::Effect::Allow,
        methods: statement.methods,
        paths: statement.paths,
    };
    Ok(Policy(policy.into_iter().map(statement).collect()))
}
