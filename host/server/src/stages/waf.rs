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
mod sql;
mod urlencoded;
mod xml;

use std::sync::Arc;

use bytes::Bytes;
use gatewright_config::{WafConfig, WafLarger, WafMode, WafRule};
use gatewright_core::{Exchange, Flow, Problem, ProblemKind, Stage, Step, Value};
use http::header::{self, HeaderName};

use self::body::Kind;
use self::inspection::{Counts, Finding, Inspection};
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
    metrics: WafMetrics,
}

impl Stage for Waf {
    fn name(&self) -> &str {
        "waf"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        let mut inspection = Inspection::new(&self.config, exchange.request.path());
        self.inspect_head(&mut inspection, exchange);
        let (findings, counts) = inspection.end();
        let is_over = self.config.mode == WafMode::Block && !findings.is_empty();
        if is_over || exchange.body.is_empty() || self.config.body_bytes.0 == 0 {
            return Step::ready(self.judge(exchange, &findings));
        }
        match Kind::of(&exchange.request.headers) {
            Some(kind) => Step::waiting(self.inspect_body(exchange, kind, findings, counts)),
            None => Step::ready(self.judge(exchange, &findings)),
        }
    }
}

impl Waf {
    /// A stage with these settings.
    #[must_use]
    pub fn new(config: &WafConfig, metrics: WafMetrics) -> Self {
        // The configuration has checked the names.
        let name = |name: &String| HeaderName::from_bytes(name.as_bytes()).ok();
        Self {
            headers: config.headers.iter().filter_map(name).collect(),
            config: Arc::new(config.clone()),
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
        mut findings: Vec<Finding>,
        counts: Counts,
    ) -> Result<Flow, Problem> {
        let limit = self.config.body_bytes.0;
        let refuses = self.config.mode == WafMode::Block && self.config.larger == WafLarger::Refuse;
        if refuses && http_body::Body::size_hint(&exchange.body).lower() > limit {
            let finding = Finding::of_body(WafRule::BodySize);
            if !self.is_excluded(exchange, &finding) {
                return self.judge(exchange, &[finding]);
            }
        }
        let Start { bytes, complete } = body_start::of_request(exchange, limit).await?;
        let piece = body::Piece {
            bytes: bytes.slice(..bytes.len().min(usize::try_from(limit).unwrap_or(usize::MAX))),
            complete,
            coded: coded(&exchange.request.headers),
        };
        let path = exchange.request.path().to_owned();
        findings.extend(self.inspect_piece(path, kind, piece, counts).await?);
        self.judge(exchange, &findings)
    }

    async fn inspect_piece(
        &self,
        path: String,
        kind: Kind,
        piece: body::Piece,
        counts: Counts,
    ) -> Result<Vec<Finding>, Problem> {
        let config = Arc::clone(&self.config);
        let is_short = piece.coded == Coded::Plain && piece.bytes.len() <= AT_ONCE_BYTES;
        let inspect = move || {
            let mut inspection = Inspection::new(&config, &path);
            inspection.counts = counts;
            body::inspect(&mut inspection, &kind, piece);
            inspection.end().0
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
    fn judge(&self, exchange: &mut Exchange, findings: &[Finding]) -> Result<Flow, Problem> {
        let Some(first) = findings.first() else {
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
