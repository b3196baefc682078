//! `{ use = "policy", … }`

use std::collections::BTreeMap;

use crate::condition::Condition;
use crate::file::{Located, PolicyStage, PolicyStatement, StatementEffect as Effect};
use crate::gateway::{PolicyConfig, StatementConfig};
use crate::report::{Span, suggestion};
use crate::resolve::Resolver;
use crate::resolve::path::normal_text;

/// Keys that are there whatever the request is.
const KEYS: [&str; 6] = [
    "aws:CurrentTime",
    "aws:EpochTime",
    "aws:Referer",
    "aws:SecureTransport",
    "aws:SourceIp",
    "aws:UserAgent",
];

impl Resolver<'_> {
    pub(super) fn policy(&mut self, stage: &PolicyStage, span: &Span) -> Option<PolicyConfig> {
        let PolicyStage {
            stage: _,
            statements,
            otherwise,
        } = stage;
        let statements = self.required(statements.as_ref(), span, "statements", "[{ effect = \"allow\" }]");
        if let Some(statements) = statements.filter(|statements| statements.value.is_empty()) {
            let hint = "write [{ effect = \"allow\" }] for all requests";
            self.error(&statements.span, "there is one statement at least", hint);
        }
        let statements = statements.map(|statements| {
            let statements = statements.value.iter();
            let statements: Vec<_> = statements.map(|statement| self.policy_statement(statement)).collect();
            statements.into_iter().collect::<Option<Vec<_>>>()
        });
        Some(PolicyConfig {
            statements: statements??,
            otherwise: *otherwise == Effect::Allow,
        })
    }

    fn policy_statement(&mut self, statement: &Located<PolicyStatement>) -> Option<StatementConfig> {
        let PolicyStatement {
            effect,
            principals,
            methods,
            paths,
            conditions,
        } = &statement.value;
        let effect = self
            .required(effect.as_ref(), &statement.span, "effect", "\"allow\"")
            .copied();
        let conditions = self.conditions(conditions);
        let paths = paths.as_ref().map(|paths| {
            let paths: Vec<_> = paths
                .iter()
                .map(|path| self.path_pattern(path, &statement.span))
                .collect();
            paths.into_iter().collect::<Option<Vec<_>>>()
        });
        for method in methods.iter().flatten() {
            if method.bytes().any(|byte| byte.is_ascii_lowercase()) {
                let message = format!("no method is `{method}`: methods are in upper case");
                let hint = format!("write \"{}\"", method.to_ascii_uppercase());
                self.error(&statement.span, message, hint);
            }
        }
        Some(StatementConfig {
            allow: effect? == Effect::Allow,
            principals: principals.clone(),
            methods: methods.clone(),
            paths: match paths {
                Some(paths) => Some(paths?),
                None => None,
            },
            conditions: conditions?,
        })
    }

    fn conditions(
        &mut self,
        operators: &BTreeMap<String, BTreeMap<String, Located<Vec<String>>>>,
    ) -> Option<Vec<Condition>> {
        let mut conditions = Vec::new();
        let mut good = true;
        for (operator, keys) in operators {
            for (key, values) in keys {
                self.condition_key(key, &values.span);
                match Condition::parse(operator, key, &values.value) {
                    Ok(condition) => conditions.push(condition),
                    Err(message) => {
                        let hint = "write an operator of AWS and what it compares with, such as \
                                    IpAddress = { \"aws:SourceIp\" = [\"10.0.0.0/8\"] }";
                        self.error(&values.span, message, hint);
                        good = false;
                    }
                }
            }
        }
        good.then_some(conditions)
    }

    /// A pattern in the form that paths have when they are compared with it. Others would match no path.
    fn path_pattern(&mut self, pattern: &str, span: &Span) -> Option<String> {
        if !pattern.starts_with(['/', '*', '?']) {
            let message = format!("`{pattern}` is the beginning of no path");
            self.error(span, message, "paths begin with `/`, such as \"/orders/*\"");
            return None;
        }
        let mut normal = String::with_capacity(pattern.len());
        for piece in pattern.split_inclusive(['*', '?']) {
            let (text, wildcard) = match piece.strip_suffix(['*', '?']) {
                Some(text) => (text, piece.get(text.len()..).unwrap_or_default()),
                None => (piece, ""),
            };
            match normal_text(text) {
                Ok(text) if !text.contains("//") => normal.push_str(&text),
                // `/.*` is about names that begin with a dot.
                Err(_) if !wildcard.is_empty() && text.ends_with('.') => normal.push_str(text),
                Ok(_) | Err(_) => {
                    let message = format!("`{pattern}` is no path in normal form, so that no path matches it");
                    let hint = "write it without `//`, `..`, backslashes and encoded slashes";
                    self.error(span, message, hint);
                    return None;
                }
            }
            normal.push_str(wildcard);
        }
        Some(normal)
    }

    fn condition_key(&mut self, key: &str, span: &Span) {
        if let Some(name) = key.strip_prefix("header:").filter(|name| !name.is_empty()) {
            // Its own messages say what is wrong with it.
            let _ = self.readable_header(name, span);
            return;
        }
        let known = KEYS.iter().any(|known| known.eq_ignore_ascii_case(key))
            || matches!(key.split_once(':'), Some(("header" | "query" | "path" | "auth", name)) if !name.is_empty());
        if !known {
            let others = "or \"header:NAME\", \"query:NAME\", \"path:NAME\", \"auth:NAME\"";
            let hint = format!("{}, {others}", suggestion(key, KEYS, "keys"));
            self.error(span, format!("`{key}` is not a condition key"), hint);
        }
    }
}
