//! The routes of one host, by method: a lookup tries the method's own and those for any method.

use std::collections::BTreeSet;

use http::Method;

use super::conditions::Conditions;
use super::guards::{Candidate, Guards, MethodRank};
use super::template::Template;
use super::{RouteRequest, RouterErrorCause};
use gatewright_core::Parameters;

/// The routes of one host pattern.
#[derive(Debug, Default)]
pub(super) struct HostRoutes {
    /// There are a handful of methods: comparing is faster than hashing.
    named: Vec<(Method, Guards)>,
    any: Guards,
}

impl HostRoutes {
    /// Adds a route once for each of its methods; none is any method.
    pub(super) fn insert(
        &mut self,
        methods: &[Method],
        conditions: &Conditions,
        template: &Template,
    ) -> Result<(), RouterErrorCause> {
        if methods.is_empty() {
            return self.any.insert(conditions, template);
        }
        for method in methods {
            self.insert_named(method, conditions, template)?;
        }
        Ok(())
    }

    fn insert_named(
        &mut self,
        method: &Method,
        conditions: &Conditions,
        template: &Template,
    ) -> Result<(), RouterErrorCause> {
        if let Some((_, guards)) = self.named.iter_mut().find(|(name, _)| name == method) {
            return guards.insert(conditions, template);
        }
        let mut guards = Guards::default();
        guards.insert(conditions, template)?;
        self.named.push((method.clone(), guards));
        Ok(())
    }

    fn named(&self, method: &Method) -> Option<&Guards> {
        self.named
            .iter()
            .find_map(|(name, guards)| (name == method).then_some(guards))
    }

    /// The most specific route for `request`, and its parameters.
    pub(super) fn find(&self, request: &RouteRequest<'_>) -> Option<(usize, Parameters)> {
        let mut best = None;
        if let Some(guards) = self.named(request.method) {
            guards.find(request, MethodRank::Named, &mut best);
        }
        self.any.find(request, MethodRank::Any, &mut best);
        if request.method == Method::HEAD
            && let Some(guards) = self.named(&Method::GET)
        {
            guards.find(request, MethodRank::HeadByGet, &mut best);
        }
        best.map(|candidate| candidate.found(request.path))
    }

    /// All that may serve `request`, the most specific first.
    pub(super) fn candidates<'a>(&'a self, request: &RouteRequest<'a>) -> Vec<Candidate<'a>> {
        let by_get = (request.method == Method::HEAD)
            .then(|| self.named(&Method::GET))
            .flatten();
        let guards = [
            (self.named(request.method), MethodRank::Named),
            (Some(&self.any), MethodRank::Any),
            (by_get, MethodRank::HeadByGet),
        ];
        let guards = guards.into_iter().filter_map(|(guards, rank)| Some((guards?, rank)));
        let mut candidates: Vec<_> = guards
            .flat_map(|(guards, rank)| guards.candidates(request, rank))
            .collect();
        candidates.sort_by(|a, b| a.rank().cmp(&b.rank()));
        candidates
    }

    /// The most specific routes for `path`, whatever their methods and conditions are, in their order.
    pub(super) fn of_path(&self, path: &str) -> Vec<usize> {
        let named = self.named.iter().map(|(_, guards)| (guards, MethodRank::Named));
        let guards = named.chain([(&self.any, MethodRank::Any)]);
        let mut candidates: Vec<_> = guards.flat_map(|(guards, rank)| guards.of_path(path, rank)).collect();
        candidates.sort_by(|a, b| a.rank().cmp(&b.rank()));
        let alike = candidates.iter().take_while(|candidate| {
            candidates
                .first()
                .is_some_and(|first| first.is_as_specific_as(candidate))
        });
        alike.map(Candidate::route).collect()
    }

    /// Value of `Allow` for the request's path, header fields and query; empty when no route has them.
    pub(super) fn allow(&self, request: &RouteRequest<'_>) -> String {
        let routed = self.named.iter().filter(|(_, guards)| guards.serve(request));
        let mut methods: BTreeSet<&str> = routed.map(|(method, _)| method.as_str()).collect();
        if methods.contains("GET") {
            methods.insert("HEAD");
        }
        methods.into_iter().collect::<Vec<_>>().join(", ")
    }
}
