//! `{ use = "ip", … }`

use crate::file::IpStage;
use crate::gateway::IpConfig;
use crate::report::Span;
use crate::resolve::Resolver;

impl Resolver<'_> {
    pub(super) fn ip(&mut self, stage: &IpStage, span: &Span) -> Option<IpConfig> {
        let IpStage { stage: _, allow, deny } = stage;
        if let Some(allow) = allow.as_ref().filter(|allow| allow.value.is_empty()) {
            let hint = "write `deny = [\"0.0.0.0/0\", \"::/0\", \"unix\"]` to refuse everybody";
            self.error(&allow.span, "nobody may pass", hint);
        }
        if allow.is_none() && deny.is_empty() && !self.report.is_damaged(span) {
            let hint = "add `allow` or `deny`, such as `allow = [\"10.0.0.0/8\"]`";
            self.error(span, "it neither allows nor denies anything", hint);
        }
        let allow = allow.as_ref().map(|allow| self.ip_list(&allow.value));
        let deny = self.ip_list(deny);
        Some(IpConfig {
            allow: match allow {
                Some(allow) => Some(allow?),
                None => None,
            },
            deny: deny?,
        })
    }
}
