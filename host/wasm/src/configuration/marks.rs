//! Which values of a configuration its schema marks as secret: by `writeOnly`, the `format` `password`, or a keyword of our own.
//!
//! A mark counts wherever the schema may be applied to the value, in branches that do not hold too. Where it cannot be said
//! which schema is applied, the value is secret.

use std::collections::BTreeSet;

use serde_json::Value;

const KEYWORD: &str = "x-gatewright-secret";
/// Schemas within schemas, and values within values, that are followed.
const DEPTH: usize = 64;
/// Keywords whose schema is applied to the value itself.
const SAME: [&str; 4] = ["if", "then", "else", "not"];
/// Keywords with a list of such schemas.
const SAME_ALL: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Keywords whose schema is applied to members that no other keyword names.
const OTHER_MEMBERS: [&str; 2] = ["additionalProperties", "unevaluatedProperties"];
/// Keywords whose schema is applied to items.
const ITEMS: [&str; 3] = ["items", "contains", "unevaluatedItems"];

/// Adds the JSON pointers of what is secret.
pub(super) fn find(schema: &Value, value: &Value, found: &mut BTreeSet<String>) {
    let mut search = Search { root: schema, found };
    search.apply(schema, value, "", 0);
}

/// The pointer of a member or item.
pub(super) fn below(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}

struct Search<'a> {
    root: &'a Value,
    found: &'a mut BTreeSet<String>,
}

impl<'a> Search<'a> {
    fn apply(&mut self, schema: &Value, value: &Value, at: &str, depth: usize) {
        // Schemas may be `true` and `false`, which mark nothing.
        let Value::Object(keywords) = schema else { return };
        let marked = |keyword: &str| keywords.get(keyword) == Some(&Value::Bool(true));
        let is_password = keywords.get("format").and_then(Value::as_str) == Some("password");
        if depth > DEPTH || is_password || marked("writeOnly") || marked(KEYWORD) {
            self.found.insert(at.to_owned());
            return;
        }
        let depth = depth + 1;
        for keyword in ["$ref", "$dynamicRef"] {
            if let Some(target) = keywords.get(keyword) {
                match self.target(target) {
                    Some(schema) => self.apply(schema, value, at, depth),
                    None => _ = self.found.insert(at.to_owned()),
                }
            }
        }
        let branches = SAME.iter().filter_map(|keyword| keywords.get(*keyword));
        let lists = SAME_ALL.iter().filter_map(|keyword| keywords.get(*keyword)?.as_array());
        let dependent = keywords.get("dependentSchemas").and_then(Value::as_object);
        let dependent = dependent.into_iter().flat_map(|schemas| schemas.values());
        for schema in branches.chain(lists.flatten()).chain(dependent) {
            self.apply(schema, value, at, depth);
        }
        match value {
            Value::Object(members) => {
                let properties = keywords.get("properties").and_then(Value::as_object);
                let patterns = keywords.get("patternProperties").and_then(Value::as_object);
                for (name, member) in members {
                    let at = below(at, name);
                    let own = properties.and_then(|properties| properties.get(name));
                    let others = OTHER_MEMBERS.iter().filter_map(|keyword| keywords.get(*keyword));
                    let others = others.filter(|_| own.is_none());
                    // Which of the patterns fit is not looked at: what may be marked is.
                    let patterns = patterns.into_iter().flat_map(|patterns| patterns.values());
                    for schema in own.into_iter().chain(patterns).chain(others) {
                        self.apply(schema, member, &at, depth);
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let at = below(at, &index.to_string());
                    let positional = ["prefixItems", "items"]
                        .iter()
                        .filter_map(|keyword| keywords.get(*keyword));
                    let positional = positional.filter_map(|schemas| schemas.as_array()?.get(index));
                    let all = ITEMS.iter().filter_map(|keyword| keywords.get(*keyword));
                    for schema in positional.chain(all) {
                        self.apply(schema, item, &at, depth);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// What a reference within the document points to.
    fn target(&self, reference: &Value) -> Option<&'a Value> {
        let pointer = reference.as_str()?.strip_prefix('#')?;
        self.root.pointer(pointer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(schema: &Value, value: &Value) -> Vec<String> {
        let mut found = BTreeSet::new();
        find(schema, value, &mut found);
        found.into_iter().collect()
    }

    #[test]
    fn a_mark_is_found_wherever_a_schema_is_applied() {
        let secret = || json!({ "x-gatewright-secret": true });
        let value = json!({ "a": "x", "list": ["y", "z"] });
        let of_a = || json!({ "properties": { "a": secret() } });
        for schema in [
            of_a(),
            json!({ "allOf": [of_a()] }),
            json!({ "oneOf": [{ "type": "string" }, { "anyOf": [of_a()] }] }),
            json!({ "if": { "required": ["b"] }, "then": of_a() }),
            json!({ "dependentSchemas": { "b": of_a() } }),
            json!({ "$defs": { "it": secret() }, "properties": { "a": { "$ref": "#/$defs/it" } } }),
            json!({ "properties": { "list": true }, "additionalProperties": secret() }),
        ] {
            assert_eq!(found(&schema, &value), ["/a"], "{schema}");
        }
        let both = |schema: Value| found(&json!({ "properties": { "list": schema } }), &value);
        assert_eq!(both(json!({ "items": secret() })), ["/list/0", "/list/1"]);
        assert_eq!(both(json!({ "prefixItems": [true, secret()] })), ["/list/1"]);
        assert_eq!(both(secret()), ["/list"]);
        assert_eq!(
            found(&json!({ "patternProperties": { "^b": secret() } }), &value),
            ["/a", "/list"]
        );
        assert!(found(&json!({ "properties": { "a": { "writeOnly": false } } }), &value).is_empty());
    }

    #[test]
    fn what_cannot_be_followed_is_secret() {
        assert_eq!(found(&json!({ "$ref": "#" }), &json!(1)), [""]);
        assert_eq!(
            found(
                &json!({ "properties": { "a": { "$ref": "#name" } } }),
                &json!({ "a": 1 })
            ),
            ["/a"]
        );
    }
}
