//! Which route is found and with which parameters, and which routes are refused.

mod oracle;
mod tables;

use std::time::Duration;

use gatewright_config::gateway::{
    HostPattern, IntegrationConfig, PathSegment, PathTemplate, RespondConfig, RouteConfig, ValuePredicate,
};
use gatewright_config::{Encoded, Place};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{RouteMatch, RouteRequest, Router, RouterError, RouterErrorCause};

/// A route from `METHOD,METHOD host,*.suffix/path/{id}/{rest+}?key=value&key` and `name: value` lines;
/// `*` is any method, no host is any host.
fn route(text: &str) -> RouteConfig {
    let mut lines = text.split('\n').map(str::trim);
    let (methods, target) = lines.next().unwrap().split_once(' ').unwrap();
    let (hosts, path) = target.split_at(target.find('/').unwrap());
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    RouteConfig {
        name: text.to_owned(),
        place: Place::nowhere(),
        listeners: Vec::new(),
        hosts: hosts
            .split(',')
            .filter(|host| !host.is_empty())
            .map(host_pattern)
            .collect(),
        path: PathTemplate(path.split('/').skip(1).map(segment).collect()),
        methods: methods
            .split(',')
            .filter(|method| *method != "*")
            .map(str::to_owned)
            .collect(),
        headers: lines.map(|line| predicate(line, ": ")).collect(),
        query: query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| predicate(pair, "="))
            .collect(),
        chain: Vec::new(),
        integration: IntegrationConfig::Respond(RespondConfig {
            status: 200,
            headers: Vec::new(),
            body: String::new(),
        }),
        timeout: Duration::from_secs(1),
        body_bytes: None,
        encoded_slash: Encoded::Refuse,
        encoded_percent: Encoded::Refuse,
    }
}

fn host_pattern(text: &str) -> HostPattern {
    match text.strip_prefix("*.") {
        Some(suffix) => HostPattern::Suffix(suffix.to_owned()),
        None => HostPattern::Exact(text.to_owned()),
    }
}

fn segment(text: &str) -> PathSegment {
    match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        None => PathSegment::Static(text.to_owned()),
        Some(name) => match name.strip_suffix('+') {
            Some(name) => PathSegment::Greedy(name.to_owned()),
            None => match name.strip_suffix('*') {
                None => PathSegment::Parameter(name.to_owned()),
                Some(name) => PathSegment::Rest(name.to_owned()),
            },
        },
    }
}

fn predicate(text: &str, separator: &str) -> (String, ValuePredicate) {
    match text.split_once(separator) {
        None => (text.to_owned(), ValuePredicate::Present),
        Some((name, value)) => (name.to_owned(), ValuePredicate::Equals(value.to_owned())),
    }
}

fn router(routes: &[RouteConfig]) -> Result<Router, RouterError> {
    Router::new(routes.iter().enumerate())
}

/// Asks for `METHOD host/path?query` and `name: value` lines.
fn find(router: &Router, text: &str) -> RouteMatch {
    let mut lines = text.split('\n').map(str::trim);
    let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
    let (host, path) = target.split_at(target.find('/').unwrap());
    let (path, query) = path
        .split_once('?')
        .map_or((path, None), |(path, query)| (path, Some(query)));
    let mut headers = HeaderMap::new();
    for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
        headers.append(
            name.parse::<HeaderName>().unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    let method: Method = method.parse().unwrap();
    router.find(&RouteRequest {
        host,
        method: &method,
        path,
        query,
        headers: &headers,
        preflight: false,
    })
}

/// What was found, in a line: `name` of the route and `parameter=value`, `404`, or `405` with the methods.
fn found(routes: &[RouteConfig], request: &str) -> String {
    match find(&router(routes).unwrap(), request) {
        RouteMatch::NotFound => "404".to_owned(),
        RouteMatch::MethodNotAllowed { allow } => format!("405 {allow}"),
        RouteMatch::Found { route, parameters } => {
            let mut text = routes[route].name.clone();
            for (name, value) in parameters.iter() {
                text.push_str(&format!(" {name}={value}"));
            }
            text
        }
    }
}

#[test]
fn parameters_are_given_encoded_and_decoded() {
    let routes = [route("* /{a}/{b}/{rest+}")];
    let RouteMatch::Found { parameters, .. } = find(&router(&routes).unwrap(), "GET h/x%20y/%C3%A9/c/d%3B") else {
        panic!("not found");
    };
    assert_eq!(parameters.get("a"), Some("x%20y"));
    assert_eq!(parameters.decoded("a").as_deref(), Some("x y"));
    assert_eq!(parameters.decoded("b").as_deref(), Some("\u{e9}"));
    assert_eq!(parameters.get("rest"), Some("c/d%3B"));
    assert_eq!(parameters.get("c"), None);
    assert!(!parameters.is_empty());
}

#[test]
fn what_cannot_be_searched_for_is_refused() {
    let cause = |routes: &[&str]| {
        let routes: Vec<_> = routes.iter().map(|text| route(text)).collect();
        router(&routes).err().map(|error| error.cause)
    };
    assert_eq!(cause(&["GET /{a}/x", "GET /{b}/x"]), Some(RouterErrorCause::Conflict));
    assert_eq!(
        cause(&["GET /{a+}?x&y", "GET /{b+}?y&x"]),
        Some(RouterErrorCause::Conflict)
    );
    assert_eq!(cause(&["GET,GET h,h/x?x&x"]), None);
    assert_eq!(cause(&["GET /{rest+}/x"]), Some(RouterErrorCause::GreedyNotLast));
    assert_eq!(cause(&["GET /{rest*}/x"]), Some(RouterErrorCause::GreedyNotLast));
    assert_eq!(cause(&["GET /{a*}", "GET /{b*}"]), Some(RouterErrorCause::Conflict));
    assert_eq!(cause(&["GET /a/{rest*}", "GET /a/{rest+}", "GET /a", "GET /a/"]), None);
    assert_eq!(cause(&["G@T /x"]), Some(RouterErrorCause::Method("G@T".to_owned())));
    assert_eq!(cause(&["* /x\nb@d"]), Some(RouterErrorCause::Header("b@d".to_owned())));
    assert!(matches!(cause(&["* /a%2fb"]), Some(RouterErrorCause::Segment(..))));
    assert_eq!(
        cause(&[&format!("* {}", "/{p}".repeat(26))]),
        Some(RouterErrorCause::TooManyParameters)
    );
    assert_eq!(cause(&[&format!("* {}", "/{p}".repeat(25))]), None);
    assert_eq!(cause(&[&format!("* {}/{{r+}}", "/{p}".repeat(24))]), None);
    assert_eq!(cause(&[]), None);
}
