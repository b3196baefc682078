//! Which claims become attributes of an exchange: those that somebody after the stage can ask for, and no others, because
//! every request pays for them.

use std::collections::BTreeSet;

use gatewright_config::{IntegrationConfig, RouteConfig, StageKind};
use gatewright_core::{Attributes, Value};
use serde_json::Value as Json;

use super::claims::Claims;

const PREFIX: &str = "auth.claims.";
/// Claims that plugins are given of one token.
const MOST: usize = 32;

/// Claims that become attributes.
pub enum Exposed {
    /// A plugin may ask for any of them.
    All,
    /// Templates of the route have these, by name and attribute.
    Named(Vec<(String, String)>),
}

impl Exposed {
    /// Those that can be asked for in this route.
    #[must_use]
    pub fn in_route(route: &RouteConfig) -> Self {
        let plugins = route
            .chain
            .iter()
            .any(|stage| matches!(stage.kind, StageKind::Plugin(_)));
        if plugins || matches!(route.integration, IntegrationConfig::Plugin(_)) {
            return Self::All;
        }
        let mut names = BTreeSet::new();
        // Whatever stage or integration names one, those that come later included. A route can always be written down.
        find(&serde_json::to_value(route).unwrap_or_default(), &mut names);
        let attribute = |name: String| (name.clone(), format!("{PREFIX}{name}"));
        Self::Named(names.into_iter().map(attribute).collect())
    }

    /// Sets the attributes.
    pub fn set(&self, claims: &Claims, attributes: &mut Attributes) {
        if let Some(scopes) = claims.scopes() {
            attributes.set("auth.scopes", Value::Text(scopes.into_owned()));
        }
        match self {
            Self::All => {
                for (name, value) in claims.iter().take(MOST) {
                    if let Some(value) = attribute(value) {
                        attributes.set(format!("{PREFIX}{name}"), value);
                    }
                }
            }
            Self::Named(names) => {
                for (name, attribute) in names {
                    if let Some(value) = claims.get(name).and_then(self::attribute) {
                        attributes.set(attribute.clone(), value);
                    }
                }
            }
        }
    }
}

/// Attributes in the texts of a configuration.
fn find(config: &Json, names: &mut BTreeSet<String>) {
    match config {
        Json::String(text) => names.extend(text.strip_prefix(PREFIX).map(str::to_owned)),
        Json::Array(values) => values.iter().for_each(|value| find(value, names)),
        Json::Object(values) => values.values().for_each(|value| find(value, names)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

fn attribute(value: &Json) -> Option<Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(truth) => Value::Truth(*truth),
        Json::String(text) => Value::Text(text.clone()),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            None => Value::Number(number.as_f64()?),
        },
        Json::Array(_) | Json::Object(_) => Value::Json(value.to_string()),
    })
}
