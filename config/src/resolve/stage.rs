//! The stages of a chain.

use std::time::Duration;

use super::Resolver;
use crate::file::{self, ApiKeyStage, ChainEntry, Located, PluginStage, ThrottleStage};
use crate::gateway::{
    ApiKeyConfig, ApiKeySource, IdentitySource, OnFault, PluginStageConfig, StageConfig, StageKind, ThrottleConfig,
    ThrottleKey,
};
use crate::report::Span;

/// The longest that a decision of an authorizer is reused.
const LONGEST_CACHE: Duration = Duration::from_secs(3600);

impl Resolver<'_> {
    /// One stage; `entry` is not the name of a chain.
    pub(super) fn stage(&mut self, entry: &Located<ChainEntry>) -> Option<StageConfig> {
        let span = &entry.span;
        let kind = match &entry.value {
            ChainEntry::Chain(_) => return None,
            ChainEntry::ApiKey(stage) => StageKind::ApiKey(self.api_key(stage, span)?),
            ChainEntry::Throttle(stage) => StageKind::Throttle(self.throttle(stage, span)?),
            ChainEntry::Plugin(stage) => StageKind::Plugin(self.plugin_stage(stage, span)?),
        };
        Some(StageConfig {
            line: self.report.line(span),
            kind,
        })
    }

    fn api_key(&mut self, stage: &ApiKeyStage, span: &Span) -> Option<ApiKeyConfig> {
        let ApiKeyStage {
            stage: _,
            keys,
            header,
            scheme,
            query,
        } = stage;
        let keys = self
            .required(keys.as_ref(), span, "keys", "\"keys.toml\"")
            .and_then(|path| self.path(path));
        let scheme = scheme
            .as_ref()
            .map(|scheme| self.scheme(scheme, header.is_some(), span));
        let header = match header {
            Some(header) => Some(self.header_name(&header.value, &header.span)),
            None => query.is_none().then(|| Some("x-api-key".to_owned())),
        };
        let query = query.as_ref().map(|query| self.query_name(&query.value, &query.span));
        let mut sources = Vec::with_capacity(2);
        if let Some(name) = header {
            sources.push(ApiKeySource::Header {
                name: name?,
                scheme: scheme.flatten(),
            });
        }
        if let Some(name) = query {
            sources.push(ApiKeySource::Query(name?));
        }
        Some(ApiKeyConfig { keys: keys?, sources })
    }

    fn scheme(&mut self, scheme: &Located<String>, header: bool, table: &Span) -> Option<String> {
        if !header && !self.report.is_damaged(table) {
            self.error(
                &scheme.span,
                "`scheme` needs `header`",
                "add `header = \"authorization\"`",
            );
        }
        // A scheme is a token, and so is a method.
        if http::Method::from_bytes(scheme.value.as_bytes()).is_err() {
            let message = format!("`{}` is not an authentication scheme", scheme.value);
            self.error(&scheme.span, message, "write one word, such as \"Bearer\"");
            return None;
        }
        Some(scheme.value.clone())
    }

    fn throttle(&mut self, stage: &ThrottleStage, span: &Span) -> Option<ThrottleConfig> {
        let ThrottleStage {
            stage: _,
            rate,
            burst,
            by,
            scope,
            when_unavailable,
        } = stage;
        let rate = self.required(rate.as_ref(), span, "rate", "\"100/s\"").copied();
        let by = match by.value.as_str() {
            "route" => Some(ThrottleKey::Route),
            "client" => Some(ThrottleKey::Client),
            "api-key" => Some(ThrottleKey::ApiKey),
            other => match other.strip_prefix("header:") {
                Some(name) => self.header_name(name, &by.span).map(ThrottleKey::Header),
                None => {
                    let hint = "write \"route\", \"client\", \"api-key\" or \"header:NAME\"";
                    self.error(&by.span, format!("`{other}` is not what buckets can be kept by"), hint);
                    None
                }
            },
        };
        let scope = self.limit_scope(scope, when_unavailable.as_ref());
        let rate = rate?;
        Some(ThrottleConfig {
            rate,
            burst: burst.map_or(rate.tokens, |burst| u64::from(burst.0)),
            by: by?,
            scope,
        })
    }

    fn plugin_stage(&mut self, stage: &PluginStage, span: &Span) -> Option<PluginStageConfig> {
        let PluginStage {
            plugin,
            identity: sources,
            cache,
            on_fault,
            body,
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
            config: serde_json::Value::Object(config.0.clone()),
        })
    }

    pub(super) fn identity(&mut self, source: &Located<String>) -> Option<IdentitySource> {
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

    /// The name of a query parameter.
    pub(super) fn query_name(&mut self, name: &str, span: &Span) -> Option<String> {
        if name.is_empty() {
            self.error(span, "the name of a query parameter is empty", "write its name");
            return None;
        }
        Some(name.to_owned())
    }
}
