//! `rewrite`: another path or query for everything that comes after.
//!
//! What comes out is in the same normal form as what came in, so that there still is one path: later stages decide by what
//! is sent. The route stays what it was, with its parameters.

use std::borrow::Cow;

use gatewright_config::{PathEdit, QueryEdits, RewriteConfig, TemplatePart, ValueTemplate};
use gatewright_core::{Exchange, Flow, Problem, ProblemKind, Stage, Step};
use http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::integrations::template::{render_path, variable_of};

/// What stands for itself in a name or value (RFC 3986, section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Changes path and query.
pub struct Rewrite {
    config: RewriteConfig,
}

impl Stage for Rewrite {
    fn name(&self) -> &str {
        "rewrite"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        Step::ready(self.target(exchange).map(|target| {
            exchange.request.target = target;
            Flow::Proceed
        }))
    }
}

impl Rewrite {
    /// A stage with these changes.
    #[must_use]
    pub fn new(config: &RewriteConfig) -> Self {
        Self { config: config.clone() }
    }

    fn target(&self, exchange: &Exchange) -> Result<PathAndQuery, Problem> {
        let path = rewritten(&self.config.path, exchange)?;
        let query = exchange.request.query();
        let query = match self.config.query.is_empty() {
            true => query.map(Cow::Borrowed),
            false => edited(&self.config.query, query.unwrap_or_default(), exchange).map(Cow::Owned),
        };
        let target = match query {
            Some(query) => format!("{path}?{query}"),
            None => path.into_owned(),
        };
        PathAndQuery::try_from(target).map_err(|error| {
            let cause = format!("rewrite: the new target is none: {error}");
            Problem::new(ProblemKind::InternalError).with_cause(cause)
        })
    }
}

fn rewritten<'e>(edit: &PathEdit, exchange: &'e Exchange) -> Result<Cow<'e, str>, Problem> {
    let path = exchange.request.path();
    match edit {
        PathEdit::Prefix { strip, add } => {
            let rest = path
                .strip_prefix(strip.as_str())
                .filter(|rest| rest.is_empty() || rest.starts_with('/'));
            let rest = rest.unwrap_or(path);
            Ok(match (add.is_empty(), rest.is_empty()) {
                (true, true) => Cow::Borrowed("/"),
                (true, false) => Cow::Borrowed(rest),
                (false, _) => Cow::Owned(format!("{add}{rest}")),
            })
        }
        PathEdit::Template(template) => path_of(template, exchange).map(Cow::Owned),
    }
}

/// A path made of a template, in normal form: what is harmless in its place may not be in another (`/..{id}` with the id
/// `;x`).
pub(super) fn path_of(template: &ValueTemplate, exchange: &Exchange) -> Result<String, Problem> {
    let path = render_path(template, exchange).ok_or_else(|| {
        let cause = "the path lacks a parameter";
        Problem::new(ProblemKind::InternalError).with_cause(cause)
    })?;
    let normal = exchange.request.encodings.kept().normalise(&path).map(Cow::into_owned);
    normal.map_err(|error| Problem::new(ProblemKind::BadRequest).with_detail(error.to_string()))
}

/// The query with its changes; none when nothing is left. What is not changed stays as it was sent.
fn edited(edits: &QueryEdits, query: &str, exchange: &Exchange) -> Option<String> {
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let value = |name: &str, template: &ValueTemplate| {
        let value = meant(template, exchange)?;
        Some(Cow::Owned(format!("{}={}", encoded(name), encoded(&value))))
    };
    let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| (name_of(pair), Cow::Borrowed(pair)))
        .filter(|(name, _)| !edits.remove.iter().any(|removed| removed == name))
        .collect();
    for (from, to) in &edits.rename {
        for (name, pair) in pairs.iter_mut().filter(|(name, _)| name == from) {
            let rest = pair
                .split_once('=')
                .map(|(_, value)| format!("={value}"))
                .unwrap_or_default();
            *pair = Cow::Owned(encoded(to) + &rest);
            *name = Cow::Owned(to.clone());
        }
    }
    for (name, template) in &edits.set {
        pairs.retain(|(known, _)| known != name);
        pairs.extend(value(name, template).map(|pair| (Cow::Borrowed(name.as_str()), pair)));
    }
    for (name, template) in &edits.append {
        pairs.extend(value(name, template).map(|pair| (Cow::Borrowed(name.as_str()), pair)));
    }
    let pairs: Vec<_> = pairs.iter().map(|(_, pair)| pair.as_ref()).collect();
    (!pairs.is_empty()).then(|| pairs.join("&"))
}

/// The text of a value; none where something of it is absent. Parameters of the path stand for what they mean.
fn meant(template: &ValueTemplate, exchange: &Exchange) -> Option<String> {
    let mut text = String::new();
    for part in &template.0 {
        match part {
            TemplatePart::Text(literal) => text.push_str(literal),
            TemplatePart::Path(name) => text.push_str(&exchange.parameters.decoded(name)?),
            TemplatePart::Attribute(name) => text.push_str(&exchange.attributes.get(name)?.to_string()),
            TemplatePart::Variable(variable) => text.push_str(&variable_of(variable, exchange, None)?),
        }
    }
    Some(text)
}

/// What the name of a pair means.
fn name_of(pair: &str) -> Cow<'_, str> {
    let name = pair.split_once('=').map_or(pair, |(name, _)| name);
    match name.contains(['%', '+']) {
        true => {
            let spaced = name.replace('+', " ");
            Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
        }
        false => Cow::Borrowed(name),
    }
}
