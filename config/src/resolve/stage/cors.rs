//! `{ use = "cors", … }`

use http::Uri;

use crate::file::{CorsStage, Located};
use crate::gateway::{CorsConfig, OriginPattern};
use crate::report::Span;
use crate::resolve::Resolver;

impl Resolver<'_> {
    pub(super) fn cors(&mut self, stage: &CorsStage, span: &Span) -> Option<CorsConfig> {
        let CorsStage {
            stage: _,
            origins,
            methods,
            headers,
            expose,
            credentials,
            max_age,
        } = stage;
        let example = "[\"https://app.example.com\"]";
        let origins = self.required(origins.as_ref(), span, "origins", example);
        if let Some(origins) = origins.filter(|origins| origins.value.is_empty()) {
            self.error(
                &origins.span,
                "there is one origin at least",
                format!("write {example}"),
            );
        }
        let origins: Option<Vec<_>> = origins.and_then(|origins| {
            let origins: Vec<_> = origins.value.iter().map(|origin| self.origin(origin)).collect();
            origins.into_iter().collect()
        });
        let any = origins.iter().flatten().any(|origin| *origin == OriginPattern::Any);
        if any && credentials.value {
            let hint = "name the origins, or leave `credentials` out";
            self.error(&credentials.span, "any page at all could act as the user", hint);
        }
        let methods = methods.as_ref().map(|methods| {
            let methods: Vec<_> = methods.iter().map(|method| self.method(method)).collect();
            methods.into_iter().collect::<Option<Vec<_>>>()
        });
        let any_header = headers.iter().any(|name| name.value == "*");
        let headers = self.field_names(headers.iter().filter(|name| name.value != "*"));
        let expose = self.field_names(expose.iter());
        Some(CorsConfig {
            origins: origins?,
            methods: match methods {
                Some(methods) => Some(methods?),
                None => None,
            },
            headers: (!any_header).then_some(headers?),
            expose: expose?,
            credentials: credentials.value,
            max_age: max_age.map(|age| age.0),
        })
    }

    fn field_names<'n>(&mut self, names: impl Iterator<Item = &'n Located<String>>) -> Option<Vec<String>> {
        let names: Vec<_> = names.map(|name| self.header_name(&name.value, &name.span)).collect();
        names.into_iter().collect()
    }

    fn origin(&mut self, origin: &Located<String>) -> Option<OriginPattern> {
        let pattern = pattern(&origin.value);
        if pattern.is_none() {
            let hint =
                "write \"https://app.example.com\" or \"https://*.example.com\", without a path, \"*\" or \"null\"";
            self.error(&origin.span, format!("`{}` is not an origin", origin.value), hint);
        }
        pattern
    }
}

fn pattern(text: &str) -> Option<OriginPattern> {
    if text == "*" {
        return Some(OriginPattern::Any);
    }
    if text == "null" {
        return Some(OriginPattern::Exact(text.to_owned()));
    }
    let text = text.to_ascii_lowercase();
    let (scheme, rest) = text.split_once("://")?;
    let (domain, wildcard) = match rest.strip_prefix("*.") {
        Some(domain) => (domain, true),
        None => (rest, false),
    };
    // A path, a query, a user: none of them is part of an origin.
    if domain.contains(['/', '?', '#', '@', '*'])
        || scheme.contains(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c))
    {
        return None;
    }
    let uri: Uri = format!("{scheme}://{domain}/").parse().ok()?;
    let authority = uri
        .authority()
        .filter(|authority| authority.as_str() == domain && !authority.host().is_empty())?;
    let port = authority.port().map(|port| format!(":{port}"));
    // Browsers leave the usual port out.
    let usual = matches!(
        (scheme, port.as_deref()),
        ("http", Some(":80")) | ("https", Some(":443"))
    );
    let port = port.filter(|_| !usual).unwrap_or_default();
    let host = authority.host();
    Some(match wildcard {
        true => OriginPattern::Under {
            scheme: format!("{scheme}://"),
            domain: format!(".{host}{port}"),
        },
        false => OriginPattern::Exact(format!("{scheme}://{host}{port}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port_as_browsers_say_them() {
        let exact = |text: &str| Some(OriginPattern::Exact(text.to_owned()));
        assert_eq!(pattern("https://App.Example.com"), exact("https://app.example.com"));
        assert_eq!(pattern("https://a.b:443"), exact("https://a.b"));
        assert_eq!(pattern("http://localhost:8080"), exact("http://localhost:8080"));
        assert_eq!(pattern("http://[::1]:3000"), exact("http://[::1]:3000"));
        assert_eq!(pattern("null"), exact("null"));
        let under = OriginPattern::Under {
            scheme: "https://".to_owned(),
            domain: ".example.com:8443".to_owned(),
        };
        assert_eq!(pattern("https://*.example.com:8443"), Some(under));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "example.com",
            "https://",
            "https://a/",
            "https://a/b",
            "https://u@a",
            "https://*",
            "https://*.*.a",
            "https://a.*",
            "https://a?b",
            "https://a b",
            "//a",
        ] {
            assert_eq!(pattern(text), None, "{text}");
        }
    }
}
