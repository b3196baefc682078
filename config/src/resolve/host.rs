//! Hosts that a route serves.

use super::Resolver;
use crate::file::Located;
use crate::gateway::HostPattern;

impl Resolver<'_> {
    pub(super) fn host(&mut self, host: &Located<String>) -> Option<HostPattern> {
        let lower = host.value.to_ascii_lowercase();
        let pattern = match lower.strip_prefix("*.") {
            Some(suffix) => is_name(suffix).then(|| HostPattern::Suffix(suffix.to_owned())),
            None => (is_name(&lower) || is_ipv6(&lower)).then(|| HostPattern::Exact(lower.clone())),
        };
        if pattern.is_none() {
            self.error(&host.span, format!("`{}` is not a host", host.value), hint(&lower));
        }
        pattern
    }
}

fn hint(host: &str) -> String {
    match host.rsplit_once(':') {
        Some((name, port)) if is_name(name) && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("leave the port out: \"{name}\"")
        }
        _ if host == "*" => "leave `hosts` out for any host".to_owned(),
        _ if !host.is_ascii() => "write international names as clients send them: \"xn--…\"".to_owned(),
        _ => "write a name such as \"api.example.com\" or \"*.example.com\"".to_owned(),
    }
}

fn is_name(name: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let label = |label: &str| !label.is_empty() && label.len() <= 63 && label.bytes().all(valid);
    name.len() <= 253 && name.split('.').all(label)
}

/// `[::1]`, as a `Host` header has it.
fn is_ipv6(name: &str) -> bool {
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
}
