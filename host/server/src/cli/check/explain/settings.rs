//! What stages and integrations are set to, in the words of the configuration file.

mod stage;

use gatewright_config::{HIDDEN, IntegrationConfig, TemplatePart, ValueTemplate, looks_secret};
use serde_json::Value;

pub(super) use self::stage::stage;

/// Settings by their keys.
pub(super) type Settings = Vec<(&'static str, String)>;

/// The name and the settings of an integration. `kinds` says what a plugin is.
pub(super) fn integration(integration: &IntegrationConfig, kinds: &impl Fn(&str) -> String) -> (String, Settings) {
    match integration {
        IntegrationConfig::Http(http) => {
            let mut settings = Vec::new();
            settings.extend(http.path.as_ref().map(|path| ("path", template(path))));
            settings.push(("preserve_host", http.preserve_host.to_string()));
            if !http.headers.is_empty() {
                settings.push(("headers", list(http.headers.iter().map(header))));
            }
            (format!("http:{}", http.upstream), settings)
        }
        IntegrationConfig::Respond(respond) => {
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

/// A header field. Where its name says that its value is secret, only names in the value are shown.
fn header((name, value): &(String, ValueTemplate)) -> String {
    match looks_secret(name) {
        true => format!("{name}: {}", with_text(value, |_| HIDDEN.to_owned())),
        false => format!("{name}: {}", template(value)),
    }
}

fn template(template: &ValueTemplate) -> String {
    with_text(template, str::to_owned)
}

fn with_text(template: &ValueTemplate, shown: impl Fn(&str) -> String) -> String {
    let part = |part: &TemplatePart| match part {
        TemplatePart::Text(text) => shown(text),
        TemplatePart::Path(name) | TemplatePart::Attribute(name) => format!("{{{name}}}"),
        TemplatePart::Variable(variable) => format!("{{{variable}}}"),
    };
    template.0.iter().map(part).collect()
}

pub(super) fn list(texts: impl Iterator<Item = String>) -> String {
    match texts.collect::<Vec<_>>().join(", ") {
        nothing if nothing.is_empty() => "none".to_owned(),
        texts => texts,
    }
}
