//! `{ use = "quota", … }`, and quotas of usage plans.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::file::{Located, Period, QuotaStage};
use crate::gateway::{QuotaConfig, QuotaOffset, QuotaRule};
use crate::report::Span;
use crate::resolve::Resolver;

/// Numbers above this are not exact everywhere: in stores, in JSON.
const MOST: u64 = 1 << 53;

impl Resolver<'_> {
    pub(super) fn quota(&mut self, stage: &QuotaStage, span: &Span) -> Option<QuotaConfig> {
        let QuotaStage {
            stage: _,
            limit,
            period,
            offset,
            start,
            by,
            scope,
            when_unavailable,
        } = stage;
        let rule = self.quota_rule(limit.as_ref(), *period, offset, start.as_ref(), span);
        let by = self.limit_key(by);
        let scope = self.limit_scope(scope, when_unavailable.as_ref());
        Some(QuotaConfig {
            rule: rule?,
            by: by?,
            scope,
        })
    }

    pub(in crate::resolve) fn quota_rule(
        &mut self,
        limit: Option<&Located<u64>>,
        period: Option<Period>,
        offset: &Located<u64>,
        start: Option<&Located<String>>,
        span: &Span,
    ) -> Option<QuotaRule> {
        let limit = self.required(limit, span, "limit", "10000");
        let limit = limit.and_then(|limit| {
            let sensible = (1..=MOST).contains(&limit.value);
            if !sensible {
                let hint = format!("write a number from 1 to {MOST}");
                self.error(&limit.span, "it is not a number of requests", hint);
            }
            sensible.then_some(limit.value)
        });
        let period = self.required(period.as_ref(), span, "period", "\"month\"").copied();
        let date = start.map(|start| self.day(start));
        let offset = match (offset.value, date) {
            (0, None) => Some(None),
            (requests, Some(date)) => date.map(|start| Some(QuotaOffset { requests, start })),
            (_, None) => {
                let hint = "add `start = \"2026-11-22\"`, a day of that period";
                self.error(
                    &offset.span,
                    "`offset` needs to know in which period it is taken off",
                    hint,
                );
                None
            }
        };
        Some(QuotaRule {
            limit: limit?,
            period: period?,
            offset: offset?,
        })
    }

    /// Its midnight by UTC, in seconds since 1970.
    fn day(&mut self, text: &Located<String>) -> Option<u64> {
        let day: Option<Date> = text.value.parse().ok();
        let midnight = day.and_then(|day| day.to_zoned(TimeZone::UTC).ok());
        let second = midnight.and_then(|midnight| u64::try_from(midnight.timestamp().as_second()).ok());
        if second.is_none() {
            let message = format!("`{}` is not a day", text.value);
            self.error(&text.span, message, "write year, month and day: \"2026-11-22\"");
        }
        second
    }
}
