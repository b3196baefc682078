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
            to_client,
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
        for name in copy.iter().filter(|name| is_of_response(&name.value)) {
            let message = format!(
                "`{}` is a field of responses: no upstream reads it in a request",
                name.value
            );
            self.error(
                &name.span,
                message,
                "write it in `to_client`, by which the client gets it",
            );
        }
        let copy = self.names_of_fields(copy);
        for name in to_client.iter().filter(|name| is_of_body(&name.value)) {
            let message = format!(
                "`{}` is about the body of the answer, which the client does not get",
                name.value
            );
            self.error(&name.span, message, "leave it out");
        }
        let to_client = self.names_of_fields(to_client);
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
            to_client: to_client?,
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
        // `PathAndQuery` cuts a fragment off in silence.
        let is_path = path.value.starts_with('/') && !path.value.contains('#');
        let is_path = is_path && PathAndQuery::try_from(path.value.as_str()).is_ok();
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

/// Fields that say something to a client only.
fn is_of_response(name: &str) -> bool {
    const OF_RESPONSES: [&str; 5] = [
        "set-cookie",
        "www-authenticate",
        "location",
        "retry-after",
        "authentication-info",
    ];
    OF_RESPONSES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Fields that describe a body and go with it.
fn is_of_body(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("content-") || matches!(&*name, "etag" | "last-modified" | "accept-ranges")
}
