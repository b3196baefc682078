//! Which route serves a request: host, then path, then predicates and method.
//!
//! A [`Router`] is built once for a listener and only read afterwards. It is pure: no I/O, no clock, no
//! async, and it trusts its input, because [`host`] and [`gatewright_core::path`] have refused or normalised it before.
//! Answering 404 and 405 is the gateway's business; this module only says which it is.
//!
//! # Precedence
//! 1. Host: exact, then the longest `*.suffix`, then any. A host without a matching route falls through
//!    to the next, so a route for any host also serves what a named host leaves open.
//! 2. Path: without `{rest+}` and `{rest*}` before with; then segment by segment static before `{parameter}` before
//!    `{rest+}` before `{rest*}`, so that the longer fixed part wins.
//! 3. Predicates on headers and query: more before fewer.
//! 4. Method: named before any. `HEAD` is also served by a `GET` route (RFC 9110, 9.3.2); of routes with
//!    the same template, one for `HEAD` comes first, then one for any method, then the one for `GET`.
//! 5. The order of the file.
//!
//! `OPTIONS` is a method like any other. A preflight request is looked up as the request that it asks about
//! ([`RouteRequest::preflight`]); which `OPTIONS` is one is the gateway's business.

pub mod host;
pub mod probe;

mod conditions;
mod guards;
mod hosts;
mod methods;
mod preflight;
mod template;

#[cfg(test)]
mod tests;

use std::fmt;

use gatewright_config::gateway::RouteConfig;
use gatewright_core::path::PathError;
use gatewright_core::{Parameters, Request};
use http::{HeaderMap, Method};

use self::conditions::Conditions;
use self::hosts::Hosts;
use self::template::Template;

/// The routes of one listener, ready to be searched.
#[derive(Debug)]
pub struct Router {
    hosts: Hosts,
}

/// What routing looks at.
#[derive(Clone, Copy, Debug)]
pub struct RouteRequest<'a> {
    /// Host without port, as [`host::parse_authority`] gives it.
    pub host: &'a str,
    /// Method.
    pub method: &'a Method,
    /// Path without query, as [`gatewright_core::path::normalise`] gives it.
    pub path: &'a str,
    /// What follows the `?`, as the client sent it.
    pub query: Option<&'a str>,
    /// Header fields.
    pub headers: &'a HeaderMap,
    /// It is a request that a preflight asks about, with its method: `headers` are those of the preflight, which only names
    /// fields of the request.
    pub preflight: bool,
}

impl<'a> RouteRequest<'a> {
    /// What routing looks at of this request, with this method.
    pub fn new(request: &'a Request, method: &'a Method) -> Self {
        Self {
            host: &request.host,
            method,
            path: request.path(),
            query: request.query(),
            headers: &request.headers,
            preflight: false,
        }
    }
}

/// What routing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteMatch {
    /// A route serves the request.
    Found {
        /// Index of the route, as it was given to [`Router::new`].
        route: usize,
        /// What its `{parameters}` stand for.
        parameters: Parameters,
    },
    /// No route has this path (with these header fields and query).
    NotFound,
    /// There are routes for the path, but for other methods.
    MethodNotAllowed {
        /// Value of the `Allow` header field: the methods that the most specific host with this path has, sorted.
        allow: String,
    },
}

/// What routing found for a preflight request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreflightMatch {
    /// A route that answers preflights serves the request that it asks about.
    Found {
        /// Index of the route.
        route: usize,
        /// What its `{parameters}` stand for.
        parameters: Parameters,
    },
    /// A route serves that request that answers no preflights: no other route may answer for it.
    Closed,
    /// It is not known which route serves that request, or none does.
    Open,
}

impl Router {
    /// Builds the router of one listener from its routes and their indices.
    ///
    /// # Errors
    /// When a route cannot be searched for. The configuration has refused all of this with line and hint
    /// before; an error here is a difference of opinion between it and the router, not the user's mistake.
    pub fn new<'a>(routes: impl IntoIterator<Item = (usize, &'a RouteConfig)>) -> Result<Router, RouterError> {
        let mut hosts = Hosts::default();
        for (index, route) in routes {
            let refused = |cause| RouterError {
                route: route.name.clone(),
                cause,
            };
            let template = Template::new(index, &route.path).map_err(refused)?;
            let conditions = Conditions::new(&route.headers, &route.query).map_err(refused)?;
            let methods = parse_methods(&route.methods).map_err(refused)?;
            hosts
                .insert(&route.hosts, |tier| tier.insert(&methods, &conditions, &template))
                .map_err(refused)?;
        }
        Ok(Router { hosts })
    }

    /// Finds the route of the request that a preflight asks about, if one of those that may be it `answers` preflights.
    ///
    /// Conditions on fields of which the preflight knows the name and no value may hold. Of several routes the one that would
    /// be first answers; one that is certain to serve the request leaves nothing to those after it.
    pub fn find_preflight(&self, request: &RouteRequest<'_>, answers: impl Fn(usize) -> bool) -> PreflightMatch {
        for tier in self.hosts.tiers(request.host) {
            for candidate in tier.candidates(request) {
                if answers(candidate.route()) {
                    let (route, parameters) = candidate.found(request.path);
                    return PreflightMatch::Found { route, parameters };
                }
                if candidate.is_certain() {
                    return PreflightMatch::Closed;
                }
            }
        }
        PreflightMatch::Open
    }

    /// Methods of the routes that have the request's path, header fields and query, as `Allow` lists them; empty where these
    /// routes are for any method, and where there are none.
    pub fn allow(&self, request: &RouteRequest<'_>) -> String {
        let mut allows = self.hosts.tiers(request.host).map(|tier| tier.allow(request));
        allows.find(|allow| !allow.is_empty()).unwrap_or_default()
    }

    /// The first route of the request's path that `is_wanted`, whatever its methods and conditions are: where no route serves
    /// the request, who asked for it wanted one of these. Routes that match the path less specifically are others.
    pub fn of_path(&self, request: &RouteRequest<'_>, is_wanted: impl Fn(usize) -> bool) -> Option<usize> {
        let mut tiers = self.hosts.tiers(request.host).map(|tier| tier.of_path(request.path));
        let routes = tiers.find(|routes| !routes.is_empty())?;
        routes.into_iter().find(|route| is_wanted(*route))
    }

    /// Finds the route that serves `request`.
    pub fn find(&self, request: &RouteRequest<'_>) -> RouteMatch {
        let mut allow = String::new();
        for tier in self.hosts.tiers(request.host) {
            if let Some((route, parameters)) = tier.find(request) {
                return RouteMatch::Found { route, parameters };
            }
            if allow.is_empty() {
                allow = tier.allow(request);
            }
        }
        if allow.is_empty() {
            RouteMatch::NotFound
        } else {
            RouteMatch::MethodNotAllowed { allow }
        }
    }
}

fn parse_methods(names: &[String]) -> Result<Vec<Method>, RouterErrorCause> {
    let mut methods = Vec::with_capacity(names.len());
    for name in names {
        let method = Method::from_bytes(name.as_bytes()).map_err(|_| RouterErrorCause::Method(name.clone()))?;
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    Ok(methods)
}

/// A route that cannot be searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterError {
    /// Name of the route.
    pub route: String,
    /// What is wrong with it.
    pub cause: RouterErrorCause,
}

/// What is wrong with a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouterErrorCause {
    /// A static segment that no request path can have.
    Segment(String, PathError),
    /// `{rest+}` or `{rest*}` before the end of the path.
    GreedyNotLast,
    /// More `{parameters}` than the path tree takes: 25.
    TooManyParameters,
    /// Not a method.
    Method(String),
    /// Not the name of a header field.
    Header(String),
    /// Another route has the same host, path, predicates and method.
    Conflict,
}

impl fmt::Display for RouterError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "route `{}`: {}", self.route, self.cause)
    }
}

impl std::error::Error for RouterError {}

impl fmt::Display for RouterErrorCause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RouterErrorCause::Segment(text, cause) => write!(formatter, "segment `{text}`: {cause}"),
            RouterErrorCause::GreedyNotLast => formatter.write_str("a greedy parameter must be the last segment"),
            RouterErrorCause::TooManyParameters => {
                write!(formatter, "more than {} path parameters", template::MOST_PARAMETERS)
            }
            RouterErrorCause::Method(name) => write!(formatter, "`{name}` is not a method"),
            RouterErrorCause::Header(name) => write!(formatter, "`{name}` is not the name of a header field"),
            RouterErrorCause::Conflict => {
                formatter.write_str("another route has the same host, path, predicates and method")
            }
        }
    }
}
