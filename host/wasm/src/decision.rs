//! What an authorizer decided, in the gateway's own words: checked, and valid for as long as it is cached.

use std::time::Duration;

use gatewright_core::Value;
use gatewright_core::wildcard::matches;

use crate::api::{Answer, Edit};

/// May this request go on?
#[derive(Clone, Debug)]
pub(crate) enum Decision {
    /// Yes.
    Allow(Grant),
    /// No.
    Deny(Denial),
    /// Ask the next authorizer.
    Abstain,
}

/// What follows from a yes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grant {
    /// Who the caller is. Not empty.
    pub(crate) principal: String,
    /// Attributes with their full names: `auth.<name>`.
    pub(crate) context: Vec<(String, Value)>,
    /// Whom usage is counted for, when it is not the principal.
    pub(crate) usage_key: Option<String>,
    /// Separated by spaces, as OAuth writes them.
    pub(crate) scopes: String,
    /// For which methods and paths; empty: for what was asked.
    pub(crate) policy: Policy,
    /// Changes of the request.
    pub(crate) edits: Vec<Edit>,
    /// How long it may be reused, when the plugin says so.
    pub(crate) ttl: Option<Duration>,
}

/// What the client is told.
#[derive(Clone, Debug)]
pub(crate) struct Denial {
    pub(crate) answer: Answer,
    /// For the access record.
    pub(crate) reason: String,
    /// How long it may be reused, when the plugin says so.
    pub(crate) ttl: Option<Duration>,
}

impl Decision {
    /// How long the plugin lets it be reused.
    pub(crate) fn ttl(&self) -> Option<Duration> {
        match self {
            Self::Allow(grant) => grant.ttl,
            Self::Deny(denial) => denial.ttl,
            Self::Abstain => None,
        }
    }

    /// What it is for; empty when it is for what was asked.
    pub(crate) fn policy(&self) -> &[Statement] {
        match self {
            Self::Allow(grant) => &grant.policy.0,
            Self::Deny(_) | Self::Abstain => &[],
        }
    }

    /// About how many bytes it keeps.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Allow(grant) => grant.bytes(),
            Self::Deny(denial) => denial.answer.bytes() + denial.reason.len(),
            Self::Abstain => 0,
        }
    }
}

impl Grant {
    fn bytes(&self) -> usize {
        let value = |value: &Value| match value {
            Value::Text(text) | Value::Json(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Number(_) | Value::Integer(_) | Value::Truth(_) => 8,
        };
        let context = self.context.iter().map(|(name, kept)| name.len() + value(kept));
        self.principal.len()
            + self.scopes.len()
            + self.usage_key.as_ref().map_or(0, String::len)
            + context.sum::<usize>()
            + self.edits.iter().map(Edit::bytes).sum::<usize>()
            + self.policy.bytes()
    }
}

/// Statements as in IAM: a deny that matches wins, and what no allow matches is denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy(pub(crate) Vec<Statement>);

/// One of them. In both lists `*` stands for any text and `?` for one character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Or else it denies.
    pub allow: bool,
    /// Methods in upper case.
    pub methods: Vec<String>,
    /// Normalised paths.
    pub paths: Vec<String>,
}

impl Policy {
    /// Whether there is none: the grant then is for the request it was asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the request may pass.
    pub(crate) fn allows(&self, method: &str, path: &str) -> bool {
        let mut allowed = self.is_empty();
        for statement in self.0.iter().filter(|statement| statement.matches(method, path)) {
            if !statement.allow {
                return false;
            }
            allowed = true;
        }
        allowed
    }

    fn bytes(&self) -> usize {
        let texts = self
            .0
            .iter()
            .flat_map(|statement| statement.methods.iter().chain(&statement.paths));
        texts.map(|text| text.len() + size_of::<String>()).sum()
    }
}

impl Statement {
    fn matches(&self, method: &str, path: &str) -> bool {
        self.methods.iter().any(|pattern| matches(pattern, method))
            && self.paths.iter().any(|pattern| matches(pattern, path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(allow: bool, methods: &[&str], paths: &[&str]) -> Statement {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Statement {
            allow,
            methods: own(methods),
            paths: own(paths),
        }
    }

    #[test]
    fn an_explicit_deny_wins_wherever_it_stands() {
        let allow = statement(true, &["*"], &["*"]);
        let deny = statement(false, &["DELETE"], &["/users/*"]);
        for policy in [Policy(vec![allow.clone(), deny.clone()]), Policy(vec![deny, allow])] {
            assert!(policy.allows("GET", "/users/1"));
            assert!(policy.allows("DELETE", "/other"));
            assert!(!policy.allows("DELETE", "/users/1"));
        }
    }

    #[test]
    fn what_nothing_matches_is_denied() {
        let policy = Policy(vec![statement(true, &["GET"], &["/a"])]);
        assert!(!policy.allows("GET", "/b"));
        assert!(!policy.allows("POST", "/a"));
        assert!(!policy.allows("get", "/a"));
        assert!(!Policy(vec![statement(true, &[], &["*"])]).allows("GET", "/a"));
    }
}
