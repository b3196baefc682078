//! A plugin that decides: asks it, or the cache, and applies what comes out.

use std::sync::Arc;
use std::time::Duration;

use gatewright_core::{Exchange, Flow, Problem, ProblemKind, Value};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::PluginError;
use crate::api::{Needs, Part, Selection, Shown, View};
use crate::decision::{Decision, Denial, Grant};
use crate::decision_cache::Keys;
use crate::identity::Identity;
use crate::metrics::RouteStats;
use crate::plugin::{Plugin, StageUse};
use crate::runtime::Runtime;

/// Names the authorizer that let a request pass. No plugin can set it: their names go through checks, and this one
/// is written last.
const AUTHORIZER: &str = "auth.authorizer";
const ERROR_HEADER: HeaderName = HeaderName::from_static("x-gatewright-error");

/// The settings of one use.
pub(crate) struct Authorizer {
    pub(crate) identity: Identity,
    /// How long a decision may be reused at most; none when none is.
    cache: Option<Duration>,
    last: bool,
}

/// What the cache knows.
pub(crate) enum Lookup {
    /// The decision.
    Found(Arc<Decision>),
    /// Nothing; where to keep the decision, if it may be kept.
    Ask(Option<Keys>),
}

impl Authorizer {
    /// Checks that a plugin whose decisions are reused sees nothing but what they are kept under.
    ///
    /// # Errors
    /// When it asks for more.
    pub(crate) fn check(plugin: &Plugin, use_: StageUse<'_>) -> Result<Self, PluginError> {
        let identity = Identity::new(&use_.config.identity)
            .ok_or_else(|| plugin.unusable("`identity` has a name that no header field can have".to_owned()))?;
        let cached = !use_.config.cache.is_zero() && !identity.is_empty();
        if cached && let Some(reason) = not_cacheable(plugin.needs(), &identity) {
            return Err(plugin.unusable(reason));
        }
        Ok(Self {
            identity,
            cache: cached.then_some(use_.config.cache),
            last: use_.last_authorizer,
        })
    }

    /// Looks into the cache.
    pub(crate) fn look_up(&self, runtime: &Runtime, stats: &RouteStats, exchange: &Exchange) -> Lookup {
        if self.cache.is_none() {
            return Lookup::Ask(None);
        }
        let view = View::of(exchange);
        let identity = self.identity.of(&view);
        if !identity.exact {
            stats.decision_bypass();
            return Lookup::Ask(None);
        }
        let values: Vec<_> = identity.values.iter().map(Option::as_deref).collect();
        let keys = Keys::of(runtime.digest(), self.identity.digest(), &values, &view);
        match runtime
            .plugin()
            .shared()
            .decisions
            .find(&keys, runtime.grants_policies())
        {
            Some(decision) => {
                stats.decision_hit();
                looked_up(exchange, &keys, "hit");
                Lookup::Found(decision)
            }
            None => {
                stats.decision_miss();
                looked_up(exchange, &keys, "miss");
                Lookup::Ask(Some(keys))
            }
        }
    }

    /// How much the plugin is shown. Also when this decision cannot be kept: what it sees depends on the route, not on the
    /// request.
    pub(crate) fn shown(&self) -> Shown {
        if self.cache.is_some() { Shown::Key } else { Shown::All }
    }

    /// Keeps what the plugin has decided, if it may be kept.
    pub(crate) fn keep(&self, runtime: &Runtime, keys: Option<Keys>, decision: &Arc<Decision>) {
        if let Some(observer) = &runtime.plugin().caller().granted.observer {
            observer.decided(decision.ttl(), decision.policy());
        }
        if let (Some(keys), Some(longest)) = (keys, self.cache) {
            if matches!(&**decision, Decision::Allow(grant) if !grant.policy.is_empty()) {
                runtime.has_granted_a_policy();
            }
            let ttl = decision.ttl().map_or(longest, |ttl| ttl.min(longest));
            runtime.plugin().shared().decisions.keep(&keys, decision, ttl);
        }
    }

    /// Does what was decided. Fails before it changes anything.
    pub(crate) fn apply(&self, plugin: &str, decision: &Decision, exchange: &mut Exchange) -> Result<Flow, Problem> {
        if let Some(explanation) = &exchange.record.explanation {
            let text = |text: &str| Value::Text(text.to_owned());
            let (decided, detail) = match decision {
                Decision::Allow(grant) => ("allow", ("principal", text(&grant.principal))),
                Decision::Deny(denial) => ("deny", ("reason", text(&denial.reason))),
                Decision::Abstain => ("abstain", ("last_authorizer", Value::Truth(self.last))),
            };
            explanation.note("decision", [("decided", text(decided)), detail]);
        }
        match decision {
            Decision::Allow(grant) => allow(plugin, grant, exchange),
            Decision::Deny(denial) => Ok(Flow::Answer(Box::new(deny(plugin, denial, exchange)))),
            Decision::Abstain if self.last && exchange.attributes.get(AUTHORIZER).is_none() => {
                Err(Problem::new(ProblemKind::AccessDenied).with_cause("every authorizer of the route abstained"))
            }
            Decision::Abstain => Ok(Flow::Proceed),
        }
    }
}

/// The key is a digest, so it says nothing of what it is made of.
fn looked_up(exchange: &Exchange, keys: &Keys, result: &str) {
    if let Some(explanation) = &exchange.record.explanation {
        let key = keys.request().to_string();
        explanation.note(
            "decision-cache",
            [("result", Value::Text(result.to_owned())), ("key", Value::Text(key))],
        );
    }
}

fn not_cacheable(needs: &Needs, identity: &Identity) -> Option<String> {
    let advice = "set `cache = \"0s\"`";
    if needs.request_body {
        return Some(format!(
            "its decision depends on the request's body, so it cannot be reused; {advice}"
        ));
    }
    let fields = match &needs.request_fields {
        Selection::None => None,
        Selection::All => Some(format!(
            "it reads all request fields, so a decision for one request says nothing about another; {advice}"
        )),
        Selection::Named(names) => {
            let missing: Vec<_> = names.iter().filter(|name| !identity.has_header(name)).collect();
            let missing: Vec<_> = missing.iter().map(|name| format!("\"header:{name}\"")).collect();
            (!missing.is_empty()).then(|| {
                format!(
                    "it reads request fields that are not part of what its decision is kept under; \
                     add {} to `identity`, or {advice}",
                    missing.join(", ")
                )
            })
        }
    };
    let part = |(part, name)| match part {
        Part::Method | Part::Authority | Part::Path | Part::Parameters | Part::Route => None,
        Part::Peer if identity.has_client() => None,
        Part::Peer => Some(format!(
            "it reads `peer`, which is not part of what its decision is kept under; \
             add \"client\" to `identity`, or {advice}"
        )),
        Part::Query | Part::Certificate | Part::Attributes | Part::TraceParent => Some(format!(
            "it reads `{name}`, under which no decision is kept, so it cannot be reused; {advice}"
        )),
    };
    fields.or_else(|| needs.parts.iter().find_map(part))
}

fn allow(plugin: &str, grant: &Grant, exchange: &mut Exchange) -> Result<Flow, Problem> {
    if !grant
        .policy
        .allows(exchange.request.method.as_str(), exchange.request.path())
    {
        let cause = format!("plugin `{plugin}`: the policy of its grant does not cover the request");
        return Err(Problem::new(ProblemKind::AccessDenied).with_cause(cause));
    }
    let attributes = &mut exchange.attributes;
    for (name, value) in &grant.context {
        attributes.set(name.clone(), value.clone());
    }
    // After the context, so that it cannot say otherwise.
    let usage_key = grant.usage_key.as_ref().unwrap_or(&grant.principal);
    attributes.set("auth.principal", Value::Text(grant.principal.clone()));
    attributes.set("auth.usage_key", Value::Text(usage_key.clone()));
    attributes.set("auth.scopes", Value::Text(grant.scopes.clone()));
    attributes.set(AUTHORIZER, Value::Text(plugin.to_owned()));
    exchange.record.principal = Some(grant.principal.clone());
    for edit in &grant.edits {
        edit.apply(&mut exchange.request.headers);
    }
    Ok(Flow::Proceed)
}

fn deny(plugin: &str, denial: &Denial, exchange: &mut Exchange) -> gatewright_core::Response {
    let kind = match denial.answer.status {
        StatusCode::UNAUTHORIZED => ProblemKind::Unauthorized,
        _ => ProblemKind::AccessDenied,
    };
    exchange
        .record
        .note(&Problem::new(kind).with_cause(format!("plugin `{plugin}`: {}", denial.reason)));
    let mut response = denial.answer.clone().into_response();
    response
        .headers_mut()
        .insert(ERROR_HEADER, HeaderValue::from_static(kind.code()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_config::gateway::IdentitySource;

    /// Why the decisions of a plugin that reads this, of a route with these identity sources, are not kept.
    fn refused(part: Part, sources: &[IdentitySource]) -> Option<String> {
        let needs = Needs {
            parts: std::iter::once(part).collect(),
            request_fields: Selection::None,
            response_fields: Selection::None,
            request_body: false,
            response_body: false,
            request_chunks: false,
            response_chunks: false,
        };
        not_cacheable(&needs, &Identity::new(sources).unwrap())
    }

    #[test]
    fn a_plugin_whose_decisions_are_kept_asks_only_for_what_they_are_kept_under() {
        let key = [IdentitySource::Header("x-key".to_owned())];
        for part in [Part::Method, Part::Authority, Part::Path, Part::Parameters, Part::Route] {
            assert_eq!(refused(part, &key), None);
        }
        for part in [Part::Query, Part::Certificate, Part::Attributes, Part::TraceParent] {
            let reason = refused(part, &key).unwrap();
            assert!(
                reason.contains("no decision is kept") && reason.contains("cache = \"0s\""),
                "{reason}"
            );
        }
        assert!(
            refused(Part::Peer, &key)
                .unwrap()
                .contains("add \"client\" to `identity`")
        );
        assert_eq!(refused(Part::Peer, &[IdentitySource::Client]), None);
    }
}
