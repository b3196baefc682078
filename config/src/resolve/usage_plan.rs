//! `[usage_plan.NAME]`

use std::collections::BTreeMap;

use super::Resolver;
use crate::file::{self, Located, Section, UsagePlan};
use crate::gateway::{PlanThrottle, UsagePlanConfig};
use crate::report::suggestion;

impl Resolver<'_> {
    pub(super) fn usage_plans(&mut self) -> BTreeMap<String, UsagePlanConfig> {
        let sections = self.file.usage_plan.iter();
        sections
            .filter_map(|(name, section)| Some((name.clone(), self.usage_plan(name, section)?)))
            .collect()
    }

    fn usage_plan(&mut self, name: &str, section: &Section<UsagePlan>) -> Option<UsagePlanConfig> {
        let UsagePlan {
            throttle,
            quota,
            routes,
            route_throttle,
            scope,
            when_unavailable,
        } = &section.value;
        // The names of a key's plans are one text, with spaces between them.
        if name.is_empty() || name.len() > 64 || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            let hint = "write 1 to 64 characters without spaces, such as \"gold\"";
            self.error(&section.span, format!("`{name}` is not the name of a usage plan"), hint);
        }
        let throttle = throttle.as_ref().map(|throttle| self.plan_throttle(throttle));
        let quota = quota.as_ref().map(|quota| {
            let file::PlanQuota {
                limit,
                period,
                offset,
                start,
            } = &quota.value;
            self.quota_rule(limit.as_ref(), *period, offset, start.as_ref(), &quota.span)
        });
        let known = |resolver: &mut Self, name: &str, span| {
            let names = || {
                resolver
                    .file
                    .route
                    .iter()
                    .filter_map(|route| Some(route.value.name.as_ref()?.value.as_str()))
            };
            let known = names().any(|route| route == name);
            if !known {
                let hint = suggestion(name, names(), "routes");
                resolver.error(span, format!("unknown route `{name}`"), hint);
            }
            known
        };
        for route in routes {
            known(self, &route.value, &route.span);
        }
        let mut by_route = BTreeMap::new();
        for (route, throttle) in route_throttle {
            if known(self, route, &throttle.span) {
                by_route.extend(self.plan_throttle(throttle).map(|throttle| (route.clone(), throttle)));
            }
        }
        let scope = self.limit_scope(scope, when_unavailable.as_ref());
        Some(UsagePlanConfig {
            throttle: match throttle {
                Some(throttle) => Some(throttle?),
                None => None,
            },
            quota: match quota {
                Some(quota) => Some(quota?),
                None => None,
            },
            routes: routes.iter().map(|route| route.value.clone()).collect(),
            route_throttle: by_route,
            scope,
        })
    }

    fn plan_throttle(&mut self, throttle: &Located<file::PlanThrottle>) -> Option<PlanThrottle> {
        let file::PlanThrottle { rate, burst } = &throttle.value;
        let rate = *self.required(rate.as_ref(), &throttle.span, "rate", "\"100/s\"")?;
        Some(PlanThrottle {
            rate,
            burst: burst.map_or(rate.tokens, |burst| u64::from(burst.0)),
        })
    }
}
