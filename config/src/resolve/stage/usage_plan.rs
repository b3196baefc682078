//! `{ use = "usage-plan", … }`

use crate::file::UsagePlanStage;
use crate::gateway::UsagePlanStageConfig;
use crate::resolve::Resolver;

impl Resolver<'_> {
    pub(super) fn usage_plan_stage(&mut self, stage: &UsagePlanStage) -> Option<UsagePlanStageConfig> {
        let UsagePlanStage { stage: _, default } = stage;
        let file = self.file;
        let default = match default {
            Some(name) => Some(
                self.known("usage plan", name, &file.usage_plan)
                    .then(|| name.value.clone())?,
            ),
            None => None,
        };
        Some(UsagePlanStageConfig { default })
    }
}
