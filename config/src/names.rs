//! What templates, the access log and limits may name of an exchange: the one catalogue of it, and what the same things are
//! called elsewhere, so that a name from another gateway is answered with the right one.

use http::HeaderName;
use serde::Serialize;

use crate::report::nearest;

/// Something of an exchange that every exchange has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Variable {
    /// `client.address`
    ClientAddress,
    /// `listener.name`
    ListenerName,
    /// `request.host`: without port.
    RequestHost,
    /// `request.id`
    RequestId,
    /// `request.method`
    RequestMethod,
    /// `request.path`: in normal form, without the query.
    RequestPath,
    /// `request.port`
    RequestPort,
    /// `request.query`: whole, without its question mark.
    RequestQuery,
    /// `request.scheme`
    RequestScheme,
    /// `response.status`
    ResponseStatus,
    /// `route.name`
    RouteName,
    /// `tls.version`
    TlsVersion,
    /// `header.NAME`, in lower case: the request's field; several are joined by `, `.
    Header(String),
    /// `query.NAME`: the first parameter of that name, decoded.
    Query(String),
}

/// Variables with a name of their own.
const VARIABLES: [(&str, Variable); 12] = [
    ("client.address", Variable::ClientAddress),
    ("listener.name", Variable::ListenerName),
    ("request.host", Variable::RequestHost),
    ("request.id", Variable::RequestId),
    ("request.method", Variable::RequestMethod),
    ("request.path", Variable::RequestPath),
    ("request.port", Variable::RequestPort),
    ("request.query", Variable::RequestQuery),
    ("request.scheme", Variable::RequestScheme),
    ("response.status", Variable::ResponseStatus),
    ("route.name", Variable::RouteName),
    ("tls.version", Variable::TlsVersion),
];

/// Attributes that built-in stages set under these names.
const ATTRIBUTES: [&str; 20] = [
    "auth.access_key_id",
    "auth.api_key",
    "auth.authorizer",
    "auth.certificate.cn",
    "auth.certificate.der",
    "auth.certificate.fingerprint",
    "auth.certificate.issuer",
    "auth.certificate.not_after",
    "auth.certificate.not_before",
    "auth.certificate.san",
    "auth.certificate.serial",
    "auth.certificate.subject",
    "auth.principal",
    "auth.region",
    "auth.scopes",
    "auth.service",
    "auth.usage_key",
    "auth.usage_plans",
    "correlation.id",
    "waf.rule",
];

/// What others call it: nginx, Kong, Envoy, Caddy, HAProxy, Traefik, Amazon API Gateway, and what one guesses. In lower case,
/// without what is around it.
const ELSEWHERE: [(&str, &[&str]); 13] = [
    (
        "client.address",
        &[
            "binary_remote_addr",
            "client",
            "client.ip",
            "client_address",
            "client_ip",
            "clientip",
            "context.identity.sourceip",
            "downstream_remote_address",
            "http.request.remote.host",
            "ip",
            "proxy_add_x_forwarded_for",
            "realip_remote_addr",
            "remote_addr",
            "remote_host",
            "remote_ip",
            "request.client",
            "request.ip",
            "request.remote",
            "source.ip",
            "source_ip",
            "sourceip",
            "src",
        ],
    ),
    ("listener.name", &["entrypoint", "listener", "listener_name", "server"]),
    (
        "request.host",
        &[
            "authority",
            "context.domainname",
            "host",
            "hostname",
            "http.request.host",
            "req.host",
            "request.authority",
            "server_name",
        ],
    ),
    (
        "request.id",
        &[
            "context.requestid",
            "http.request.uuid",
            "id",
            "req_id",
            "request-id",
            "request_id",
            "requestid",
            "unique_id",
            "uuid",
        ],
    ),
    (
        "request.method",
        &[
            "context.httpmethod",
            "http.request.method",
            "method",
            "req.method",
            "request_method",
            "verb",
        ],
    ),
    (
        "request.path",
        &[
            "context.path",
            "document_uri",
            "http.request.uri",
            "http.request.uri.path",
            "path",
            "request.uri",
            "request.url",
            "request_path",
            "request_uri",
            "uri",
            "url",
        ],
    ),
    ("request.port", &["http.request.port", "port", "server_port"]),
    (
        "request.query",
        &[
            "args",
            "http.request.uri.query",
            "query",
            "query_string",
            "querystring",
            "request.args",
            "request.querystring",
        ],
    ),
    (
        "request.scheme",
        &[
            "forwarded_proto",
            "http.request.scheme",
            "proto",
            "request.proto",
            "request.protocol",
            "scheme",
        ],
    ),
    (
        "response.status",
        &[
            "context.status",
            "http.response.status",
            "response.code",
            "response_code",
            "status",
            "status_code",
        ],
    ),
    (
        "route.name",
        &["context.routekey", "route", "route_name", "router_name", "service"],
    ),
    (
        "tls.version",
        &[
            "http.request.tls.version",
            "ssl_protocol",
            "ssl_version",
            "tls",
            "tls.protocol",
            "tls_version",
        ],
    ),
    (
        "auth.principal",
        &[
            "authenticated_userid",
            "consumer",
            "consumer_username",
            "context.authorizer.principalid",
            "principal",
            "remote_user",
            "sub",
            "user",
            "username",
        ],
    ),
];

/// What begins like this elsewhere, and here.
const PREFIXES: [(&str, &str); 16] = [
    ("request.headers.", "header."),
    ("request.header.", "header."),
    ("http.request.header.", "header."),
    ("req.header.", "header."),
    ("headers.", "header."),
    ("http_", "header."),
    ("header:", "header."),
    ("request.querystring.", "query."),
    ("request.query.", "query."),
    ("http.request.uri.query.", "query."),
    ("querystring.", "query."),
    ("arg_", "query."),
    ("query:", "query."),
    ("request.path.", "path."),
    ("claims.", "auth.claims."),
    ("attributes.", ""),
];

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Named {
    /// A parameter of the route's path.
    Path(String),
    /// An attribute, which a stage may set.
    Attribute(String),
    /// Something that every exchange has.
    Variable(Variable),
}

impl Named {
    /// What a name stands for.
    ///
    /// # Errors
    /// When there is nothing of that name: what to write instead.
    pub fn read(name: &str) -> Result<Self, String> {
        if let Some((_, variable)) = VARIABLES.iter().find(|(known, _)| *known == name) {
            return Ok(Self::Variable(variable.clone()));
        }
        let named = match name.split_once('.') {
            Some(("header", field)) => HeaderName::from_bytes(field.as_bytes())
                .ok()
                .map(|field| Self::Variable(Variable::Header(field.as_str().to_owned()))),
            Some(("query", parameter)) if !parameter.is_empty() => {
                Some(Self::Variable(Variable::Query(parameter.to_owned())))
            }
            Some(("path", parameter)) if is_word(parameter) => Some(Self::Path(parameter.to_owned())),
            _ if is_attribute(name) => Some(Self::Attribute(name.to_owned())),
            _ => None,
        };
        match named {
            // Routes are found by it, and it is no field of the request any more when stages see it.
            Some(Self::Variable(Variable::Header(field))) if field == "host" => {
                Err("write `{request.host}`: the host of a request is settled before its stages run".to_owned())
            }
            Some(named) => Ok(named),
            None => Err(instead_of(name)),
        }
    }
}

impl std::fmt::Display for Variable {
    /// Its name.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header.{name}"),
            Self::Query(name) => write!(f, "query.{name}"),
            fixed => {
                let found = VARIABLES.iter().find(|(_, variable)| variable == fixed);
                f.write_str(found.map_or("", |(name, _)| name))
            }
        }
    }
}

/// Names of variables, for templates that have them as objects: `("client", "address")`.
pub fn variables() -> impl Iterator<Item = (&'static str, &'static str)> {
    VARIABLES.iter().filter_map(|(name, _)| name.split_once('.'))
}

/// What to write instead of a name that there is not.
pub fn instead_of(name: &str) -> String {
    match right_name(name) {
        Some(right) => format!("write `{{{right}}}`"),
        None => {
            let fixed: Vec<_> = VARIABLES.iter().map(|(name, _)| format!("`{{{name}}}`")).collect();
            format!(
                "there are {}, `{{header.NAME}}`, `{{query.NAME}}`, `{{path.NAME}}`, and attributes such as `{{auth.principal}}`",
                fixed.join(", ")
            )
        }
    }
}

/// The name that is meant by one from elsewhere, or by one that is misspelt.
pub fn right_name(name: &str) -> Option<String> {
    let lower = name.trim().to_ascii_lowercase();
    let lower = lower.strip_prefix("context.request.").unwrap_or(&lower);
    let known = ELSEWHERE.iter().find(|(_, names)| names.contains(&lower));
    if let Some((right, _)) = known {
        return Some((*right).to_owned());
    }
    for (theirs, ours) in PREFIXES {
        if let Some(rest) = lower.strip_prefix(theirs).filter(|rest| !rest.is_empty()) {
            // Fields have hyphens where variables elsewhere cannot.
            let rest = if theirs == "http_" {
                rest.replace('_', "-")
            } else {
                rest.to_owned()
            };
            let right = format!("{ours}{rest}");
            return match Named::read(&right) {
                Ok(_) => Some(right),
                Err(_) if right == "header.host" => Some("request.host".to_owned()),
                Err(_) => None,
            };
        }
    }
    let known = VARIABLES.iter().map(|(name, _)| *name).chain(ATTRIBUTES);
    nearest(lower, known).map(str::to_owned)
}

/// The attribute of a built-in stage that is meant by one that no built-in stage sets; none where none is near.
pub(crate) fn misspelt(attribute: &str) -> Option<&'static str> {
    let is_known = ATTRIBUTES.contains(&attribute) || attribute.starts_with("auth.claims.");
    let candidates = || nearest(attribute, ATTRIBUTES);
    if is_known { None } else { candidates() }
}

/// The first name in a text that is written as elsewhere: `$remote_addr`, `$context.requestId`. None where a `$` is just one.
pub(crate) fn dollar_name(text: &str) -> Option<&str> {
    text.match_indices('$').find_map(|(start, _)| {
        let before = text.get(..start)?.chars().next_back();
        let rest = text.get(start + 1..)?;
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.')));
        let name = rest.get(..end.unwrap_or(rest.len()))?.trim_end_matches('.');
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
        // `pa$$word`, `US$1` and `a$b` are texts.
        let is_apart = before.is_none_or(|before| !before.is_alphanumeric() && before != '$');
        let is_name = right_name(name).is_some() || name.contains(['_', '.']);
        (begins && is_apart && is_name).then_some(name)
    })
}

fn is_word(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Whether an attribute can have this name: those of built-in stages, claims, and what authorizers and plugins say.
fn is_attribute(name: &str) -> bool {
    if let Some(claim) = name.strip_prefix("auth.claims.") {
        // Claims have whatever names their issuer gives them: `cognito:groups`, `https://example.com/roles`.
        return !claim.is_empty() && !claim.contains(char::is_control);
    }
    let words = || name.split('.').all(is_word);
    match name.split_once('.') {
        Some(("auth", _)) => words(),
        Some(("plugin", rest)) => words() && rest.contains('.'),
        _ => ATTRIBUTES.contains(&name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_is_read_by_its_name_and_shown_by_it() {
        for (name, variable) in &VARIABLES {
            assert_eq!(Named::read(name), Ok(Named::Variable(variable.clone())));
            assert_eq!(variable.to_string(), *name);
        }
        for (name, shown) in [("header.X-Tenant", "header.x-tenant"), ("query.a b", "query.a b")] {
            let Ok(Named::Variable(variable)) = Named::read(name) else {
                panic!("{name}")
            };
            assert_eq!(variable.to_string(), shown);
        }
        for attribute in ATTRIBUTES
            .into_iter()
            .chain(["auth.tenant", "plugin.a.b", "auth.claims.cognito:groups"])
        {
            assert_eq!(Named::read(attribute), Ok(Named::Attribute(attribute.to_owned())));
        }
        assert_eq!(Named::read("path.id"), Ok(Named::Path("id".to_owned())));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_right_one() {
        for (name, right) in [
            ("client", "client.address"),
            ("remote_addr", "client.address"),
            ("client_ip", "client.address"),
            ("client.adress", "client.address"),
            ("context.identity.sourceIp", "client.address"),
            ("http.request.host", "request.host"),
            ("http_host", "request.host"),
            ("header.Host", "request.host"),
            ("http_user_agent", "header.user-agent"),
            ("request.headers.x-tenant", "header.x-tenant"),
            ("arg_page", "query.page"),
            ("request_id", "request.id"),
            ("request.uri", "request.path"),
            ("status", "response.status"),
            ("ssl_protocol", "tls.version"),
            ("principal", "auth.principal"),
            ("claims.tenant", "auth.claims.tenant"),
            ("attributes.auth.principal", "auth.principal"),
        ] {
            let hint = Named::read(name).unwrap_err();
            assert!(hint.starts_with(&format!("write `{{{right}}}`")), "{name}: {hint}");
        }
        for name in [
            "",
            "zzz",
            "foo.bar",
            "query.",
            "header.a b",
            "path.",
            "plugin.a",
            "auth.",
            "auth.claims.",
        ] {
            assert!(Named::read(name).is_err(), "{name}");
        }
        for (_, names) in &ELSEWHERE {
            for name in *names {
                assert!(Named::read(name).is_err(), "{name} is a name here too");
            }
        }
    }

    #[test]
    fn names_after_a_dollar_are_found_and_other_dollars_are_text() {
        for (text, name) in [
            ("$remote_addr", Some("remote_addr")),
            ("for=$remote_addr;by=x", Some("remote_addr")),
            ("a, $host.", Some("host")),
            ("$context.requestId", Some("context.requestId")),
            ("$no_such_thing", Some("no_such_thing")),
            ("US$1", None),
            ("pa$$word", None),
            ("a$host", None),
            ("$x", None),
            ("$", None),
            ("costs 5$", None),
        ] {
            assert_eq!(dollar_name(text), name, "{text}");
        }
    }

    #[test]
    fn an_attribute_that_is_nearly_one_of_a_stage_is_misspelt() {
        assert_eq!(misspelt("auth.principle"), Some("auth.principal"));
        assert_eq!(misspelt("auth.principal"), None);
        assert_eq!(misspelt("auth.claims.principle"), None);
        assert_eq!(misspelt("auth.tenant"), None);
    }
}
