//! Routes that match the same requests.
//!
//! Every route is entered under each listener, host and method it serves, so that finding a conflict is one look-up
//! and a file of 100 000 routes is checked in one pass.

use std::collections::HashMap;

use crate::gateway::{HostPattern, PathSegment, RouteConfig};
use crate::place::Place;

/// The routes seen so far.
pub(super) struct Conflicts<'f> {
    listeners: Vec<&'f str>,
    /// Path shape, header and query predicates together, numbered.
    conditions: HashMap<String, usize>,
    taken: HashMap<Condition, Taken>,
    routes: usize,
}

/// One combination that a route serves; a host or method that is absent is any.
#[derive(PartialEq, Eq, Hash)]
struct Condition {
    condition: usize,
    listener: usize,
    host: Option<String>,
    method: Option<String>,
}

/// Who has it.
struct Taken {
    route: usize,
    name: String,
    place: Place,
}

impl<'f> Conflicts<'f> {
    pub(super) fn new(listeners: impl Iterator<Item = &'f String>) -> Self {
        let listeners = listeners.map(String::as_str).collect();
        Self {
            listeners,
            conditions: HashMap::new(),
            taken: HashMap::new(),
            routes: 0,
        }
    }

    /// Enters a route; a message when an earlier one matches the same requests.
    pub(super) fn add(&mut self, route: &RouteConfig) -> Option<String> {
        self.routes += 1;
        let number = self.routes;
        let next = self.conditions.len();
        let condition = *self.conditions.entry(condition(route)).or_insert(next);
        let mut conflict = None;
        for listener in self.listeners_of(route) {
            for host in any_or(&route.hosts, host_text) {
                for method in any_or(&route.methods, String::clone) {
                    let key = Condition {
                        condition,
                        listener,
                        host: host.clone(),
                        method,
                    };
                    let taken = self.taken.get(&key);
                    match taken {
                        // A host or method given twice is no conflict with oneself.
                        Some(other) if other.route != number => {
                            conflict.get_or_insert_with(|| message(other, route, &key));
                        }
                        Some(_) => {}
                        None => {
                            self.taken.insert(
                                key,
                                Taken {
                                    route: number,
                                    name: route.name.clone(),
                                    place: route.place.clone(),
                                },
                            );
                        }
                    }
                }
            }
        }
        conflict
    }

    fn listeners_of(&self, route: &RouteConfig) -> Vec<usize> {
        let all = self.listeners.iter().enumerate();
        let served = all.filter(|(_, name)| route.listeners.is_empty() || route.listeners.iter().any(|it| it == *name));
        served.map(|(index, _)| index).collect()
    }
}

fn message(other: &Taken, route: &RouteConfig, key: &Condition) -> String {
    let method = key.method.as_deref().unwrap_or("any method of");
    let host = key.host.as_deref().unwrap_or("");
    format!(
        "conflicts with route `{}` at {}: both match {method} {host}{}",
        other.name,
        other.place.seen_from(&route.place),
        shape(route)
    )
}

fn any_or<T>(values: &[T], text: impl Fn(&T) -> String) -> Vec<Option<String>> {
    if values.is_empty() {
        vec![None]
    } else {
        values.iter().map(|value| Some(text(value))).collect()
    }
}

fn host_text(host: &HostPattern) -> String {
    match host {
        HostPattern::Exact(name) => name.clone(),
        HostPattern::Suffix(name) => format!("*.{name}"),
    }
}

fn condition(route: &RouteConfig) -> String {
    let shape = shape(route);
    if route.headers.is_empty() && route.query.is_empty() {
        return shape;
    }
    format!("{shape} {:?} {:?}", route.headers, route.query)
}

/// The path without the names of its parameters. Static segments have no braces and no spaces.
pub(super) fn shape(route: &RouteConfig) -> String {
    let mut shape = String::new();
    for segment in &route.path.0 {
        shape.push('/');
        shape.push_str(match segment {
            PathSegment::Static(text) => text,
            PathSegment::Parameter(_) => "{}",
            PathSegment::Greedy(_) => "{+}",
            PathSegment::Rest(_) => "{*}",
        });
    }
    shape
}
