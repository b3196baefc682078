//! What serves, and is probably not what was meant. Only of a configuration without mistakes: what is left of one with
//! mistakes would be warned of for the wrong reasons.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Resolver;
use super::conflict::shape;
use crate::file::Section;
use crate::gateway::{
    Grants, HostPattern, IntegrationConfig, RouteConfig, StageKind, UsagePlanStageConfig, ValuePredicate,
};
use crate::report::{Mistake, Span, nearest};

/// Methods that are answered 501, whatever routes there are.
const NEVER_SERVED: [&str; 2] = ["CONNECT", "TRACE"];
/// Header fields that are taken away before a route is looked for.
const NEVER_SEEN: [&str; 6] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

impl Resolver<'_> {
    /// Warns of what there is to warn of.
    pub(super) fn warnings(&mut self, config: &crate::GatewayConfig) {
        let routes: Vec<_> = config
            .routes
            .iter()
            .zip(self.file.route.iter().map(|section| &section.span))
            .collect();
        if routes.is_empty() {
            let message = "there are no routes: every request is answered 404";
            self.warn(&(0..0), message, "add a `[[route]]`");
        }
        self.unused(config);
        for (route, span) in &routes {
            self.never_served(route, span);
            self.without_key(route, span);
            self.without_root(route, span, &routes);
        }
        self.shadowed(&routes);
    }

    fn warn(&mut self, span: &Span, message: impl Into<String>, hint: impl Into<String>) {
        self.report.warn(Mistake::new(span.clone(), message).hint(hint));
    }

    /// Sections that say something of what nothing uses: a name that is misspelt leaves what was meant with the defaults.
    fn unused(&mut self, config: &crate::GatewayConfig) {
        let file = self.file;
        let used = used_plugins(config);
        self.unused_sections("plugin", &file.plugin, &used, "no route uses a plugin of that name");
        let granted = |names: fn(&Grants) -> Vec<&String>| -> BTreeSet<&str> {
            let names = config.plugin.values().flat_map(|plugin| names(&plugin.grants));
            names.map(String::as_str).collect()
        };
        let kv = granted(|grants| grants.kv.keys().collect());
        let cache = granted(|grants| grants.cache.keys().collect());
        let counters = granted(|grants| grants.counters.keys().collect());
        let message = "it is granted to no plugin";
        self.unused_sections("kv", &file.kv, &kv, message);
        self.unused_sections("cache", &file.cache, &cache, message);
        self.unused_sections("counters", &file.counters, &counters, message);
    }

    fn unused_sections<T>(
        &mut self,
        kind: &str,
        sections: &BTreeMap<String, Section<T>>,
        used: &BTreeSet<&str>,
        message: &str,
    ) {
        for (name, section) in sections.iter().filter(|(name, _)| !used.contains(name.as_str())) {
            // A name that has a section of its own is not the one that was meant.
            let free = used.iter().copied().filter(|name| !sections.contains_key(*name));
            let hint = match nearest(name, free) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "remove the section, or use it".to_owned(),
            };
            self.warn(&section.span, format!("`[{kind}.{name}]`: {message}"), hint);
        }
    }

    /// Conditions that no request fulfils.
    fn never_served(&mut self, route: &RouteConfig, span: &Span) {
        let is_never = |method: &String| NEVER_SERVED.contains(&method.as_str());
        if !route.methods.is_empty() && route.methods.iter().all(is_never) {
            let message = format!("route `{}` can never match: its methods are answered 501", route.name);
            self.warn(span, message, "remove it, or add methods");
        }
        if let Some((name, _)) = route
            .headers
            .iter()
            .find(|(name, _)| NEVER_SEEN.contains(&name.as_str()))
        {
            let message = format!(
                "route `{}` can never match: the header field `{name}` belongs to the connection and is taken away before",
                route.name
            );
            self.warn(span, message, "choose the route by another field");
        }
    }

    /// A usage plan is the plan of a key.
    fn without_key(&mut self, route: &RouteConfig, span: &Span) {
        let brings_key = |kind: &StageKind| {
            matches!(
                kind,
                StageKind::ApiKey(_) | StageKind::LambdaAuthorizer(_) | StageKind::Plugin(_)
            )
        };
        for stage in &route.chain {
            match &stage.kind {
                kind if brings_key(kind) => return,
                StageKind::UsagePlan(UsagePlanStageConfig { default: None, .. }) => {
                    let message = format!(
                        "route `{}` refuses every request: no stage before `usage-plan` says whose plan it is",
                        route.name
                    );
                    let hint = "put `{ use = \"api-key\", … }` or an authorizer before it, or give it a `default`";
                    self.warn(span, message, hint);
                    return;
                }
                _ => {}
            }
        }
    }

    /// `/{rest+}` is everything but `/`, which surprises.
    fn without_root(&mut self, route: &RouteConfig, span: &Span, routes: &[(&RouteConfig, &Span)]) {
        if shape(route) != "/{+}" {
            return;
        }
        let serves_root = |(other, _): &(&RouteConfig, &Span)| {
            matches!(shape(other).as_str(), "/" | "/{*}")
                && overlap(&other.listeners, &route.listeners)
                && overlap(&other.hosts, &route.hosts)
        };
        if !routes.iter().any(serves_root) {
            let message = format!(
                "route `{}` serves every path but `/`, which no route serves",
                route.name
            );
            self.warn(
                span,
                message,
                "write `/{rest*}` to serve `/` too, or add a route for `/`",
            );
        }
    }

    /// Routes that others always come before.
    fn shadowed(&mut self, routes: &[(&RouteConfig, &Span)]) {
        let mut by_shape: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, (route, _)) in routes.iter().enumerate() {
            by_shape.entry(shape(route)).or_default().push(index);
        }
        let of = |shape: &str| by_shape.get(shape).map_or(&[] as &[usize], Vec::as_slice);
        let at = |index: &usize| routes.get(*index).copied();
        for (index, (route, span)) in routes.iter().enumerate() {
            let shape = shape(route);
            let covered_by = |shape: &str| {
                let all = of(shape).iter().filter_map(at);
                let mut covering = all.filter(|(other, _)| is_covered(route, other) && has_no_conditions(other));
                covering.next().map(|(other, _)| other)
            };
            if let Some(prefix) = shape.strip_suffix("/{*}") {
                let slash = format!("{prefix}/");
                let bare = match prefix {
                    "" => covered_by("/"),
                    prefix => covered_by(prefix).and(covered_by(&slash)),
                };
                if let (Some(_), Some(more)) = (bare, covered_by(&format!("{prefix}/{{+}}"))) {
                    let message = format!(
                        "route `{}` can never match: other routes, `{}` among them, serve all of its paths",
                        route.name, more.name
                    );
                    self.warn(
                        span,
                        message,
                        "remove it, or give it another path, host, method, header or query",
                    );
                    continue;
                }
            }
            // Of as many conditions, the earlier route comes first.
            let earlier = of(&shape).iter().take_while(|other| **other < index).filter_map(at);
            let mut earlier = earlier.filter(|(other, _)| {
                is_covered(route, other)
                    && conditions(other) == conditions(route)
                    && implies(&route.headers, &other.headers)
                    && implies(&route.query, &other.query)
            });
            if let Some((other, other_span)) = earlier.next() {
                let place = self.report.seen_from(other_span, span);
                let message = format!(
                    "route `{}` can never match: route `{}` at {place} comes first and asks for less",
                    route.name, other.name
                );
                self.warn(span, message, "put it before the other one");
            }
        }
    }
}

/// Whether every listener, host and method of a route is one of the other's, which has the same rank there.
fn is_covered(route: &RouteConfig, other: &RouteConfig) -> bool {
    let listeners = other.listeners.is_empty()
        || (!route.listeners.is_empty() && route.listeners.iter().all(|one| other.listeners.contains(one)));
    let hosts = match (route.hosts.as_slice(), other.hosts.as_slice()) {
        ([], []) => true,
        ([], _) | (_, []) => false,
        (these, those) => these.iter().all(|host: &HostPattern| those.contains(host)),
    };
    let methods = match (route.methods.as_slice(), other.methods.as_slice()) {
        ([], []) => true,
        ([], _) | (_, []) => false,
        (these, those) => these.iter().all(|method| those.contains(method)),
    };
    listeners && hosts && methods
}

fn conditions(route: &RouteConfig) -> usize {
    route.headers.len() + route.query.len()
}

fn has_no_conditions(route: &RouteConfig) -> bool {
    conditions(route) == 0
}

/// Whether whoever fulfils `these` fulfils `those`.
fn implies(these: &[(String, ValuePredicate)], those: &[(String, ValuePredicate)]) -> bool {
    those.iter().all(|(name, wanted)| {
        these.iter().any(|(other, given)| {
            let is_same = given == wanted || *wanted == ValuePredicate::Present;
            other == name && is_same
        })
    })
}

/// Whether two lists, of which an empty one is all there are, have something in common.
fn overlap<T: PartialEq>(these: &[T], those: &[T]) -> bool {
    these.is_empty() || those.is_empty() || these.iter().any(|one| those.contains(one))
}

/// Names of the plugins that routes use.
fn used_plugins(config: &crate::GatewayConfig) -> BTreeSet<&str> {
    let mut used = BTreeSet::new();
    for route in &config.routes {
        for stage in &route.chain {
            if let StageKind::Plugin(plugin) = &stage.kind {
                used.insert(plugin.plugin.as_str());
            }
        }
        if let IntegrationConfig::Plugin(plugin) = &route.integration {
            used.insert(plugin.plugin.as_str());
        }
    }
    used
}
