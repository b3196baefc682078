//! The JSON Schema of the file, for editors: what users write, shorthand included.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::Value;

use crate::file::File;

/// The JSON Schema (draft 2020-12) of a configuration file.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(NoNull);
    settings.into_generator().into_root_schema_for::<File>().to_value()
}

/// TOML has no null: a key that may be left out is not one that may be null, and its default is not null either.
#[derive(Clone)]
struct NoNull;

impl Transform for NoNull {
    fn transform(&mut self, schema: &mut Schema) {
        if schema.get("default").is_some_and(Value::is_null) {
            schema.remove("default");
        }
        if let Some(Value::Array(types)) = schema.get_mut("type") {
            types.retain(|name| name != "null");
        }
        if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
            choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
        }
        transform_subschemas(self, schema);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_keys_are_required_and_nothing_is_null() {
        let schema = schema();
        assert_eq!(schema["required"], serde_json::json!(["listener"]));
        assert_eq!(
            schema["$defs"]["ThrottleStage"]["required"],
            serde_json::json!(["use", "rate"])
        );
        // As a type, alone or among others; a description may speak of it.
        let text = schema.to_string();
        assert!(
            ![":\"null\"", "[\"null\"", ",\"null\""]
                .iter()
                .any(|kind| text.contains(kind))
        );
        // A key whose doc says that it is required is required, and the other way round.
        for (name, section) in schema["$defs"].as_object().unwrap() {
            for (key, property) in section["properties"].as_object().into_iter().flatten() {
                let said = property["description"]
                    .as_str()
                    .unwrap_or_default()
                    .ends_with("Required.");
                let required = section["required"]
                    .as_array()
                    .is_some_and(|keys| keys.iter().any(|it| it == key));
                assert_eq!(said, required, "{name}.{key}");
            }
        }
    }
}
