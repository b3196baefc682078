//! `{ use = "throttle", … }`

use crate::file::ThrottleStage;
use crate::gateway::ThrottleConfig;
use crate::report::Span;
use crate::resolve::Resolver;

impl Resolver<'_> {
    pub(super) fn throttle(&mut self, stage: &ThrottleStage, span: &Span) -> Option<ThrottleConfig> {
        let ThrottleStage {
            stage: _,
            rate,
            burst,
            by,
            scope,
            when_unavailable,
        } = stage;
        let rate = self.required(rate.as_ref(), span, "rate", "\"100/s\"").copied();
        let by = self.limit_key(by);
        let scope = self.limit_scope(scope, when_unavailable.as_ref());
        let rate = rate?;
        Some(ThrottleConfig {
            rate,
            burst: burst.map_or(rate.tokens, |burst| u64::from(burst.0)),
            by: by?,
            scope,
        })
    }
}
