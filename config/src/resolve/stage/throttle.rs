//! `{ use = "throttle", … }`

use crate::file::ThrottleStage;
use crate::gateway::{ThrottleConfig, ThrottleKey};
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
}
