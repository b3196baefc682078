//! Who sets attributes, and who names some that nothing sets.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use super::{
    BodyConfig, CacheKeyPart, ConcurrencyConfig, GatewayConfig, IntegrationConfig, LimitKey, LogValue, PolicyConfig,
    QuotaConfig, StageKind, ThrottleConfig, ValueTemplate,
};
use crate::error::ConfigError;
use crate::names::{self, misspelt};
use crate::place::Place;

/// Stands for any name at the end of an attribute's name.
const ANY: &str = "NAME";

/// Facts about a configuration that are not in its files.
pub trait AttributeFacts {
    /// Whether the plugin of that name may turn out to be an authorizer, which sets attributes `auth.*` of its own choice.
    fn may_authorize(&self, plugin: &str) -> bool;

    /// Whether the plugin of that name may turn out to be something else, which sets attributes `plugin.NAME.*`.
    fn may_transform(&self, plugin: &str) -> bool;

    /// Attributes that the templates of a stage `body` name: of the request's, and of the response's. A name may be that of a
    /// table of attributes (`auth.claims`).
    fn named_in_bodies(&self, body: &BodyConfig) -> (Vec<String>, Vec<String>);
}

/// The facts that there are before anything but the configuration is read: plugins may be anything, templates name nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoFacts;

impl AttributeFacts for NoFacts {
    fn may_authorize(&self, _: &str) -> bool {
        true
    }

    fn may_transform(&self, _: &str) -> bool {
        true
    }

    fn named_in_bodies(&self, _: &BodyConfig) -> (Vec<String>, Vec<String>) {
        Default::default()
    }
}

impl StageKind {
    /// Whether the stage may set the attribute of that name for what comes after it, as far as is known before plugins are
    /// loaded.
    #[must_use]
    pub fn may_set(&self, name: &str) -> bool {
        self.sets(&NoFacts).iter().any(|pattern| stands_for(pattern, name))
    }
}

impl GatewayConfig {
    /// Warnings of attributes that values, bodies, conditions, keys and the access log name and that nothing sets: they are
    /// absent from every request. An entry of a chain that several routes share is good when one of these routes sets what it
    /// names.
    #[must_use]
    pub fn unset_attributes(&self, facts: &dyn AttributeFacts) -> Vec<ConfigError> {
        let mut uses = Uses::default();
        let mut of_all_routes = BTreeSet::new();
        for route in &self.routes {
            let mut set = BTreeSet::new();
            let mut in_responses = Vec::new();
            for stage in &route.chain {
                let Named { request, response } = named_by(&stage.kind, facts);
                uses.add(&stage.place, request, "no stage before it", &set);
                in_responses.push((&stage.place, response));
                set.extend(stage.kind.sets(facts).into_iter().map(Cow::into_owned));
            }
            // A response passes the chain when its request has passed all of it.
            for (place, names) in in_responses {
                uses.add(place, names, "no stage of the route", &set);
            }
            if !matches!(route.integration, IntegrationConfig::Plugin(_)) {
                let names = exact(route.integration.values().flat_map(ValueTemplate::attributes));
                uses.add(&route.place.key("integration"), names, "no stage of the route", &set);
            }
            of_all_routes.extend(set);
        }
        for field in &self.access_log.fields {
            if let LogValue::Named(names::Named::Attribute(name)) = &field.value {
                uses.add(
                    &field.place,
                    exact([name.as_str()]),
                    "no stage of any route",
                    &of_all_routes,
                );
            }
        }
        uses.unset()
    }
}

/// The name of an attribute, or of a table of attributes or a member of one's value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    /// This attribute.
    Exact(String),
    /// Something in a template, whose names are paths through tables.
    Path(String),
}

impl Name {
    fn text(&self) -> &str {
        match self {
            Self::Exact(name) | Self::Path(name) => name,
        }
    }

    /// Whether one of these names of [`StageKind::sets`] is that of what is named.
    fn is_among(&self, set: &BTreeSet<String>) -> bool {
        set.iter().any(|pattern| match self {
            Self::Exact(name) => stands_for(pattern, name),
            Self::Path(name) => concerns(pattern, name),
        })
    }
}

/// Names in a stage.
#[derive(Default)]
struct Named {
    /// Asked for when the stage has a request.
    request: Vec<Name>,
    /// Asked for when it has a response.
    response: Vec<Name>,
}

impl Named {
    fn by_request<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        Self {
            request: exact(names),
            response: Vec::new(),
        }
    }
}

fn exact<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<Name> {
    names.into_iter().map(|name| Name::Exact(name.to_owned())).collect()
}

fn named_by(stage: &StageKind, facts: &dyn AttributeFacts) -> Named {
    match stage {
        StageKind::Headers(headers) => Named {
            request: exact(headers.request.values().flat_map(ValueTemplate::attributes)),
            response: exact(headers.response.values().flat_map(ValueTemplate::attributes)),
        },
        StageKind::Rewrite(rewrite) => Named::by_request(rewrite.values().flat_map(ValueTemplate::attributes)),
        StageKind::Body(body) => {
            let (request, response) = facts.named_in_bodies(body);
            let paths = |names: Vec<String>| names.into_iter().map(Name::Path).collect();
            Named {
                request: paths(request),
                response: paths(response),
            }
        }
        StageKind::Policy(policy) => Named {
            request: in_policy(policy),
            response: Vec::new(),
        },
        StageKind::Concurrency(ConcurrencyConfig { by, .. })
        | StageKind::Quota(QuotaConfig { by, .. })
        | StageKind::Throttle(ThrottleConfig { by, .. }) => match by {
            LimitKey::Attribute(name) => Named::by_request([name.as_str()]),
            _ => Named::default(),
        },
        StageKind::Cache(cache) => Named::by_request(cache.key.iter().flatten().filter_map(|part| match part {
            CacheKeyPart::Attribute(name) => Some(name.as_str()),
            CacheKeyPart::Path(_) | CacheKeyPart::Query(_) | CacheKeyPart::Header(_) => None,
        })),
        _ => Named::default(),
    }
}

fn in_policy(policy: &PolicyConfig) -> Vec<Name> {
    let mut names = Vec::new();
    for statement in &policy.statements {
        if statement.principals.is_some() {
            names.push(Name::Exact("auth.principal".to_owned()));
        }
        let keys = statement
            .conditions
            .iter()
            .filter_map(|condition| condition.key.split_once(':'));
        names.extend(
            keys.filter(|(kind, _)| *kind == "auth")
                .map(|(_, name)| Name::Exact(format!("auth.{name}"))),
        );
    }
    names
}

/// Attributes that are named, in the order of the configuration.
#[derive(Default)]
struct Uses {
    uses: Vec<Use>,
    known: HashMap<(Position, Name, &'static str), usize>,
}

/// File, line, column and key.
type Position = (Arc<PathBuf>, usize, usize, Box<str>);

struct Use {
    place: Place,
    name: Name,
    /// Which stages there are to set it.
    setters: &'static str,
    /// One of them sets it, on one of the routes.
    is_set: bool,
    /// Names of [`StageKind::sets`] that they set on the other routes.
    set: BTreeSet<String>,
}

impl Uses {
    fn add(&mut self, place: &Place, names: Vec<Name>, setters: &'static str, set: &BTreeSet<String>) {
        for name in names {
            let position = (Arc::clone(&place.file), place.line, place.column, place.key.clone());
            let index = *self
                .known
                .entry((position, name.clone(), setters))
                .or_insert(self.uses.len());
            if index == self.uses.len() {
                self.uses.push(Use {
                    place: place.clone(),
                    name,
                    setters,
                    is_set: false,
                    set: BTreeSet::new(),
                });
            }
            if let Some(one) = self.uses.get_mut(index).filter(|one| !one.is_set) {
                one.is_set = one.name.is_among(set);
                one.set.extend(set.iter().cloned());
            }
        }
    }

    fn unset(&self) -> Vec<ConfigError> {
        let unset = self.uses.iter().filter(|one| !one.is_set);
        unset.map(Use::warning).collect()
    }
}

impl Use {
    fn warning(&self) -> ConfigError {
        let name = self.name.text();
        let message = format!(
            "{} sets the attribute `{name}`: it is absent from every request",
            self.setters
        );
        let known: Vec<_> = self.set.iter().map(|name| format!("`{name}`")).collect();
        let hint = match misspelt(name) {
            Some(right) => format!("write `{right}`"),
            None if known.is_empty() => "no attribute is set there: add the stage that sets this one".to_owned(),
            None => format!("there are {}", known.join(", ")),
        };
        self.place.mistake(message).with_hint(hint)
    }
}

/// Whether a name of [`StageKind::sets`] is, or stands for, this one.
fn stands_for(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix(ANY) {
        Some(prefix) => name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()),
        None => pattern == name,
    }
}

/// Whether a name of [`StageKind::sets`] has to do with what a template names: with the attribute itself, a table that it is
/// in (`auth.claims`), or a member of its value.
fn concerns(pattern: &str, name: &str) -> bool {
    let is_within = |whole: &str, part: &str| {
        let rest = whole.strip_prefix(part);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    stands_for(pattern, name) || is_within(pattern, name) || is_within(name, pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_concerns_itself_its_table_and_its_members() {
        for (pattern, name) in [
            ("auth.principal", "auth.principal"),
            ("auth.claims.NAME", "auth.claims.https://example.com/roles"),
            ("auth.claims.NAME", "auth.claims"),
            ("auth.claims.NAME", "auth"),
            ("auth.certificate.cn", "auth.certificate"),
            ("correlation.id", "correlation.id.length"),
            ("plugin.a.NAME", "plugin.a.b"),
        ] {
            assert!(concerns(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("auth.principal", "auth.principle"),
            ("auth.principal", "auth.principal2"),
            ("auth.claims.NAME", "auth.claim.tenant"),
            ("plugin.a.NAME", "plugin.ab.c"),
        ] {
            assert!(!concerns(pattern, name), "{pattern} {name}");
        }
        // What is asked for by its whole name is one attribute, and no table.
        assert!(!stands_for("auth.claims.NAME", "auth.claims."));
        assert!(!stands_for("auth.claims.NAME", "auth.claims"));
    }
}
