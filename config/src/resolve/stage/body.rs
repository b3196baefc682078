//! `{ use = "body", … }`

use http::HeaderValue;
use serde_json::Value;

use crate::file::{self, BodyStage, Located};
use crate::gateway::{BodyConfig, BodyTemplate, StatusPattern, TemplateSource};
use crate::report::Span;
use crate::resolve::Resolver;

impl Resolver<'_> {
    pub(super) fn body(&mut self, stage: &BodyStage, span: &Span) -> Option<BodyConfig> {
        let BodyStage {
            stage: _,
            request,
            response,
            statuses,
            variables,
            body,
            output,
        } = stage;
        if request.is_none() && response.is_none() && !self.report.is_damaged(span) {
            let hint = "add `request` or `response`, such as `request = { file = \"order.json.j2\" }`";
            self.error(span, "it makes no body", hint);
        }
        let request = request.as_ref().map(|template| self.body_template(template, "request"));
        let response = response
            .as_ref()
            .map(|template| self.body_template(template, "response"));
        let statuses: Vec<_> = statuses.iter().map(|status| self.status_pattern(status)).collect();
        Some(BodyConfig {
            request: match request {
                Some(request) => Some(request?),
                None => None,
            },
            response: match response {
                Some(response) => Some(response?),
                None => None,
            },
            statuses: statuses.into_iter().collect::<Option<_>>()?,
            variables: Value::Object(variables.0.clone()),
            body_bytes: *body,
            output_bytes: *output,
        })
    }

    fn body_template(&mut self, template: &Located<file::BodyTemplate>, key: &str) -> Option<BodyTemplate> {
        let file::BodyTemplate {
            template: text,
            file,
            content_type,
        } = &template.value;
        if HeaderValue::from_str(&content_type.value).is_err() || !content_type.value.contains('/') {
            let message = format!("`{}` is not a content type", content_type.value);
            self.error(&content_type.span, message, "write one such as \"application/json\"");
        }
        let source = match (text, file) {
            (Some(text), None) => TemplateSource::Inline(text.value.clone()),
            (None, Some(file)) => TemplateSource::File(self.stage_file(file, &format!("{key}.file"))?),
            (Some(_), Some(file)) => {
                self.error(&file.span, "there are two templates", "keep `template` or `file`");
                return None;
            }
            (None, None) => {
                self.required(text.as_ref(), &template.span, "template", "\"{{ request.body }}\"");
                return None;
            }
        };
        Some(BodyTemplate {
            source,
            content_type: content_type.value.clone(),
        })
    }

    fn status_pattern(&mut self, status: &Located<String>) -> Option<StatusPattern> {
        let text = status.value.as_str();
        let class = text.strip_suffix("xx").and_then(|class| class.parse().ok());
        let class = class.filter(|class| (1..=5).contains(class)).map(StatusPattern::Class);
        let exact = || {
            text.parse()
                .ok()
                .filter(|status| (100..600).contains(status))
                .map(StatusPattern::Exact)
        };
        let pattern = class.or_else(exact);
        if pattern.is_none() {
            let message = format!("`{text}` is not a status");
            self.error(
                &status.span,
                message,
                "write one such as \"200\", or \"2xx\" for all of a class",
            );
        }
        pattern
    }
}
