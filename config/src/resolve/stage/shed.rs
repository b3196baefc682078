//! `{ use = "shed", … }`

use crate::file::ShedStage;
use crate::gateway::ShedConfig;
use crate::report::Span;
use crate::resolve::Resolver;

impl Resolver<'_> {
    pub(super) fn shed(&mut self, stage: &ShedStage, span: &Span) -> Option<ShedConfig> {
        let ShedStage {
            stage: _,
            latency,
            priority,
            group,
            least,
            most,
        } = stage;
        let latency = self.required(latency.as_ref(), span, "latency", "\"250ms\"").copied();
        // It is a label of metrics.
        if group.value.is_empty() || group.value.len() > 64 || group.value.chars().any(char::is_control) {
            let hint = "write 1 to 64 characters, such as \"reports\"";
            self.error(&group.span, "it is not the name of a group", hint);
        }
        if least.0 > most.0 && !self.report.is_damaged(span) {
            self.error(span, "`least` is more than `most`", "exchange them");
        }
        Some(ShedConfig {
            latency: latency?.0,
            priority: *priority,
            group: group.value.clone(),
            least: least.0.into(),
            most: most.0.into(),
        })
    }
}
