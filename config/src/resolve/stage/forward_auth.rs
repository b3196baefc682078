//! `{ use = "forward-auth", … }`

use std::time::Duration;

use http::uri::PathAndQuery;

use crate::file::{ForwardAuthStage, Located};
use crate::gateway::ForwardAuthConfig;
use crate::report::Span;
use crate::resolve::Resolver;

/// Nothing is kept for longer.
const LONGEST_CACHE: Duration = Duration::from_secs(3600);

impl Resolver<'_> {
    pub(super) fn forward_auth(&mut self, stage: &ForwardAuthStage, span: &Span) -> Option<ForwardAuthConfig> {
        let ForwardAuthStage {
            stage: _,
            upstream,
            path,
            method,
            headers,
            copy,
            principal,
            timeout,
            cache,
        } = stage;
        let upstream = self
            .required(upstream.as_ref(), span, "upstream", "\"authz\"")
            .and_then(|upstream| self.named_upstream(upstream));
        let path = self.question_path(path);
        let method = self.method(method);
        let headers = headers.as_ref().map(|headers| self.names_of_fields(headers));
        let copy = self.names_of_fields(copy);
        let principal = principal.as_ref().map(|name| self.header_name(&name.value, &name.span));
        self.check_cache(cache.value.0, &cache.span);
        Some(ForwardAuthConfig {
            upstream: upstream?,
            path: path?,
            method: method?,
            headers: match headers {
                Some(headers) => Some(headers?),
                None => None,
            },
            copy: copy?,
            principal: match principal {
                Some(principal) => Some(principal?),
                None => None,
            },
            timeout: timeout.0,
            cache: cache.value.0,
        })
    }

    /// The name of an upstream.
    pub(super) fn named_upstream(&mut self, name: &Located<String>) -> Option<String> {
        let file = self.file;
        self.known("upstream", name, &file.upstream).then(|| name.value.clone())
    }

    /// A path and a query that a stage asks for.
    pub(super) fn question_path(&mut self, path: &Located<String>) -> Option<String> {
        let is_path = path.value.starts_with('/') && PathAndQuery::try_from(path.value.as_str()).is_ok();
        if !is_path {
            let hint = "write a path, and perhaps a query, such as \"/verify?rd=https://login.example.com\"";
            self.error(&path.span, format!("`{}` is not a path", path.value), hint);
        }
        is_path.then(|| path.value.clone())
    }

    pub(super) fn check_cache(&mut self, cache: Duration, span: &Span) {
        if cache > LONGEST_CACHE {
            self.error(span, "a decision is kept for an hour at most", "write \"1h\" or less");
        }
    }

    fn names_of_fields(&mut self, names: &[Located<String>]) -> Option<Vec<String>> {
        let names = names.iter();
        let names: Vec<_> = names
            .map(|name| {
                let text = self.header_name(&name.value, &name.span)?;
                self.settable(&text, &name.span).then_some(text)
            })
            .collect();
        names.into_iter().collect()
    }
}
