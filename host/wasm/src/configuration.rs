//! A plugin's configuration: its text, and what the plugin's schema says about it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use crate::{ConfigFault, PluginError, PluginFile};

/// Errors of one configuration that are told.
const ERRORS: usize = 50;

/// The configuration as the plugin gets it; nothing is `{}`.
pub(crate) fn text(config: &Value) -> String {
    if config.is_null() {
        "{}".to_owned()
    } else {
        config.to_string()
    }
}

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
                .map_err(|error| error.to_string())
        };
        let compiled = catch_unwind(AssertUnwindSafe(compile))
            .unwrap_or_else(|panic| Err(format!("the validator broke down: {}", crate::call::message(&*panic))));
        compiled.map(Self).map_err(wrong)
    }

    /// Checks a configuration.
    pub(crate) fn check(&self, plugin: &PluginFile, config: &str) -> Result<(), PluginError> {
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
        let value: Value = serde_json::from_str(config).map_err(|error| refused(whole(error.to_string())))?;
        let check = || -> Vec<_> {
            let fault = |error: jsonschema::ValidationError<'_>| ConfigFault {
                at: error.instance_path().as_str().to_owned(),
                message: crate::text::escaped(&error.to_string(), 1 << 10),
            };
            self.0.iter_errors(&value).take(ERRORS).map(fault).collect()
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
    use super::*;
    use serde_json::json;

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
        let error = schema.check(&file(), r#"{"limits":[1,"x"]}"#).unwrap_err();
        let PluginError::Config { errors, .. } = &error else {
            panic!("{error}")
        };
        let places: Vec<_> = errors.iter().map(|error| error.at.as_str()).collect();
        assert_eq!(errors.len(), 2);
        assert!(places.contains(&"/limits/1") && places.contains(&""), "{places:?}");
        assert!(error.to_string().contains("`config/limits/1`"), "{error}");
        schema.check(&file(), r#"{"region":"eu"}"#).unwrap();
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

    #[test]
    fn no_configuration_is_an_empty_one() {
        assert_eq!(text(&Value::Null), "{}");
        assert_eq!(text(&json!({"b": 1})), r#"{"b":1}"#);
    }
}
