//! `{ plugin = "NAME", … }`

use std::time::Duration;

use crate::file::{self, Located, PluginBodies, PluginStage};
use crate::gateway::{BodyRule, IdentitySource, OnFault, PluginStageConfig};
use crate::report::Span;
use crate::resolve::Resolver;

/// The longest that a decision of an authorizer is reused.
const LONGEST_CACHE: Duration = Duration::from_secs(3600);

impl Resolver<'_> {
    pub(super) fn plugin_stage(&mut self, stage: &PluginStage, span: &Span) -> Option<PluginStageConfig> {
        let PluginStage {
            plugin,
            identity: sources,
            cache,
            on_fault,
            body,
            bodies: PluginBodies { request, response },
            config,
        } = stage;
        let plugin = self.required(plugin.as_ref(), span, "plugin", "\"name\"");
        let plugin = plugin.and_then(|plugin| self.plugin_name(plugin));
        let identity: Vec<_> = sources.iter().filter_map(|source| self.identity(source)).collect();
        if cache.value.0 > LONGEST_CACHE {
            self.error(
                &cache.span,
                "a decision is reused for an hour at most",
                "write \"1h\" or less",
            );
        }
        if cache.value.0 > Duration::ZERO && sources.is_empty() && !self.report.is_damaged(span) {
            let hint = "add what the decision depends on, such as `identity = [\"header:authorization\"]`";
            self.error(&cache.span, "`cache` needs `identity`", hint);
        }
        let request_bodies = self.body_rule(request);
        let response_bodies = self.body_rule(response);
        Some(PluginStageConfig {
            plugin: plugin?,
            identity,
            cache: cache.value.0,
            on_fault: match *on_fault {
                file::OnFault::Deny => OnFault::Deny,
                file::OnFault::Skip => OnFault::Skip,
                file::OnFault::Status(status) => OnFault::Status(status),
            },
            body_bytes: *body,
            request_bodies: request_bodies?,
            response_bodies: response_bodies?,
            config: serde_json::Value::Object(config.0.clone()),
        })
    }

    fn body_rule(&mut self, rule: &file::BodyRule) -> Option<BodyRule> {
        let file::BodyRule {
            types,
            longest,
            whole,
            plain,
        } = rule;
        let types = types.as_ref().map(|types| {
            let types: Vec<_> = types.iter().map(|pattern| self.content_types(pattern)).collect();
            types.into_iter().collect::<Option<Vec<_>>>()
        });
        Some(BodyRule {
            types: match types {
                None => None,
                Some(types) => Some(types?),
            },
            longest: *longest,
            whole: *whole,
            plain: *plain,
        })
    }

    pub(in crate::resolve) fn identity(&mut self, source: &Located<String>) -> Option<IdentitySource> {
        let span = &source.span;
        match source.value.split_once(':') {
            Some(("header", name)) => self.header_name(name, span).map(IdentitySource::Header),
            Some(("query", name)) => self.query_name(name, span).map(IdentitySource::Query),
            // Whether there is such a parameter depends on the route.
            Some(("path", name)) if !name.is_empty() => Some(IdentitySource::Path(name.to_owned())),
            None if source.value == "client" => Some(IdentitySource::Client),
            _ => {
                let hint = "write \"header:NAME\", \"query:NAME\", \"path:NAME\" or \"client\"";
                self.error(
                    span,
                    format!("`{}` is not what identifies a client", source.value),
                    hint,
                );
                None
            }
        }
    }
}
