//! The stages of a chain, one a file.

mod api_key;
mod cors;
mod headers;
mod ip;
mod plugin;
mod throttle;

use super::Resolver;
use crate::file::{ChainEntry, Located};
use crate::gateway::{StageConfig, StageKind};
use crate::report::Span;

impl Resolver<'_> {
    /// One stage; `entry` is not the name of a chain.
    pub(super) fn stage(&mut self, entry: &Located<ChainEntry>) -> Option<StageConfig> {
        let span = &entry.span;
        let kind = match &entry.value {
            ChainEntry::Chain(_) => return None,
            ChainEntry::ApiKey(stage) => StageKind::ApiKey(self.api_key(stage, span)?),
            ChainEntry::Cors(stage) => StageKind::Cors(self.cors(stage, span)?),
            ChainEntry::Headers(stage) => StageKind::Headers(self.headers(stage, span)?),
            ChainEntry::Ip(stage) => StageKind::Ip(self.ip(stage, span)?),
            ChainEntry::Throttle(stage) => StageKind::Throttle(self.throttle(stage, span)?),
            ChainEntry::Plugin(stage) => StageKind::Plugin(self.plugin_stage(stage, span)?),
        };
        Some(StageConfig {
            line: self.report.line(span),
            kind,
        })
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
