//! `gatewright check --explain`: one route as the gateway understands it.

use std::fmt;

use gatewright_config::{
    ApiKeySource, ByteSize, GatewayConfig, HeaderEdits, IdentitySource, IntegrationConfig, IpList, OnFault,
    OriginPattern, RouteConfig, StageKind, TemplatePart, ThrottleKey, ValuePredicate, ValueTemplate, suggestion,
};
use serde_json::{Value, json};

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

type Settings = Vec<(&'static str, String)>;

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
    let chain = route.chain.iter().map(|stage| {
        let (name, settings) = self::stage(&stage.kind, &kinds);
        (name, stage.line, settings)
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

fn stage(kind: &StageKind, kinds: &impl Fn(&str) -> String) -> (String, Settings) {
    match kind {
        StageKind::ApiKey(stage) => {
            let source = |source: &ApiKeySource| match source {
                ApiKeySource::Header { name, scheme: None } => format!("header {name}"),
                ApiKeySource::Header {
                    name,
                    scheme: Some(scheme),
                } => format!("header {name} after {scheme}"),
                ApiKeySource::Query(name) => format!("query {name}"),
            };
            let settings = vec![
                ("keys", stage.keys.display().to_string()),
                ("from", list(stage.sources.iter().map(source))),
            ];
            ("api-key".to_owned(), settings)
        }
        StageKind::Cors(stage) => {
            let origin = |origin: &OriginPattern| match origin {
                OriginPattern::Any => "*".to_owned(),
                OriginPattern::Exact(origin) => origin.clone(),
                OriginPattern::Under { scheme, domain } => format!("{scheme}*{domain}"),
            };
            let settings = vec![
                ("origins", list(stage.origins.iter().map(origin))),
                ("credentials", stage.credentials.to_string()),
            ];
            ("cors".to_owned(), settings)
        }
        StageKind::Headers(stage) => {
            let edits = |edits: &HeaderEdits| {
                let removed = edits.remove.iter().map(|name| format!("-{name}"));
                let set = edits.set.iter().map(|(name, _)| format!("={name}"));
                let appended = edits.append.iter().map(|(name, _)| format!("+{name}"));
                list(removed.chain(set).chain(appended))
            };
            let settings = vec![("request", edits(&stage.request)), ("response", edits(&stage.response))];
            ("headers".to_owned(), settings)
        }
        StageKind::Ip(stage) => {
            let entries = |entries: &IpList| {
                let unix = entries.unix.then(|| "unix".to_owned());
                list(entries.networks.iter().map(ToString::to_string).chain(unix))
            };
            let allow = stage.allow.as_ref().map_or_else(|| "everybody".to_owned(), entries);
            ("ip".to_owned(), vec![("allow", allow), ("deny", entries(&stage.deny))])
        }
        StageKind::Throttle(stage) => {
            let by = match &stage.by {
                ThrottleKey::Route => "route".to_owned(),
                ThrottleKey::Client => "client".to_owned(),
                ThrottleKey::ApiKey => "api-key".to_owned(),
                ThrottleKey::Header(name) => format!("header:{name}"),
            };
            let settings = vec![
                ("rate", stage.rate.to_string()),
                ("burst", stage.burst.to_string()),
                ("by", by),
                ("scope", format!("{:?}", stage.scope).to_lowercase()),
            ];
            ("throttle".to_owned(), settings)
        }
        StageKind::Plugin(stage) => {
            let source = |source: &IdentitySource| match source {
                IdentitySource::Header(name) => format!("header:{name}"),
                IdentitySource::Query(name) => format!("query:{name}"),
                IdentitySource::Path(name) => format!("path:{name}"),
                IdentitySource::Client => "client".to_owned(),
            };
            let on_fault = match stage.on_fault {
                OnFault::Deny => "deny".to_owned(),
                OnFault::Skip => "skip".to_owned(),
                OnFault::Status(status) => status.to_string(),
            };
            let mut settings = vec![("is", kinds(&stage.plugin))];
            if !stage.identity.is_empty() {
                settings.push(("identity", list(stage.identity.iter().map(source))));
                settings.push(("cache", format!("{:?}", stage.cache)));
            }
            settings.push(("on_fault", on_fault));
            settings.push(("body", stage.body_bytes.to_string()));
            settings.push(("config", keys(&stage.config)));
            (format!("plugin:{}", stage.plugin), settings)
        }
    }
}

fn integration(integration: &IntegrationConfig, kinds: &impl Fn(&str) -> String) -> (String, Settings) {
    match integration {
        IntegrationConfig::Http(http) => {
            let mut settings = Vec::new();
            settings.extend(http.path.as_ref().map(|path| ("path", template(path))));
            settings.push(("preserve_host", http.preserve_host.to_string()));
            if !http.headers.is_empty() {
                let header = |(name, value): &(String, ValueTemplate)| format!("{name}: {}", template(value));
                settings.push(("headers", list(http.headers.iter().map(header))));
            }
            (format!("http:{}", http.upstream), settings)
        }
        IntegrationConfig::Respond(respond) => {
            let header = |(name, value): &(String, String)| format!("{name}: {value}");
            let settings = vec![
                ("headers", list(respond.headers.iter().map(header))),
                ("body", format!("{} bytes", respond.body.len())),
            ];
            (format!("respond:{}", respond.status), settings)
        }
        IntegrationConfig::Plugin(plugin) => {
            let settings = vec![
                ("is", kinds(&plugin.plugin)),
                ("body", plugin.body_bytes.to_string()),
                ("config", keys(&plugin.config)),
            ];
            (format!("plugin:{}", plugin.plugin), settings)
        }
    }
}

/// The keys alone: values may be secret.
fn keys(config: &Value) -> String {
    list(config.as_object().into_iter().flatten().map(|(key, _)| key.clone()))
}

fn template(template: &ValueTemplate) -> String {
    let part = |part: &TemplatePart| match part {
        TemplatePart::Text(text) => text.clone(),
        TemplatePart::Path(name) | TemplatePart::Attribute(name) => format!("{{{name}}}"),
    };
    template.0.iter().map(part).collect()
}

fn list(texts: impl Iterator<Item = String>) -> String {
    match texts.collect::<Vec<_>>().join(", ") {
        nothing if nothing.is_empty() => "none".to_owned(),
        texts => texts,
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
        conditions.push(("timeout", format!("{timeout:?}")));
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
            "line": self.route.line,
            "matches": table(&self.conditions()),
            "chain": self.chain.iter().map(stage).collect::<Vec<_>>(),
            "integration": { "integration": name, "settings": table(settings) },
            "bodies": self.plan,
        })
    }
}

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "route `{}`, line {}\n", self.route.name, self.route.line)?;
        lines(f, &self.conditions())?;
        writeln!(f, "\nchain{}", if self.chain.is_empty() { ": no stages" } else { "" })?;
        for (number, (name, line, settings)) in (1..).zip(&self.chain) {
            writeln!(f, "  {number}. {name}, line {line}")?;
            settings
                .iter()
                .try_for_each(|(key, value)| writeln!(f, "       {key:<14}{value}"))?;
        }
        writeln!(f, "\nintegration\n  {}", self.integration.0)?;
        let settings = &self.integration.1;
        settings
            .iter()
            .try_for_each(|(key, value)| writeln!(f, "       {key:<14}{value}"))?;
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
        .try_for_each(|(key, value)| writeln!(f, "  {key:<12}{value}"))
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
