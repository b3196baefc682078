//! `Cache-Control` of requests: who may have a response fetched anew, and what becomes of the same from others.

use std::time::{Duration, Instant};

use gatewright_config::{CacheConfig, CacheFreshness, CacheRefresh, RefusedRefresh};
use gatewright_core::{Exchange, Problem, ProblemKind, Response, Value};
use http::header::{self, HeaderValue};

use super::directives::Directives;
use super::stored::Stored;

/// What a request wants of a response's age.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Refresh {
    /// It is to be fetched anew, or asked about.
    anew: bool,
    most_age: Option<Duration>,
    least_fresh: Option<Duration>,
    /// It has been asked for, and may not be.
    refused: bool,
}

impl Refresh {
    /// What a request wants that says this to caches, as far as it may.
    ///
    /// # Errors
    /// When it may not, and that is forbidden.
    pub(super) fn of(config: &CacheConfig, exchange: &Exchange, said: &Directives) -> Result<Self, Problem> {
        let is_http = matches!(config.freshness, CacheFreshness::Http { .. });
        let anew = said.max_age == Some(Duration::ZERO) || said.no_cache && is_http;
        let wants = anew || is_http && (said.max_age.is_some() || said.min_fresh.is_some());
        if !wants {
            return Ok(Self::default());
        }
        if may(&config.refresh, exchange) {
            return Ok(Self {
                anew,
                most_age: said.max_age.filter(|_| is_http),
                least_fresh: said.min_fresh.filter(|_| is_http),
                refused: false,
            });
        }
        match config.refused_refresh {
            RefusedRefresh::Forbid if anew => {
                let problem = Problem::new(ProblemKind::AccessDenied);
                Err(problem.with_cause("a response was to be fetched anew by somebody who may not have that done"))
            }
            RefusedRefresh::Warn => Ok(Self {
                refused: anew,
                ..Self::default()
            }),
            RefusedRefresh::Forbid | RefusedRefresh::Ignore => Ok(Self::default()),
        }
    }

    /// Whether what is kept may not be used without asking, whatever it says.
    pub(super) fn is_asked(&self) -> bool {
        self.anew || self.most_age.is_some() || self.least_fresh.is_some()
    }

    /// Whether a response that is fresh for so long is good enough.
    pub(super) fn is_satisfied(&self, stored: &Stored, now: Instant, fresh: Duration) -> bool {
        !self.anew
            && self.most_age.is_none_or(|most| stored.head.age(now) <= most)
            && self.least_fresh.is_none_or(|least| fresh >= least)
    }

    /// Says that the request was not heeded.
    pub(super) fn warn(&self, response: &mut Response) {
        if self.refused {
            let warning = HeaderValue::from_static("199 gatewright \"Cache-Control: max-age=0 was not heeded\"");
            response.headers_mut().insert(header::WARNING, warning);
        }
    }
}

fn may(refresh: &CacheRefresh, exchange: &Exchange) -> bool {
    match refresh {
        CacheRefresh::Nobody => false,
        CacheRefresh::Everybody => true,
        CacheRefresh::Principal => exchange.principal().is_some(),
        CacheRefresh::Scope(scope) => match exchange.attributes.get("auth.scopes").as_deref() {
            Some(Value::Text(scopes)) => scopes.split_ascii_whitespace().any(|known| known == scope),
            _ => false,
        },
    }
}
