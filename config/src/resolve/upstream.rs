//! `[upstream.NAME]`

use std::collections::BTreeMap;

use http::Uri;

use super::Resolver;
use super::path::normal_segment;
use crate::file::{Located, Section, Target, Upstream};
use crate::gateway::{EjectionConfig, TargetConfig, TlsIdentity, UpstreamConfig};
use crate::report::quoted;
use crate::web_url::no_url;

const EXAMPLE: &str = "write a URL such as \"http://127.0.0.1:9001\" or \"https://users.internal/base\"";

impl Resolver<'_> {
    pub(super) fn upstreams(&mut self) -> BTreeMap<String, UpstreamConfig> {
        let sections = self.file.upstream.iter();
        sections
            .filter_map(|(name, section)| Some((name.clone(), self.upstream(name, section)?)))
            .collect()
    }

    fn upstream(&mut self, name: &str, section: &Section<Upstream>) -> Option<UpstreamConfig> {
        let key = format!("upstream.{}", quoted(name));
        let upstream = &section.value;
        let example = "[{ url = \"http://127.0.0.1:9001\" }]";
        let targets = self.required(upstream.targets.as_ref(), &section.span, "targets", example);
        if let Some(targets) = targets.filter(|targets| targets.value.is_empty() && section.whole) {
            self.error(
                &targets.span,
                "an upstream has one target at least",
                format!("write {example}"),
            );
        }
        let targets: Option<Vec<_>> = targets.map(|targets| {
            let targets = targets.value.iter().enumerate();
            targets
                .filter_map(|(index, target)| self.target(target, format!("{key}.targets[{index}].url")))
                .collect()
        });
        let ca = upstream.ca.as_ref();
        let ca = ca.and_then(|file| self.file_reference(file, format!("{key}.ca")));
        let server_name = upstream.server_name.as_ref().and_then(|name| self.server_name(name));
        let identity = self.tls_identity(section, &key);
        if let Some(targets) = &targets {
            self.unused_tls(upstream, targets);
        }
        Some(UpstreamConfig {
            targets: targets?,
            connect_timeout: upstream.connect_timeout.0,
            response_timeout: upstream.response_timeout.0,
            body_timeout: upstream.body_timeout.0,
            idle_timeout: upstream.idle_timeout.0,
            idle_connections: upstream.idle_connections,
            header_bytes: upstream.header_bytes,
            header_count: upstream.header_count.as_usize(),
            ca,
            server_name,
            identity,
            accepts_any_certificate: upstream.dangerous_accept_any_certificate.value,
            ejection: EjectionConfig {
                failures: upstream.ejection.failures,
                slow: upstream.ejection.slow.map(|slow| slow.0),
                time: upstream.ejection.time.0,
            },
            place: self.report.place(&section.span, key),
        })
    }

    /// A DNS name or an IP address.
    fn server_name(&mut self, name: &Located<String>) -> Option<String> {
        let text = name.value.as_str();
        let is_host = |text: &str| matches!(parse_url(&format!("https://{text}")), Ok(url) if url.host == text && url.base_path.is_empty());
        let lower = text.to_ascii_lowercase();
        if text.parse::<std::net::IpAddr>().is_ok() || is_host(&lower) {
            return Some(lower);
        }
        let hint = "write the name in the targets' certificates, such as \"users.internal\"";
        self.error(&name.span, format!("`{text}` is not the name of a server"), hint);
        None
    }

    /// Certificate and key, which belong together.
    fn tls_identity(&mut self, section: &Section<Upstream>, key: &str) -> Option<TlsIdentity> {
        let upstream = &section.value;
        let (certificate, private) = match (&upstream.client_certificate, &upstream.client_key) {
            (None, None) => return None,
            (Some(certificate), Some(private)) => (certificate, private),
            (Some(certificate), None) => {
                let hint = "add `client_key`, the file of its private key";
                self.error(&certificate.span, "a certificate is of no use without its key", hint);
                return None;
            }
            (None, Some(private)) => {
                let hint = "add `client_certificate`, the file of the certificate";
                self.error(&private.span, "a key is of no use without its certificate", hint);
                return None;
            }
        };
        let certificate = self.file_reference(certificate, format!("{key}.client_certificate"));
        let private = self.file_reference(private, format!("{key}.client_key"));
        Some(TlsIdentity {
            certificate: certificate?,
            key: private?,
        })
    }

    /// What is said of TLS and has no effect is a mistake: somebody relies on it.
    fn unused_tls(&mut self, upstream: &Upstream, targets: &[TargetConfig]) {
        let Upstream {
            ca,
            server_name,
            client_certificate,
            dangerous_accept_any_certificate: any,
            ..
        } = upstream;
        let named = [server_name, client_certificate]
            .into_iter()
            .flatten()
            .map(|value| &value.span);
        let about_tls = named.chain(any.value.then_some(&any.span)).next();
        if let Some(span) = about_tls.filter(|_| !targets.is_empty() && !targets.iter().any(|target| target.tls)) {
            self.error(
                span,
                "no target speaks TLS",
                "write `https://` in the URLs of the targets, or remove it",
            );
        }
        if let Some(ca) = ca.as_ref().filter(|_| any.value) {
            let hint = "remove `dangerous_accept_any_certificate`, or this";
            self.error(&ca.span, "nothing is verified with these authorities", hint);
        }
    }

    fn target(&mut self, target: &Located<Target>, key: String) -> Option<TargetConfig> {
        let Target { url, weight } = &target.value;
        let url = self.required(url.as_ref(), &target.span, "url", "\"http://127.0.0.1:9001\"")?;
        match parse_url(&url.value) {
            Ok(Url {
                tls,
                host,
                port,
                base_path,
            }) => Some(TargetConfig {
                tls,
                host,
                port,
                base_path,
                weight: weight.0,
                place: self.report.place(&url.span, key),
            }),
            Err(reason) => {
                self.error(&url.span, reason, EXAMPLE);
                None
            }
        }
    }
}

/// A URL without what has no meaning for whoever connects there.
#[derive(Debug, PartialEq)]
pub(super) struct Url {
    pub(super) tls: bool,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) base_path: String,
}

pub(super) fn parse_url(text: &str) -> Result<Url, String> {
    // `Uri` cuts a fragment off in silence.
    if text.contains('#') {
        return Err(format!("{} has a fragment", named(text)));
    }
    let uri: Uri = text
        .parse()
        .map_err(|_| format!("{} cannot be read: {}", named(text), no_url(text)))?;
    let tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        Some(other) => return Err(format!("the scheme `{other}` is not one of `http` and `https`")),
        None => return Err(format!("{} has no scheme", named(text))),
    };
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return Err("the URL has a user name or password".to_owned());
    }
    if uri.query().is_some() {
        return Err("the URL has a query".to_owned());
    }
    let host = uri
        .host()
        .unwrap_or_default()
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_ascii_lowercase();
    if host.is_empty() {
        return Err(format!("{} has no host", named(text)));
    }
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    let port = match uri.port_u16() {
        Some(port) if port > 0 => port,
        None if !has_port => {
            if tls {
                443
            } else {
                80
            }
        }
        _ => return Err(format!("{} has an impossible port", named(text))),
    };
    Ok(Url {
        tls,
        host,
        port,
        base_path: base_path(uri.path())?,
    })
}

/// A URL in a message. It is not repeated where it has user information or a query: both may hold a password.
fn named(text: &str) -> String {
    match text.contains(['@', '?']) {
        true => "the URL".to_owned(),
        false => format!("the URL `{text}`"),
    }
}

/// Empty, or `/a/b` in the normal form of request paths.
fn base_path(path: &str) -> Result<String, String> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let Some(segments) = path.strip_prefix('/') else {
        return Ok(String::new());
    };
    let mut normal = String::new();
    for segment in segments.split('/') {
        let segment = normal_segment(segment)?;
        if segment.is_empty() {
            return Err("its path has an empty segment".to_owned());
        }
        normal.push('/');
        normal.push_str(&segment);
    }
    Ok(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let url = parse_url("https://[::1]/a%7e/").unwrap();
        assert_eq!(
            url,
            Url {
                tls: true,
                host: "::1".to_owned(),
                port: 443,
                base_path: "/a~".to_owned()
            }
        );
        assert_eq!(parse_url("http://Users:81").unwrap().host, "users");
        assert_eq!(parse_url("http://users").unwrap().port, 80);
    }

    #[test]
    fn what_is_no_url_of_a_target_is_refused() {
        let urls = "users|users:80|ftp://a|http://|http://a?b|http://a#b|http://u:p@a|http://a:0|http://a:99999|http://a//b|\
                    http://a/../b|http://a:|/a|*|";
        for url in urls.split('|') {
            assert!(parse_url(url).is_err(), "{url}");
        }
    }
}
