//! `{ use = "compress", … }` and `{ use = "decompress", … }`

use crate::file::{CompressStage, DecompressStage, Located};
use crate::gateway::{CompressConfig, DecompressConfig, TypePattern};
use crate::report::Span;
use crate::resolve::Resolver;

impl Resolver<'_> {
    pub(super) fn compress(&mut self, stage: &CompressStage) -> Option<CompressConfig> {
        let CompressStage {
            stage: _,
            codings,
            minimum,
            types,
            level,
        } = stage;
        if codings.value.is_empty() {
            let hint = "write one of \"gzip\", \"br\" and \"zstd\"";
            self.error(&codings.span, "there is one coding at least", hint);
        }
        let types: Vec<_> = types.iter().map(|pattern| self.content_types(pattern)).collect();
        Some(CompressConfig {
            codings: codings.value.clone(),
            minimum_bytes: *minimum,
            types: types.into_iter().collect::<Option<_>>()?,
            level: *level,
        })
    }

    pub(super) fn decompress(&mut self, stage: &DecompressStage, span: &Span) -> DecompressConfig {
        let DecompressStage {
            stage: _,
            request,
            response,
            body,
            ratio,
        } = stage;
        if !request && !response && !self.report.is_damaged(span) {
            self.error(
                span,
                "it decodes nothing",
                "leave `request` out, or add `response = true`",
            );
        }
        DecompressConfig {
            request: *request,
            response: *response,
            body_bytes: *body,
            ratio: ratio.0,
        }
    }

    /// A content type, or those of a kind.
    pub(super) fn content_types(&mut self, pattern: &Located<String>) -> Option<TypePattern> {
        let found = TypePattern::parse(&pattern.value);
        if found.is_none() {
            let message = format!("`{}` is not a content type", pattern.value);
            self.error(
                &pattern.span,
                message,
                "write \"text/html\", \"text/*\" or \"*+json\", without parameters",
            );
        }
        found
    }
}
