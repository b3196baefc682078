//! `{ use = "redirect", … }`

use http::uri::Authority;

use crate::file::{Located, RedirectStage};
use crate::gateway::RedirectConfig;
use crate::report::Span;
use crate::resolve::Resolver;

impl Resolver<'_> {
    pub(super) fn redirect(&mut self, stage: &RedirectStage, span: &Span) -> Option<RedirectConfig> {
        let RedirectStage {
            stage: _,
            status,
            scheme,
            host,
            path,
            keep_query,
        } = stage;
        if scheme.is_none() && host.is_none() && path.is_none() && !self.report.is_damaged(span) {
            let hint = "add `scheme`, `host` or `path`, such as `scheme = \"https\"`";
            self.error(span, "it redirects to where the request came to", hint);
        }
        if !matches!(status.value, 301 | 302 | 303 | 307 | 308) {
            let message = format!("{} is not the status of a redirect", status.value);
            self.error(&status.span, message, "write 301, 302, 303, 307 or 308");
        }
        let secure = scheme.as_ref().map(|scheme| self.redirect_scheme(scheme));
        let authority = host.as_ref().map(|host| self.redirect_host(host));
        let path = path.as_ref().map(|path| self.upstream_path(path, None));
        let checked = |value: Option<Option<_>>| value.is_none_or(|value| value.is_some());
        if !checked(secure) {
            return None;
        }
        Some(RedirectConfig {
            status: status.value,
            secure: secure.flatten(),
            authority: match authority {
                Some(authority) => Some(authority?),
                None => None,
            },
            path: match path {
                Some(path) => Some(path?),
                None => None,
            },
            keep_query: *keep_query,
        })
    }

    fn redirect_scheme(&mut self, scheme: &Located<String>) -> Option<bool> {
        match scheme.value.as_str() {
            "https" => Some(true),
            "http" => Some(false),
            other => {
                let message = format!("`{other}` is not a scheme that requests come by");
                self.error(&scheme.span, message, "write \"https\" or \"http\"");
                None
            }
        }
    }

    /// A host with or without a port, and nothing of a request in it.
    fn redirect_host(&mut self, host: &Located<String>) -> Option<String> {
        let lower = host.value.to_ascii_lowercase();
        let plain = |authority: &Authority| {
            let port = authority.port().map(|port| format!(":{port}")).unwrap_or_default();
            !authority.host().is_empty() && format!("{}{port}", authority.host()) == lower
        };
        let good = lower.parse::<Authority>().ok().filter(plain).is_some() && !lower.contains(['{', '*']);
        if !good {
            let message = format!("`{}` is not a host to redirect to", host.value);
            self.error(
                &host.span,
                message,
                "write a name such as \"www.example.com\" or \"www.example.com:8443\"",
            );
        }
        good.then_some(lower)
    }
}
