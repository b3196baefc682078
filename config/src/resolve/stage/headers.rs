//! `{ use = "headers", … }`

use crate::file::{self, HeadersStage, Located};
use crate::gateway::{HeaderEdits, HeadersConfig};
use crate::report::Span;
use crate::resolve::Resolver;
use crate::resolve::template::Place;

impl Resolver<'_> {
    pub(super) fn headers(&mut self, stage: &HeadersStage, span: &Span) -> Option<HeadersConfig> {
        let HeadersStage {
            stage: _,
            request,
            response,
        } = stage;
        let request = self.header_edits(request, Place::Request);
        let response = self.header_edits(response, Place::Response);
        let (request, response) = (request?, response?);
        if request.is_empty() && response.is_empty() && !self.report.is_damaged(span) {
            let hint = "add `request` or `response`, such as `response = { remove = [\"server\"] }`";
            self.error(span, "it changes nothing", hint);
        }
        Some(HeadersConfig { request, response })
    }

    fn header_edits(&mut self, edits: &file::HeaderEdits, place: Place) -> Option<HeaderEdits> {
        let file::HeaderEdits { remove, set, append } = edits;
        let names: Vec<_> = remove.iter().map(|name| self.removable(name)).collect();
        // Chains belong to several routes, so which parameters there are is not known here.
        let set = self.header_fields(set, |resolver, value| resolver.value_template(value, None, place));
        let append = self.header_fields(append, |resolver, value| resolver.value_template(value, None, place));
        Some(HeaderEdits {
            remove: names.into_iter().collect::<Option<_>>()?,
            set: set?,
            append: append?,
        })
    }

    fn removable(&mut self, name: &Located<String>) -> Option<String> {
        let text = self.header_name(&name.value, &name.span)?;
        self.settable(&text, &name.span).then_some(text)
    }
}
