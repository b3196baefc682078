//! What a use of a plugin sets it to: as the plugin gets it, with the secrets that it refers to, and as it is shown, without
//! any. Hidden is what a secret is referred to by, and what the schema of the configuration marks.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::marks;
use crate::ConfigFault;
use crate::granted::Secret;

/// The only member of what stands for a secret.
const REFERENCE: &str = "$secret";
/// In the place of a secret in a text.
pub(crate) const REDACTED: &str = "[redacted]";
/// Secrets that are shorter turn up in texts that have nothing to do with them.
const SHORTEST: usize = 4;

/// The configuration of one use.
#[derive(Debug)]
pub(crate) struct Settings {
    text: String,
    value: Value,
    shown: Value,
    /// JSON pointers.
    hidden: BTreeSet<String>,
    secrets: Vec<String>,
}

impl Settings {
    /// `config` with the secrets that are granted to the plugin in the place of what refers to them.
    ///
    /// # Errors
    /// When a secret is not granted, with its place.
    pub(crate) fn of(
        plugin: &str,
        config: &Value,
        schema: Option<&Value>,
        granted: &BTreeMap<String, Secret>,
    ) -> Result<Self, Vec<ConfigFault>> {
        let mut value = match config {
            Value::Null => Value::Object(serde_json::Map::new()),
            config => config.clone(),
        };
        let mut filling = Filling {
            plugin,
            granted,
            hidden: BTreeSet::new(),
            faults: Vec::new(),
        };
        filling.fill(&mut value, String::new());
        let Filling { mut hidden, faults, .. } = filling;
        if !faults.is_empty() {
            return Err(faults);
        }
        if let Some(schema) = schema {
            marks::find(schema, &value, &mut hidden);
        }
        let mut shown = value.clone();
        let mut secrets = Vec::new();
        for at in &hidden {
            if let Some(value) = value.pointer(at) {
                texts(value, &mut secrets);
            }
            if let Some(shown) = shown.pointer_mut(at) {
                cover(shown);
            }
        }
        secrets.retain(|secret| secret.len() >= SHORTEST);
        // What is part of another one must not break it in pieces that are left.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Ok(Self {
            text: value.to_string(),
            value,
            shown,
            hidden,
            secrets,
        })
    }

    /// As the plugin gets it, as JSON.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    /// With as many stars in the place of each secret.
    pub(crate) fn shown(&self) -> &Value {
        &self.shown
    }

    /// JSON pointers of what is covered there.
    pub(crate) fn hidden(&self) -> impl Iterator<Item = &str> {
        self.hidden.iter().map(String::as_str)
    }

    /// Whether there is something hidden at a place, within it or around it.
    pub(super) fn hides(&self, at: &str) -> bool {
        let within = |inner: &str, outer: &str| {
            let rest = inner.strip_prefix(outer);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.hidden
            .iter()
            .any(|hidden| within(hidden, at) || within(at, hidden))
    }

    /// A text without secrets.
    pub(crate) fn without_secrets(&self, mut text: String) -> String {
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), REDACTED);
            }
        }
        text
    }

    /// The texts of what is hidden, the longest first.
    pub(crate) fn secrets(&self) -> &[String] {
        &self.secrets
    }
}

struct Filling<'a> {
    plugin: &'a str,
    granted: &'a BTreeMap<String, Secret>,
    hidden: BTreeSet<String>,
    faults: Vec<ConfigFault>,
}

impl Filling<'_> {
    fn fill(&mut self, value: &mut Value, at: String) {
        if let Some(name) = reference(value) {
            match self.secret(name) {
                Ok(secret) => {
                    *value = Value::String(secret);
                    self.hidden.insert(at);
                }
                Err(message) => self.faults.push(ConfigFault { at, message }),
            }
            return;
        }
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.fill(item, marks::below(&at, &index.to_string()));
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    self.fill(member, marks::below(&at, name));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn secret(&self, name: &Value) -> Result<String, String> {
        let Value::String(name) = name else {
            return Err(format!("`{REFERENCE}` is followed by the name of a secret"));
        };
        match self.granted.get(name) {
            Some(secret) => Ok(String::from_utf8_lossy(secret.bytes()).into_owned()),
            None => Err(format!(
                "secret `{}` is not granted to the plugin; add it to `[secrets]` and to `secrets` in `grants` of `[plugin.{}]`",
                crate::text::escaped(name, 64),
                self.plugin
            )),
        }
    }
}

fn reference(value: &Value) -> Option<&Value> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    members.get(REFERENCE)
}

/// As long as it was, so that what checks its length goes on as it did.
fn cover(value: &mut Value) {
    match value {
        Value::String(text) => *text = "*".repeat(text.len()),
        Value::Number(number) => *number = 0.into(),
        Value::Bool(truth) => *truth = false,
        Value::Array(items) => items.iter_mut().for_each(cover),
        Value::Object(members) => members.values_mut().for_each(cover),
        Value::Null => {}
    }
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|member| texts(member, found)),
        Value::Number(number) => found.push(number.to_string()),
        Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn granted() -> BTreeMap<String, Secret> {
        BTreeMap::from([("KEY".to_owned(), "hunter2".to_owned().into())])
    }

    #[test]
    fn a_secret_that_is_referred_to_is_given_to_the_plugin_and_shown_to_nobody() {
        let config = json!({ "key": { "$secret": "KEY" }, "more": [{ "$secret": "KEY" }, "eu"] });
        let settings = Settings::of("p", &config, None, &granted()).unwrap();
        assert_eq!(settings.text(), r#"{"key":"hunter2","more":["hunter2","eu"]}"#);
        assert_eq!(
            settings.shown(),
            &json!({ "key": "*******", "more": ["*******", "eu"] })
        );
        assert_eq!(settings.hidden().collect::<Vec<_>>(), ["/key", "/more/0"]);
        assert_eq!(
            settings.without_secrets("it is hunter2!".to_owned()),
            "it is [redacted]!"
        );
    }

    #[test]
    fn a_secret_that_is_not_granted_is_said_with_its_place() {
        let config = json!({ "a/b": { "$secret": "OTHER" }, "c": { "$secret": 1 }, "d": { "$secret": "KEY", "e": 1 } });
        let faults = Settings::of("p", &config, None, &granted()).unwrap_err();
        let places: Vec<_> = faults.iter().map(|fault| fault.at.as_str()).collect();
        assert_eq!(places, ["/a~1b", "/c"]);
        assert!(faults[0].message.contains("`grants` of `[plugin.p]`"), "{faults:?}");
    }

    #[test]
    fn what_the_schema_marks_is_hidden_and_so_is_what_is_in_it() {
        let schema = json!({ "properties": {
            "key": { "writeOnly": true },
            "users": { "additionalProperties": { "properties": { "password": { "format": "password" } } } },
        }});
        let config =
            json!({ "key": { "id": 4711, "text": "sesame" }, "users": { "a": { "password": "hunter2", "b": 1 } } });
        let settings = Settings::of("p", &config, Some(&schema), &granted()).unwrap();
        let covered =
            json!({ "key": { "id": 0, "text": "******" }, "users": { "a": { "password": "*******", "b": 1 } } });
        assert_eq!(settings.shown(), &covered);
        assert!(settings.hides("") && settings.hides("/key/text") && settings.hides("/users/a"));
        assert!(!settings.hides("/users/a/b") && !settings.hides("/ke"));
        assert_eq!(settings.secrets(), ["hunter2", "sesame", "4711"]);
    }

    #[test]
    fn no_configuration_is_an_empty_one() {
        let text = |config| Settings::of("p", config, None, &granted()).unwrap().text().to_owned();
        assert_eq!(text(&Value::Null), "{}");
        assert_eq!(text(&json!({"b": 1})), r#"{"b":1}"#);
    }
}
