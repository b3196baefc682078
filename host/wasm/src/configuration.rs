//! A plugin's configuration: what the plugin's schema says about it, and what is secret in it.

mod marks;
mod settings;

use std::panic::{AssertUnwindSafe, catch_unwind};

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

pub(crate) use self::settings::Settings;
use crate::{ConfigFault, PluginError, PluginFile, schema_words};

/// Errors of one configuration that are told.
const ERRORS: usize = 50;

/// A plugin's schema. It comes from the plugin: it names no other documents, and its patterns cannot take for ever.
pub(crate) struct Schema(Validator);

impl Schema {
    pub(crate) fn compile(plugin: &PluginFile, schema: &Value) -> Result<Self, PluginError> {
        let wrong = |reason| PluginError::Schema {
            plugin: plugin.clone(),
            reason,
        };
        let compile = || {
            jsonschema::options()
                .with_draft(Draft::Draft202012)
                .offline()
                .with_pattern_options(PatternOptions::regex().size_limit(1 << 20))
                .build(schema)
                .map_err(|error| schema_words::of_schema(&error))
        };
        let compiled = catch_unwind(AssertUnwindSafe(compile))
            .unwrap_or_else(|panic| Err(format!("the validator broke down: {}", crate::call::message(&*panic))));
        compiled.map(Self).map_err(wrong)
    }

    /// Whether a value is as the schema says. A schema that cannot be evaluated accepts everything.
    pub(crate) fn accepts(&self, value: &Value) -> bool {
        catch_unwind(AssertUnwindSafe(|| self.0.is_valid(value))).unwrap_or(true)
    }

    /// Checks a configuration. What is wrong is said without its secrets.
    pub(crate) fn check(&self, plugin: &PluginFile, settings: &Settings) -> Result<(), PluginError> {
        let refused = |errors| PluginError::Config {
            plugin: plugin.clone(),
            errors,
        };
        let whole = |message: String| {
            vec![ConfigFault {
                at: String::new(),
                message,
            }]
        };
        let check = || -> Vec<_> {
            let fault = |error: jsonschema::ValidationError<'_>| {
                let at = error.instance_path().as_str().to_owned();
                // A table says nothing to the point, and may have in it what nobody has marked.
                let is_table = error.instance().is_object() || error.instance().is_array();
                let message = schema_words::said(&error, !is_table && !settings.hides(&at));
                ConfigFault {
                    at,
                    message: crate::text::escaped(&settings.without_secrets(message), 1 << 10),
                }
            };
            self.0.iter_errors(settings.value()).take(ERRORS).map(fault).collect()
        };
        let errors = catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|panic| {
            whole(format!(
                "the plugin's schema cannot be evaluated: {}",
                crate::call::message(&*panic)
            ))
        });
        if errors.is_empty() {
            Ok(())
        } else {
            Err(refused(errors))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use serde_json::json;

    fn settings(config: &Value) -> Settings {
        Settings::of("p", config, None, &BTreeMap::new()).unwrap()
    }

    fn file() -> PluginFile {
        PluginFile {
            name: "p".to_owned(),
            file: "p.wasm".into(),
        }
    }

    #[test]
    fn every_error_has_its_place() {
        let schema = json!({
            "type": "object",
            "properties": { "limits": { "items": { "type": "integer" } } },
            "required": ["region"],
        });
        let schema = Schema::compile(&file(), &schema).unwrap();
        let error = schema
            .check(&file(), &settings(&json!({ "limits": [1, "x"] })))
            .unwrap_err();
        let PluginError::Config { errors, .. } = &error else {
            panic!("{error}")
        };
        let places: Vec<_> = errors.iter().map(|error| error.at.as_str()).collect();
        assert_eq!(errors.len(), 2);
        assert!(places.contains(&"/limits/1") && places.contains(&""), "{places:?}");
        assert!(error.to_string().contains("`config/limits/1`"), "{error}");
        schema.check(&file(), &settings(&json!({ "region": "eu" }))).unwrap();
    }

    #[test]
    fn what_is_wrong_with_a_secret_is_said_without_it() {
        let marked = json!({
            "properties": { "key": { "writeOnly": true, "minLength": 32, "type": "string" } },
            "anyOf": [{ "required": ["other"] }],
        });
        let schema = Schema::compile(&file(), &marked).unwrap();
        let config = json!({ "key": "hunter2-hunter2" });
        let settings = Settings::of("p", &config, Some(&marked), &BTreeMap::new()).unwrap();
        let error = schema.check(&file(), &settings).unwrap_err().to_string();
        assert!(error.contains("`config/key`") && !error.contains("hunter2"), "{error}");
        let unmarked = json!({ "anyOf": [{ "required": ["other"] }, { "required": ["another"] }] });
        let schema = Schema::compile(&file(), &unmarked).unwrap();
        let error = schema.check(&file(), &self::settings(&config)).unwrap_err().to_string();
        assert!(error.contains("none of those") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_schema_that_is_none_or_leads_elsewhere_is_refused() {
        for schema in [
            json!({"type": 1}),
            json!({"$ref": "http://169.254.169.254/"}),
            json!({"$ref": "file:///etc/passwd"}),
        ] {
            assert!(Schema::compile(&file(), &schema).is_err(), "{schema}");
        }
    }
}
