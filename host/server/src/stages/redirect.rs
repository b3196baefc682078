//! `redirect`: clients are sent elsewhere. Scheme, host and status come from the configuration; what a client can choose
//! are the path's parameters, and a path in normal form cannot become a host.

use gatewright_config::RedirectConfig;
use gatewright_core::{Body, Exchange, Flow, Problem, ProblemKind, Response, Stage, Step};
use http::StatusCode;
use http::header::{self, HeaderValue};

use super::rewrite::path_of;

/// Sends clients elsewhere.
pub struct Redirect {
    config: RedirectConfig,
    status: StatusCode,
}

impl Stage for Redirect {
    fn name(&self) -> &str {
        "redirect"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        Step::ready(self.answer(exchange))
    }
}

impl Redirect {
    /// A stage that leads to where the configuration says.
    #[must_use]
    pub fn new(config: &RedirectConfig) -> Self {
        Self {
            config: config.clone(),
            status: StatusCode::from_u16(config.status).unwrap_or(StatusCode::PERMANENT_REDIRECT),
        }
    }

    fn answer(&self, exchange: &Exchange) -> Result<Flow, Problem> {
        let request = &exchange.request;
        let is_there = |wanted: &str| request.authority.as_bytes().eq_ignore_ascii_case(wanted.as_bytes());
        let arrived = self.config.secure.is_none_or(|secure| secure == request.secure)
            && self.config.authority.as_deref().is_none_or(is_there);
        let path = match &self.config.path {
            Some(template) => path_of(template, exchange)?,
            // Whoever is there already would be sent round and round.
            None if arrived => return Ok(Flow::Proceed),
            None => request.path().to_owned(),
        };
        if arrived && path == request.path() {
            return Ok(Flow::Proceed);
        }
        let mut location = match arrived {
            true => path,
            false => self.origin(exchange)? + &path,
        };
        if let Some(query) = request.query().filter(|_| self.config.keep_query) {
            location.push('?');
            location.push_str(query);
        }
        let location = HeaderValue::try_from(location).map_err(|error| {
            let cause = format!("redirect: {error}");
            Problem::new(ProblemKind::InternalError).with_cause(cause)
        })?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::LOCATION, location);
        Ok(Flow::Answer(Box::new(response)))
    }

    /// `https://www.example.com`
    fn origin(&self, exchange: &Exchange) -> Result<String, Problem> {
        let request = &exchange.request;
        let secure = self.config.secure.unwrap_or(request.secure);
        let sent = || {
            let authority = request.authority.to_str();
            authority.map_err(|_| Problem::from(ProblemKind::BadRequest))
        };
        let authority = match &self.config.authority {
            Some(authority) => authority.as_str(),
            // Another scheme has another port.
            None if secure != request.secure => request.host.as_str(),
            None => sent()?,
        };
        let scheme = if secure { "https" } else { "http" };
        Ok(format!("{scheme}://{authority}"))
    }
}
