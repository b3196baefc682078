//! `policy`: who may do what, by statements. What one denies is denied; what none allows is not allowed, unless the
//! configuration says otherwise.

use gatewright_config::{PolicyConfig, StatementConfig};
use gatewright_core::wildcard::matches;
use gatewright_core::{Exchange, Flow, Problem, ProblemKind, Stage, Step, Value};
use percent_encoding::percent_decode_str;

use crate::iam::{Holds, Verdict, doubt, hold, verdict};

/// Lets requests pass that its statements allow.
pub struct Policy {
    statements: Vec<StatementConfig>,
    otherwise: bool,
}

impl Stage for Policy {
    fn name(&self) -> &str {
        "policy"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        Step::ready(self.decide(exchange))
    }
}

impl Policy {
    /// A stage with these statements.
    #[must_use]
    pub fn new(config: &PolicyConfig) -> Self {
        Self {
            statements: config.statements.clone(),
            otherwise: config.otherwise,
        }
    }

    /// Why a request is denied that a statement denies.
    fn why(&self, exchange: &Exchange) -> String {
        let mut statements = self.statements.iter().enumerate();
        let denies = statements.find(|(_, statement)| !statement.allow && applies(statement, exchange));
        let Some((index, statement)) = denies else {
            return "a statement of the policy denies it".to_owned();
        };
        let cause = format!("statement {} of the policy denies it", index + 1);
        match doubt(&statement.conditions, statement.allow, exchange) {
            Some(key) => {
                format!("{cause}: `{key}` is not known of the client, or cannot be read as the condition does")
            }
            None if statement.principals.is_some() && exchange.principal().is_none() => {
                format!("{cause}: the client has not proved who it is")
            }
            None => cause,
        }
    }

    fn decide(&self, exchange: &Exchange) -> Result<Flow, Problem> {
        let about = |statement: &&StatementConfig| applies(statement, exchange);
        let verdict = verdict(self.statements.iter().filter(about).map(|statement| statement.allow));
        if let Some(explanation) = &exchange.record.explanation {
            let statements = self.statements.iter().enumerate();
            let matching = statements.filter(|(_, statement)| applies(statement, exchange));
            let matching: Vec<_> = matching.map(|(index, _)| (index + 1).to_string()).collect();
            explanation.note(
                "policy",
                [
                    ("verdict", Value::Text(format!("{verdict:?}").to_lowercase())),
                    ("statements", Value::Text(matching.join(", "))),
                ],
            );
        }
        let denied = |cause: String| Err(Problem::new(ProblemKind::AccessDenied).with_cause(cause));
        match verdict {
            Verdict::Allowed => Ok(Flow::Proceed),
            Verdict::Denied => denied(self.why(exchange)),
            Verdict::Silent if self.otherwise => Ok(Flow::Proceed),
            Verdict::Silent => denied("no statement of the policy allows it".to_owned()),
        }
    }
}

/// Whether a statement applies to a request. What it asks about the client and nobody knows makes a deny apply, and an
/// allow not.
fn applies(statement: &StatementConfig, exchange: &Exchange) -> bool {
    let StatementConfig {
        allow,
        principals,
        methods,
        paths,
        conditions,
    } = statement;
    let any = |patterns: &Option<Vec<String>>, text: &str| match patterns {
        None => true,
        Some(patterns) => patterns.iter().any(|pattern| matches(pattern, text)),
    };
    let is_by = match (principals, exchange.principal()) {
        (None, _) => Holds::Yes,
        (Some(_), None) => Holds::Unsure,
        (Some(_), Some(principal)) => any(principals, principal).into(),
    };
    let path = exchange.request.path();
    let is_there = match paths {
        None => true,
        Some(patterns) => patterns.iter().any(|pattern| is_path(pattern, path, *allow)),
    };
    any(methods, exchange.request.method.as_str())
        && is_there
        && is_by.min(hold(conditions, *allow, exchange)).applies(*allow)
}

/// Whether a path is one of a pattern's. What is denied is denied however it is encoded: in normal form `%40` and `@` are two
/// characters, and for most upstreams they are one.
fn is_path(pattern: &str, path: &str, allow: bool) -> bool {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    matches(pattern, path)
        || !allow && (path.contains('%') || pattern.contains('%')) && matches(&decoded(pattern), &decoded(path))
}
