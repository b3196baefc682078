//! `gatewright check --explain`: one route as the gateway understands it.

mod settings;

use std::fmt;

use gatewright_config::units::format_duration;
use gatewright_config::{ByteSize, Encoded, GatewayConfig, RouteConfig, ValuePredicate, suggestion};
use serde_json::{Value, json};

use self::settings::{Settings, integration, list, stage};
use crate::assemble::Generation;
use crate::plan::{BodyPlan, BodyStep};

/// A route, its settings in the words of the configuration file.
pub(super) struct Explained<'a> {
    route: &'a RouteConfig,
    plan: &'a BodyPlan,
    listeners: Vec<&'a str>,
    /// Name, line, settings.
    chain: Vec<(String, usize, Settings)>,
    integration: (String, Settings),
}

/// Finds a route.
///
/// # Errors
/// With the nearest name when there is none.
pub(super) fn explain<'a>(generation: &'a Generation, name: &str) -> Result<Explained<'a>, String> {
    let config = &generation.config;
    let mut routes = config.routes.iter().zip(&generation.plans);
    let Some((route, plan)) = routes.find(|(route, _)| route.name == name) else {
        let names = config.routes.iter().map(|route| route.name.as_str());
        let hint = suggestion(name, names, "routes");
        return Err(format!("there is no route `{name}`\n  hint: {hint}"));
    };
    let kinds = |plugin: &str| match generation.plugins.get(plugin) {
        Some(Ok(plugin)) => {
            let kinds = &plugin.summary().kinds;
            kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
        }
        _ => "not loaded: the route answers 503".to_owned(),
    };
    let chain = route.chain.iter();
    let chain = chain.map(|stage| {
        (
            stage.kind.to_string(),
            stage.place.line,
            self::stage(&stage.kind, &kinds),
        )
    });
    Ok(Explained {
        route,
        plan,
        listeners: listeners(route, config),
        chain: chain.collect(),
        integration: integration(&route.integration, &kinds),
    })
}

fn listeners<'a>(route: &'a RouteConfig, config: &'a GatewayConfig) -> Vec<&'a str> {
    match route.listeners.as_slice() {
        [] => config.listeners.keys().map(String::as_str).collect(),
        some => some.iter().map(String::as_str).collect(),
    }
}

impl Explained<'_> {
    fn conditions(&self) -> Vec<(&'static str, String)> {
        let RouteConfig {
            hosts,
            path,
            methods,
            headers,
            query,
            timeout,
            encoded_slash,
            encoded_percent,
            ..
        } = self.route;
        let any = |texts: String| if texts.is_empty() { "any".to_owned() } else { texts };
        let predicate = |(name, value): &(String, ValuePredicate)| match value {
            ValuePredicate::Present => format!("{name}: any value"),
            ValuePredicate::Equals(value) => format!("{name}: {value}"),
        };
        let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
        let mut conditions = vec![
            ("listeners", self.listeners.join(", ")),
            ("hosts", any(hosts.join(", "))),
            ("path", path.to_string()),
            ("methods", any(methods.join(", "))),
        ];
        for (what, predicates) in [("headers", headers), ("query", query)] {
            if !predicates.is_empty() {
                conditions.push((what, list(predicates.iter().map(predicate))));
            }
        }
        for (what, encoded) in [("encoded slash", encoded_slash), ("encoded percent", encoded_percent)] {
            match encoded {
                Encoded::Refuse => {}
                Encoded::Keep => conditions.push((what, "kept".to_owned())),
                Encoded::Decode => conditions.push((what, "decoded".to_owned())),
            }
        }
        conditions.push(("timeout", format_duration(*timeout)));
        conditions
    }

    /// For tools.
    pub(super) fn json(&self) -> Value {
        let table = |settings: &[(&'static str, String)]| -> Value {
            settings.iter().map(|(key, value)| (*key, value.as_str())).collect()
        };
        let stage = |(name, line, settings): &(String, usize, Settings)| json!({ "stage": name, "line": line, "settings": table(settings) });
        let (name, settings) = &self.integration;
        json!({
            "route": self.route.name,
            "line": self.route.place.line,
            "matches": table(&self.conditions()),
            "chain": self.chain.iter().map(stage).collect::<Vec<_>>(),
            "integration": { "integration": name, "settings": table(settings) },
            "bodies": self.plan,
        })
    }
}

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "route `{}`, line {}\n", self.route.name, self.route.place.line)?;
        lines(f, &self.conditions())?;
        writeln!(f, "\nchain{}", if self.chain.is_empty() { ": no stages" } else { "" })?;
        for (number, (name, line, settings)) in (1..).zip(&self.chain) {
            writeln!(f, "  {number}. {name}, line {line}")?;
            settings
                .iter()
                .try_for_each(|(key, value)| writeln!(f, "       {key:<13} {value}"))?;
        }
        writeln!(f, "\nintegration\n  {}", self.integration.0)?;
        let settings = &self.integration.1;
        settings
            .iter()
            .try_for_each(|(key, value)| writeln!(f, "       {key:<13} {value}"))?;
        let BodyPlan {
            request_limit_bytes,
            request,
            response,
            memory,
            notes,
        } = self.plan;
        writeln!(f, "\nrequest body, at most {}", ByteSize(*request_limit_bytes))?;
        steps(f, request)?;
        writeln!(f, "\nresponse body")?;
        steps(f, response)?;
        match memory.bytes {
            0 => writeln!(f, "\nmemory\n  nothing beside the buffers of the connections")?,
            bytes => writeln!(
                f,
                "\nmemory\n  at most {} for one request beside the buffers of the connections, while `{}` has it",
                human(bytes),
                memory.at
            )?,
        }
        if !notes.is_empty() {
            writeln!(f, "\nnote")?;
        }
        notes.iter().try_for_each(|note| writeln!(f, "  {note}"))
    }
}

fn lines(f: &mut fmt::Formatter<'_>, lines: &[(&'static str, String)]) -> fmt::Result {
    lines
        .iter()
        .try_for_each(|(key, value)| writeln!(f, "  {key:<11} {value}"))
}

fn steps(f: &mut fmt::Formatter<'_>, steps: &[BodyStep]) -> fmt::Result {
    steps
        .iter()
        .try_for_each(|BodyStep { by, body }| writeln!(f, "  {by:<20}{body}"))
}

/// Rounded up, so that it stays a bound.
fn human(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes.div_ceil(1 << 10)),
        _ => format!("{} MiB", bytes.div_ceil(1 << 20)),
    }
}
