//! `{ use = "validate", … }`

use serde_json::Value;

use crate::file::{self, ValidateStage};
use crate::gateway::{ParameterRule, SchemaSource, TypePattern, ValidateConfig};
use crate::report::Span;
use crate::resolve::Resolver;

/// Whoever reads the body behind the gateway may have less room than the gateway.
const DEEPEST: usize = 100;

impl Resolver<'_> {
    pub(super) fn validate(&mut self, stage: &ValidateStage, span: &Span) -> Option<ValidateConfig> {
        let ValidateStage {
            stage: _,
            schema,
            schema_file,
            optional,
            body,
            depth,
            types,
            path,
            query,
            headers,
        } = stage;
        let source = match (schema, schema_file) {
            (Some(_), Some(file)) => {
                self.error(&file.span, "there are two schemas", "keep `schema` or `schema_file`");
                None
            }
            (Some(schema), None) => Some(SchemaSource::Inline(Value::Object(schema.value.0.clone()))),
            (None, Some(file)) => {
                let reference = self.stage_file(file, "schema_file");
                Some(SchemaSource::File(reference?))
            }
            (None, None) => None,
        };
        if depth.value.as_usize() > DEEPEST {
            let message = format!("bodies are read to a depth of {DEEPEST} at most");
            self.error(&depth.span, message, format!("write {DEEPEST} or less"));
        }
        let types: Vec<_> = types.iter().map(|pattern| self.content_types(pattern)).collect();
        let mut types: Vec<TypePattern> = types.into_iter().collect::<Option<_>>()?;
        let checks_parameters = !path.is_empty() || !query.is_empty() || !headers.is_empty();
        if source.is_none() && types.is_empty() && !checks_parameters && !self.report.is_damaged(span) {
            let hint = "add `schema`, `schema_file`, `types`, `path`, `query` or `headers`";
            self.error(span, "it validates nothing", hint);
        }
        if source.is_some() && types.is_empty() {
            types = vec![
                TypePattern::Exact("application/json".to_owned()),
                TypePattern::Suffix("+json".to_owned()),
            ];
        }
        let rules = |rules: &std::collections::BTreeMap<String, file::ParameterRule>| {
            rules
                .iter()
                .map(|(name, parameter)| (name.clone(), rule(parameter)))
                .collect()
        };
        let fields = headers.iter().map(|(name, parameter)| {
            let name = self.header_name(name, &parameter.span)?;
            Some((name, rule(&parameter.value)))
        });
        Some(ValidateConfig {
            headers: fields.collect::<Option<_>>()?,
            schema: source,
            optional: *optional,
            body_bytes: *body,
            depth: depth.value.as_usize(),
            types,
            path: rules(path),
            query: rules(query),
        })
    }
}

fn rule(parameter: &file::ParameterRule) -> ParameterRule {
    let file::ParameterRule { required, schema } = parameter;
    ParameterRule {
        required: *required,
        schema: Value::Object(schema.0.clone()),
    }
}
