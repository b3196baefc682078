//! `waf`: requests that look like an attack are refused, or only noted.
//!
//! What is inspected is what a request means: the path in normal form, and parameters, cookies, header fields and values of
//! the body, decoded. What is forwarded is what came. Clients are not told what was found; operators are told the rule
//! and the place, and never the value.

mod body;
mod charset;
mod inspection;
mod json;
mod markup;
mod multipart;
mod readings;
pub mod rules;
mod shapes;
mod sql;
mod urlencoded;
mod xml;

use std::sync::Arc;

use bytes::Bytes;
use gatewright_config::{WafConfig, WafLarger, WafMode, WafRule};
use gatewright_core::{Exchange, Flow, Problem, ProblemKind, Stage, Step, Value};
use gatewright_seclang::RuleSet;
use http::header::{self, HeaderName};

use self::body::Kind;
use self::inspection::{Carried, Finding, Inspection};
use self::rules::Seen;
use super::decompress::ACCEPTED;
use crate::aside::aside;
use crate::body_start::{self, Start};
use crate::codings::{Coded, coded};
use crate::telemetry::WafMetrics;

/// Bodies that are longer are inspected off the worker, which has others to serve.
const AT_ONCE_BYTES: usize = 4 << 10;

/// Inspects requests.
pub struct Waf {
    config: Arc<WafConfig>,
    headers: Vec<HeaderName>,
    rules: Option<Arc<RuleSet>>,
    metrics: WafMetrics,
}

impl Stage for Waf {
    fn name(&self) -> &str {
        "waf"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        let carried = Carried::new(self.rules.as_ref().map(|_| rules::request(exchange)));
        let mut inspection = Inspection::new(&self.config, exchange.request.path(), carried);
        self.inspect_head(&mut inspection, exchange);
        let (findings, carried) = inspection.end();
        let is_over = self.config.mode == WafMode::Block && !findings.is_empty();
        if is_over {
            return Step::ready(self.judge(exchange, &findings, &[]));
        }
        let has_body = !exchange.body.is_empty() && self.config.body_bytes.0 > 0;
        match Kind::of(&exchange.request.headers).filter(|_| has_body) {
            Some(kind) => Step::waiting(self.inspect_body(exchange, kind, findings, carried)),
            None => {
                let mut seen = Seen {
                    findings,
                    notes: Vec::new(),
                };
                rules::run(
                    self.rules.as_deref(),
                    &self.config,
                    exchange.request.path(),
                    &carried,
                    &mut seen,
                );
                Step::ready(self.judge(exchange, &seen.findings, &seen.notes))
            }
        }
    }
}

impl Waf {
    /// A stage with these settings, and rules in SecLang.
    #[must_use]
    pub fn new(config: &WafConfig, rules: Option<Arc<RuleSet>>, metrics: WafMetrics) -> Self {
        // The configuration has checked the names.
        let name = |name: &String| HeaderName::from_bytes(name.as_bytes()).ok();
        Self {
            headers: config.headers.iter().filter_map(name).collect(),
            config: Arc::new(config.clone()),
            rules,
            metrics,
        }
    }

    fn inspect_head(&self, inspection: &mut Inspection<'_>, exchange: &Exchange) {
        let request = &exchange.request;
        inspection.path();
        if let Some(query) = request.query() {
            inspection.query(query.as_bytes());
        }
        for cookies in request.headers.get_all(header::COOKIE) {
            inspection.cookies(cookies.as_bytes());
        }
        for name in &self.headers {
            for value in request.headers.get_all(name) {
                inspection.header(name.as_str(), value.as_bytes());
            }
        }
    }

    async fn inspect_body(
        &self,
        exchange: &mut Exchange,
        kind: Kind,
        findings: Vec<Finding>,
        carried: Carried,
    ) -> Result<Flow, Problem> {
        let limit = self.config.body_bytes.0;
        let refuses = self.config.mode == WafMode::Block && self.config.larger == WafLarger::Refuse;
        if refuses && http_body::Body::size_hint(&exchange.body).lower() > limit {
            let finding = Finding::of_body(WafRule::BodySize);
            if !self.is_excluded(exchange, &finding) {
                return self.judge(exchange, &[finding], &[]);
            }
        }
        let Start { bytes, complete } = body_start::of_request(exchange, limit).await?;
        let piece = body::Piece {
            bytes: bytes.slice(..bytes.len().min(usize::try_from(limit).unwrap_or(usize::MAX))),
            complete,
            coded: coded(&exchange.request.headers),
        };
        let path = exchange.request.path().to_owned();
        let mut seen = self.inspect_piece(path, kind, piece, carried).await?;
        seen.findings.splice(0..0, findings);
        self.judge(exchange, &seen.findings, &seen.notes)
    }

    async fn inspect_piece(
        &self,
        path: String,
        kind: Kind,
        piece: body::Piece,
        carried: Carried,
    ) -> Result<Seen, Problem> {
        let config = Arc::clone(&self.config);
        let rules = self.rules.clone();
        let is_short = piece.coded == Coded::Plain && piece.bytes.len() <= AT_ONCE_BYTES;
        let inspect = move || {
            let mut inspection = Inspection::new(&config, &path, carried);
            body::inspect(&mut inspection, &kind, piece);
            let is_over = inspection.is_over();
            let (findings, carried) = inspection.end();
            let mut seen = Seen {
                findings,
                notes: Vec::new(),
            };
            if !is_over {
                rules::run(rules.as_deref(), &config, &path, &carried, &mut seen);
            }
            seen
        };
        if is_short {
            return Ok(inspect());
        }
        aside("waf", inspect).await
    }

    fn is_excluded(&self, exchange: &Exchange, finding: &Finding) -> bool {
        inspection::is_excluded(&self.config, exchange.request.path(), finding)
    }

    /// What becomes of a request in which this was found.
    fn judge(&self, exchange: &mut Exchange, findings: &[Finding], notes: &[Finding]) -> Result<Flow, Problem> {
        let Some(first) = findings.first() else {
            self.note(exchange, notes);
            return Ok(Flow::Proceed);
        };
        for finding in findings {
            self.metrics.found(finding.rule);
        }
        let said: Vec<_> = findings.iter().map(ToString::to_string).collect();
        let said = said.join("; ");
        if let Some(explanation) = &exchange.record.explanation {
            explanation.note("waf", [("found", Value::Text(said.clone()))]);
        }
        let problem = first.problem().with_cause(format!("waf: {said}"));
        exchange.record.waf = Some(said);
        match self.config.mode {
            WafMode::Block => Err(problem),
            WafMode::Detect => {
                let rule = Value::Text(first.rule.id().to_owned());
                exchange.attributes.set("waf.rule", rule);
                Ok(Flow::Proceed)
            }
        }
    }
}

impl Waf {
    /// Rules that matched, and not enough of them to refuse the request.
    fn note(&self, exchange: &mut Exchange, notes: &[Finding]) {
        if notes.is_empty() {
            return;
        }
        let said: Vec<_> = notes.iter().map(ToString::to_string).collect();
        let said = format!("passed: {}", said.join("; "));
        if let Some(explanation) = &exchange.record.explanation {
            explanation.note("waf", [("passed", Value::Text(said.clone()))]);
        }
        exchange.record.waf = Some(said);
    }
}

impl Finding {
    /// What the client is told: nothing that would help it to try again.
    fn problem(&self) -> Problem {
        let in_body = self.part == gatewright_config::WafPart::Body;
        Problem::new(match self.rule {
            WafRule::BodySize => ProblemKind::RequestTooLarge,
            WafRule::ParameterCount if in_body => ProblemKind::RequestTooLarge,
            WafRule::BodySyntax => ProblemKind::BadRequestBody,
            WafRule::BodyEncoding => {
                return Problem::new(ProblemKind::UnsupportedMediaType).with_header(header::ACCEPT_ENCODING, ACCEPTED);
            }
            _ => ProblemKind::WafFiltered,
        })
    }
}

/// Everything that there is to be inspected of a body.
impl body::Piece {
    fn decoded(self, limit: usize) -> Result<(Bytes, bool), WafRule> {
        match self.coded {
            Coded::Plain => Ok((self.bytes, self.complete)),
            Coded::Unknown => Err(WafRule::BodyEncoding),
            Coded::By(coding) => crate::codings::Decoder::new(coding)
                .start_of(self.bytes, self.complete, limit)
                .map_err(|_| WafRule::BodySyntax),
        }
    }
}

#[cfg(test)]
mod tests;
