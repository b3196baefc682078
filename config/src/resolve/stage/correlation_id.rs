//! `{ use = "correlation-id", … }`

use crate::file::CorrelationIdStage;
use crate::gateway::CorrelationIdConfig;
use crate::resolve::Resolver;

impl Resolver<'_> {
    pub(super) fn correlation_id(&mut self, stage: &CorrelationIdStage) -> Option<CorrelationIdConfig> {
        let CorrelationIdStage {
            stage: _,
            header,
            accept,
            generate,
            echo,
        } = stage;
        let name = self.header_name(&header.value, &header.span)?;
        Some(CorrelationIdConfig {
            header: self.settable(&name, &header.span).then_some(name)?,
            accept: *accept,
            generate: *generate,
            echo: *echo,
        })
    }
}
