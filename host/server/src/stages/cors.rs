//! `cors`: scripts of other origins may read responses, by the CORS protocol of the Fetch standard.
//!
//! It is first in a chain, so that responses of all other stages can be read too, and preflight requests, which never carry
//! credentials, are answered before anybody asks for some. It keeps nobody out: what a browser lets scripts read is decided in
//! the browser, and whoever must not be served has to be refused by another stage.

use std::time::Duration;

use gatewright_config::{CorsConfig, OriginPattern};
use gatewright_core::{Body, Exchange, Flow, Problem, Response, Stage, Step, Value};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

/// The attribute with the origin that may read the response.
const ORIGIN: &str = "cors.origin";
/// What a route for all methods lets scripts use.
const METHODS: [Method; 6] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];
/// What only this stage says.
const SAID: [HeaderName; 6] = [
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

/// Says who may read responses.
pub struct Cors {
    origins: Vec<OriginPattern>,
    methods: HeaderValue,
    /// None: those that are asked for.
    headers: Option<HeaderValue>,
    expose: HeaderValue,
    credentials: bool,
    max_age: Option<HeaderValue>,
}

impl Stage for Cors {
    fn name(&self) -> &str {
        "cors"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        let request = &exchange.request;
        let origin = single(&request.headers, &header::ORIGIN);
        let allowed = origin.filter(|origin| self.allows(origin)).map(str::to_owned);
        if is_preflight(&request.method, &request.headers) {
            let response = self.preflight(allowed.as_deref(), &request.headers);
            return Step::ready(Ok(Flow::Answer(Box::new(response))));
        }
        if let Some(origin) = allowed {
            exchange.attributes.set(ORIGIN, Value::Text(origin));
        }
        Step::ready(Ok(Flow::Proceed))
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        response: &'a mut Response,
    ) -> Step<'a, Result<(), Problem>> {
        let origin = exchange.attributes.get(ORIGIN);
        let origin = match origin.as_deref() {
            Some(Value::Text(origin)) => Some(origin.as_str()),
            _ => None,
        };
        self.say(origin, response.headers_mut());
        Step::ready(Ok(()))
    }

    fn sees_responses(&self) -> bool {
        true
    }
}

/// Whether a request only asks what another one may do.
#[must_use]
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The method of the request that a preflight asks about; none where it is no preflight, or asks about no method.
#[must_use]
pub fn asked_about(method: &Method, headers: &HeaderMap) -> Option<Method> {
    if !is_preflight(method, headers) {
        return None;
    }
    let asked = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    Method::from_bytes(asked.as_bytes()).ok()
}

impl Cors {
    /// A stage of a route with these methods; none for a route for all.
    #[must_use]
    pub fn new(config: &CorsConfig, methods: &[String]) -> Self {
        let all = METHODS.map(|method| method.to_string());
        let methods = match &config.methods {
            Some(methods) => methods,
            None if methods.is_empty() => all.as_slice(),
            None => methods,
        };
        Self {
            origins: config.origins.clone(),
            methods: list(methods),
            headers: config.headers.as_deref().map(list),
            expose: list(&config.expose),
            credentials: config.credentials,
            max_age: config.max_age.map(|age: Duration| age.as_secs().into()),
        }
    }

    /// Says in a response that was given before the chain who may read it, as in one that comes out of the chain.
    pub fn say_before(&self, request: &HeaderMap, response: &mut HeaderMap) {
        let origin = single(request, &header::ORIGIN);
        self.say(origin.filter(|origin| self.allows(origin)), response);
    }

    /// Says in a response's fields who may read it; `origin` may.
    fn say(&self, origin: Option<&str>, headers: &mut HeaderMap) {
        for name in SAID {
            headers.remove(name);
        }
        if let Some(origin) = origin {
            self.tell(headers, origin);
            if !self.expose.is_empty() {
                headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, self.expose.clone());
            }
        }
        if !self.is_for_all() {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
    }

    fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|pattern| match pattern {
            OriginPattern::Any => true,
            OriginPattern::Exact(exact) => origin == exact,
            OriginPattern::Under { scheme, domain } => origin
                .strip_prefix(scheme.as_str())
                .and_then(|rest| rest.strip_suffix(domain.as_str()))
                .is_some_and(is_subdomain),
        })
    }

    /// Whether the answer is the same whoever asks.
    fn is_for_all(&self) -> bool {
        self.origins.contains(&OriginPattern::Any)
    }

    fn preflight(&self, origin: Option<&str>, asked: &HeaderMap) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        let vary = "origin, access-control-request-method, access-control-request-headers";
        headers.insert(header::VARY, HeaderValue::from_static(vary));
        let Some(origin) = origin else {
            return response;
        };
        self.tell(headers, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        let allowed = self
            .headers
            .as_ref()
            .or_else(|| asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS));
        if let Some(allowed) = allowed.filter(|allowed| !allowed.is_empty()) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed.clone());
        }
        if let Some(age) = &self.max_age {
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, age.clone());
        }
        response
    }

    fn tell(&self, headers: &mut HeaderMap, origin: &str) {
        let origin = match self.is_for_all() {
            true => Ok(HeaderValue::from_static("*")),
            false => HeaderValue::from_str(origin),
        };
        // It came in a header field, so it can go in one.
        if let Ok(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        if self.credentials {
            let name = header::ACCESS_CONTROL_ALLOW_CREDENTIALS;
            headers.insert(name, HeaderValue::from_static("true"));
        }
    }
}

/// The value of a field that is there once; two origins are none.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.to_str().ok()).flatten()
}

/// Whether a text is what can stand before a domain, and nothing that ends the host earlier.
fn is_subdomain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.split('.').all(label)
}

fn list(names: &[String]) -> HeaderValue {
    // The configuration has checked each of them.
    HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: Vec<OriginPattern>) -> Cors {
        let config = CorsConfig {
            origins,
            methods: None,
            headers: Some(Vec::new()),
            expose: Vec::new(),
            credentials: false,
            max_age: None,
        };
        Cors::new(&config, &[])
    }

    #[test]
    fn what_looks_like_an_origin_that_is_allowed_is_not() {
        let under = OriginPattern::Under {
            scheme: "https://".to_owned(),
            domain: ".example.com".to_owned(),
        };
        let cors = cors(vec![under, OriginPattern::Exact("https://a.test".to_owned())]);
        for allowed in ["https://a.example.com", "https://a.b.example.com", "https://a.test"] {
            assert!(cors.allows(allowed), "{allowed}");
        }
        for other in [
            "https://example.com",
            "https://.example.com",
            "https://evil.com/.example.com",
            "https://evil.com?.example.com",
            "https://evil.com#.example.com",
            "https://u@a.example.com",
            "https://a..example.com",
            "https://notexample.com",
            "https://a.example.com.evil.com",
            "https://a.example.com:8443",
            "http://a.example.com",
            "https://A.example.com.",
            "https://a.test.evil.com",
            "https://a.test:1",
            "null",
            "",
        ] {
            assert!(!cors.allows(other), "{other}");
        }
    }
}
