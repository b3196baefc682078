//! `{ use = "request-size", … }`

use crate::file::RequestSizeStage;
use crate::gateway::RequestSizeConfig;
use crate::report::Span;
use crate::resolve::Resolver;

impl Resolver<'_> {
    pub(super) fn request_size(&mut self, stage: &RequestSizeStage, span: &Span) -> RequestSizeConfig {
        let RequestSizeStage {
            stage: _,
            body,
            headers,
            query,
            length_required,
        } = stage;
        let limits_nothing = [body, headers, query].into_iter().all(Option::is_none) && !length_required;
        if limits_nothing && !self.report.is_damaged(span) {
            self.error(span, "it limits nothing", "add `body`, such as `body = \"64KiB\"`");
        }
        RequestSizeConfig {
            body_bytes: *body,
            header_bytes: *headers,
            query_bytes: *query,
            length_required: *length_required,
        }
    }
}
