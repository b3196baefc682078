//! `{ use = "api-key", … }`

use crate::file::{ApiKeyStage, KeySource, Located};
use crate::gateway::{ApiKeyConfig, ApiKeySource};
use crate::report::Span;
use crate::resolve::Resolver;

impl Resolver<'_> {
    pub(super) fn api_key(&mut self, stage: &ApiKeyStage, span: &Span) -> Option<ApiKeyConfig> {
        let ApiKeyStage {
            stage: _,
            keys,
            header,
            headers,
            scheme,
            query,
            source,
            forward,
        } = stage;
        let keys = self
            .required(keys.as_ref(), span, "keys", "\"keys.toml\"")
            .and_then(|path| self.stage_file(path, "keys"));
        let scheme = scheme
            .as_ref()
            .map(|scheme| self.scheme(scheme, header.is_some(), span));
        if source.value == KeySource::Authorizer {
            if header.is_some() || query.is_some() || !headers.is_empty() {
                let hint = "remove `source`, or `header`, `headers` and `query`";
                self.error(&source.span, "the key of an authorizer is nowhere in the request", hint);
            }
            let sources = vec![ApiKeySource::Authorizer];
            return Some(ApiKeyConfig {
                keys: keys?,
                sources,
                forward: *forward,
            });
        }
        let nothing = query.is_none() && headers.is_empty();
        let header = match header {
            Some(header) => Some(self.header_name(&header.value, &header.span)),
            None => nothing.then(|| Some("x-api-key".to_owned())),
        };
        let headers = headers
            .iter()
            .map(|header| self.header_name(&header.value, &header.span));
        let headers: Vec<_> = headers.collect();
        let query = query.as_ref().map(|query| self.query_name(&query.value, &query.span));
        let mut sources = Vec::with_capacity(2);
        if let Some(name) = header {
            sources.push(ApiKeySource::Header {
                name: name?,
                scheme: scheme.flatten(),
            });
        }
        for name in headers {
            sources.push(ApiKeySource::Header {
                name: name?,
                scheme: None,
            });
        }
        if let Some(name) = query {
            sources.push(ApiKeySource::Query(name?));
        }
        Some(ApiKeyConfig {
            keys: keys?,
            sources,
            forward: *forward,
        })
    }

    pub(super) fn scheme(&mut self, scheme: &Located<String>, header: bool, table: &Span) -> Option<String> {
        if !header && !self.report.is_damaged(table) {
            self.error(
                &scheme.span,
                "`scheme` needs `header`",
                "add `header = \"authorization\"`",
            );
        }
        // A scheme is a token, and so is a method.
        if http::Method::from_bytes(scheme.value.as_bytes()).is_err() {
            let message = format!("`{}` is not an authentication scheme", scheme.value);
            self.error(&scheme.span, message, "write one word, such as \"Bearer\"");
            return None;
        }
        Some(scheme.value.clone())
    }
}
