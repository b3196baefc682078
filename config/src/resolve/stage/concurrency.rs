//! `{ use = "concurrency", … }`

use crate::file::ConcurrencyStage;
use crate::gateway::ConcurrencyConfig;
use crate::report::Span;
use crate::resolve::Resolver;

impl Resolver<'_> {
    pub(super) fn concurrency(&mut self, stage: &ConcurrencyStage, span: &Span) -> Option<ConcurrencyConfig> {
        let ConcurrencyStage {
            stage: _,
            limit,
            by,
            scope,
            when_unavailable,
        } = stage;
        let limit = self.required(limit.as_ref(), span, "limit", "20").copied();
        let by = self.limit_key(by);
        let scope = self.limit_scope(scope, when_unavailable.as_ref());
        Some(ConcurrencyConfig {
            limit: limit?.0.into(),
            by: by?,
            scope,
        })
    }
}
