//! `{ use = "basic", … }`

use std::time::Duration;

use crate::file::BasicStage;
use crate::gateway::BasicConfig;
use crate::report::Span;
use crate::resolve::Resolver;

/// What the gateway keeps at most.
const LONGEST_MEMORY: Duration = Duration::from_secs(3600);

impl Resolver<'_> {
    pub(super) fn basic(&mut self, stage: &BasicStage, span: &Span) -> Option<BasicConfig> {
        let BasicStage {
            stage: _,
            users,
            realm,
            remember,
            attempts,
            forward,
        } = stage;
        let users = self
            .required(users.as_ref(), span, "users", "\"users.htpasswd\"")
            .and_then(|path| self.stage_file(path, "users"));
        // It stands in a quoted string.
        let text = realm.value.as_str();
        let plain = text
            .bytes()
            .all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\');
        if !plain || text.is_empty() {
            let hint = "write some words of ASCII, without quotes and backslashes";
            self.error(&realm.span, "it is not a realm", hint);
        }
        if remember.value.0 > LONGEST_MEMORY {
            let message = "a password is remembered for an hour at most";
            self.error(&remember.span, message, "write \"1h\" or less");
        }
        Some(BasicConfig {
            users: users?,
            realm: text.to_owned(),
            remember: remember.value.0,
            attempts: *attempts,
            forward: *forward,
        })
    }
}
