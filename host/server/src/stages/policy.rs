//! `policy`: who may do what, by statements. What one denies is denied; what none allows is not allowed, unless the
//! configuration says otherwise.

use gatewright_config::{PolicyConfig, StatementConfig};
use gatewright_core::wildcard::matches;
use gatewright_core::{Exchange, Flow, Problem, ProblemKind, Stage, Step, Value};

use crate::iam::{Verdict, hold, verdict};

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

    fn decide(&self, exchange: &Exchange) -> Result<Flow, Problem> {
        let about = |statement: &&StatementConfig| is_about(statement, exchange);
        let verdict = verdict(self.statements.iter().filter(about).map(|statement| statement.allow));
        if let Some(explanation) = &exchange.record.explanation {
            let statements = self.statements.iter().enumerate();
            let matching = statements.filter(|(_, statement)| is_about(statement, exchange));
            let matching: Vec<_> = matching.map(|(index, _)| (index + 1).to_string()).collect();
            explanation.note(
                "policy",
                [
                    ("verdict", Value::Text(format!("{verdict:?}").to_lowercase())),
                    ("statements", Value::Text(matching.join(", "))),
                ],
            );
        }
        let denied = |cause: &str| Err(Problem::new(ProblemKind::AccessDenied).with_cause(cause));
        match verdict {
            Verdict::Allowed => Ok(Flow::Proceed),
            Verdict::Denied => denied("a statement of the policy denies it"),
            Verdict::Silent if self.otherwise => Ok(Flow::Proceed),
            Verdict::Silent => denied("no statement of the policy allows it"),
        }
    }
}

fn is_about(statement: &StatementConfig, exchange: &Exchange) -> bool {
    let StatementConfig {
        allow,
        principals,
        methods,
        paths,
        conditions,
    } = statement;
    let any = |patterns: &Option<Vec<String>>, text: Option<&str>| match patterns {
        None => true,
        Some(patterns) => text.is_some_and(|text| patterns.iter().any(|pattern| matches(pattern, text))),
    };
    any(methods, Some(exchange.request.method.as_str()))
        && any(paths, Some(exchange.request.path()))
        && any(principals, exchange.principal())
        && hold(conditions, *allow, exchange)
}
