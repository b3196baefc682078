//! The routes of one host and method, by what they ask of header fields and query.
//!
//! A path tree tells its best match only, and when the conditions of that route do not hold, the next best is
//! wanted. So each distinct set of conditions has a tree of its own, and the best of their answers is taken.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::iter;

use super::conditions::Conditions;
use super::template::{Hit, Template, Templates};
use super::{RouteRequest, RouterErrorCause};
use gatewright_core::Parameters;

/// Routes by condition; most have none, and only the others are scanned.
#[derive(Debug, Default)]
pub(super) struct Guards {
    open: Templates,
    guarded: HashMap<Conditions, Templates>,
}

impl Guards {
    /// Adds a route.
    pub(super) fn insert(&mut self, conditions: &Conditions, template: &Template) -> Result<(), RouterErrorCause> {
        if conditions.is_empty() {
            return self.open.insert(template);
        }
        self.guarded.entry(conditions.clone()).or_default().insert(template)
    }

    /// Puts the most specific route for `request` into `best`, unless what is there is more specific.
    pub(super) fn find<'a>(&'a self, request: &RouteRequest<'a>, method: MethodRank, best: &mut Option<Candidate<'a>>) {
        for (templates, predicates) in self.fulfilled(request) {
            let greedy = best.as_ref().is_none_or(|best| best.hit.is_greedy());
            if let Some(hit) = templates.find(request.path, greedy) {
                let candidate = Candidate {
                    hit,
                    predicates,
                    method,
                    certain: true,
                };
                if best.as_ref().is_none_or(|best| candidate.rank() < best.rank()) {
                    *best = Some(candidate);
                }
            }
        }
    }

    /// All that may serve `request`: one of each set of conditions, the most specific.
    pub(super) fn candidates<'a>(
        &'a self,
        request: &RouteRequest<'a>,
        method: MethodRank,
    ) -> impl Iterator<Item = Candidate<'a>> {
        let guarded = self.guarded.iter().filter(|(conditions, _)| conditions.hold(request));
        let guarded =
            guarded.map(|(conditions, templates)| (templates, conditions.len(), conditions.are_certain(request)));
        let trees = iter::once((&self.open, 0, true)).chain(guarded);
        trees.filter_map(move |(templates, predicates, certain)| {
            let hit = templates.find(request.path, true)?;
            Some(Candidate {
                hit,
                predicates,
                method,
                certain,
            })
        })
    }

    /// The most specific route for `path` of each set of conditions, whether they hold or not.
    pub(super) fn of_path<'a>(&'a self, path: &'a str, method: MethodRank) -> impl Iterator<Item = Candidate<'a>> {
        let guarded = self
            .guarded
            .iter()
            .map(|(conditions, templates)| (templates, conditions.len()));
        let trees = iter::once((&self.open, 0)).chain(guarded);
        trees.filter_map(move |(templates, predicates)| {
            let hit = templates.find(path, true)?;
            Some(Candidate {
                hit,
                predicates,
                method,
                certain: false,
            })
        })
    }

    /// Whether a route here serves `request`.
    pub(super) fn serve(&self, request: &RouteRequest<'_>) -> bool {
        self.fulfilled(request)
            .any(|(templates, _)| templates.find(request.path, true).is_some())
    }

    /// The trees whose conditions hold, with the number of these conditions.
    fn fulfilled<'a>(&'a self, request: &RouteRequest<'_>) -> impl Iterator<Item = (&'a Templates, usize)> {
        let guarded = self.guarded.iter().filter(|(conditions, _)| conditions.hold(request));
        iter::once((&self.open, 0)).chain(guarded.map(|(conditions, templates)| (templates, conditions.len())))
    }
}

/// How well a route's method fits, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MethodRank {
    /// The route names it.
    Named,
    /// The route is for any method.
    Any,
    /// `HEAD`, and the route is for `GET`.
    HeadByGet,
}

/// A route that could serve the request.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    hit: Hit<'a>,
    predicates: usize,
    method: MethodRank,
    certain: bool,
}

impl Candidate<'_> {
    /// Index of the route.
    pub(super) fn route(&self) -> usize {
        self.hit.route()
    }

    /// Whether its conditions hold, as far as a preflight tells.
    pub(super) fn is_certain(&self) -> bool {
        self.certain
    }

    /// Whether both match the path equally well.
    pub(super) fn is_as_specific_as(&self, other: &Self) -> bool {
        self.hit.specificity() == other.hit.specificity()
    }

    /// Index of the route, and its parameters in `path`, which it was found for.
    pub(super) fn found(&self, path: &str) -> (usize, Parameters) {
        (self.hit.route(), self.hit.parameters(path))
    }

    /// The most specific candidate has the smallest rank. Equal paths in the same tree are refused when it is
    /// built, so the order of the file decides only between different conditions.
    pub(super) fn rank(&self) -> impl Ord {
        (
            self.hit.specificity(),
            Reverse(self.predicates),
            self.method,
            self.hit.route(),
        )
    }
}
