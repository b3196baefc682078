//! Why a route matches a request or not: each of its conditions by itself, decided by what the router decides with.
//! Only for explanations; [`super::Router`] never asks one after the other.

use gatewright_config::gateway::{HostPattern, RouteConfig};
use http::Method;

use super::conditions::Conditions;
use super::hosts::Hosts;
use super::template::{Template, Templates};
use super::{RouteRequest, RouterError, RouterErrorCause, parse_methods};

/// One route, to be asked about.
#[derive(Debug)]
pub struct Probe {
    /// Index of the route, as it was given to [`super::Router::new`].
    pub route: usize,
    hosts: Hosts,
    any_host: bool,
    path: Templates,
    headers: Conditions,
    query: Conditions,
    methods: Vec<Method>,
}

/// Which conditions of a route a request fulfils.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// One of its hosts, or it asks for none.
    pub host: bool,
    /// Its path.
    pub path: bool,
    /// Its header fields.
    pub headers: bool,
    /// Its query parameters.
    pub query: bool,
    /// One of its methods, or it asks for none.
    pub method: bool,
}

impl Probe {
    /// A probe of a route.
    ///
    /// # Errors
    /// As [`super::Router::new`].
    pub fn new(index: usize, route: &RouteConfig) -> Result<Self, RouterError> {
        Self::of(index, route).map_err(|cause| RouterError {
            route: route.name.clone(),
            cause,
        })
    }

    fn of(index: usize, route: &RouteConfig) -> Result<Self, RouterErrorCause> {
        let mut path = Templates::default();
        path.insert(&Template::new(index, &route.path)?)?;
        Ok(Self {
            route: index,
            hosts: hosts(&route.hosts)?,
            any_host: route.hosts.is_empty(),
            path,
            headers: Conditions::new(&route.headers, &[])?,
            query: Conditions::new(&[], &route.query)?,
            methods: parse_methods(&route.methods)?,
        })
    }

    /// Asks about a request.
    pub fn ask(&self, request: &RouteRequest<'_>) -> Verdict {
        // The tier of any host is there for every route; a route's own tier is one that comes before it.
        let own_tiers = self.hosts.tiers(request.host).count() - 1;
        let by_get = request.method == Method::HEAD && self.methods.contains(&Method::GET);
        Verdict {
            host: self.any_host || own_tiers > 0,
            path: self.path.find(request.path, true).is_some(),
            headers: self.headers.hold(request),
            query: self.query.hold(request),
            method: self.methods.is_empty() || self.methods.contains(request.method) || by_get,
        }
    }
}

impl Verdict {
    /// Whether it could serve the request.
    pub fn is_candidate(self) -> bool {
        self.missing().is_empty()
    }

    /// What keeps it from serving the request.
    pub fn missing(self) -> Vec<&'static str> {
        let conditions = [
            ("host", self.host),
            ("path", self.path),
            ("headers", self.headers),
            ("query", self.query),
            ("method", self.method),
        ];
        let missing = conditions.into_iter().filter(|(_, holds)| !holds);
        missing.map(|(name, _)| name).collect()
    }
}

fn hosts(patterns: &[HostPattern]) -> Result<Hosts, RouterErrorCause> {
    let mut hosts = Hosts::default();
    hosts.insert(patterns, |_| Ok(()))?;
    Ok(hosts)
}
