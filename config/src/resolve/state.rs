//! `[state]`

use super::Resolver;
use crate::file;
use crate::gateway::StateConfig;

impl Resolver<'_> {
    pub(super) fn state(&mut self) -> Option<StateConfig> {
        let file::State { snapshot, interval } = &self.file.state.value;
        let snapshot = snapshot
            .as_ref()
            .map(|path| self.file_reference(path, "state.snapshot".to_owned()));
        Some(StateConfig {
            snapshot: match snapshot {
                Some(path) => Some(path?),
                None => None,
            },
            interval: interval.0,
        })
    }
}
