//! `[[case]]` of a file of cases.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use gatewright_core::path::normalise;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Method, StatusCode};
use serde_json::Value;

use super::Resolver;
use super::case_services::{expected_contents, values};
use crate::cases::{CaseLines, CaseRequest, CaseResponse, CaseServices, Expectation, ExpectedRequest, PluginCase};
use crate::file::{self, Case, CaseFailure, Decision, Expect, Json, Located, Section};
use crate::report::Span;

/// The address of a client nobody says anything about: one for documentation.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

pub(super) type Fields<T> = BTreeMap<String, Located<T>>;

impl Resolver<'_> {
    /// One case; `config` is the plugin's configuration in cases that have none of their own.
    pub(super) fn case(
        &mut self,
        section: &Section<Case>,
        config: &Value,
        services: &CaseServices,
        lines: &mut CaseLines,
    ) -> Option<PluginCase> {
        let Case {
            name,
            config: own,
            services: own_services,
            role,
            hook,
            identity,
            cache,
            route,
            request,
            response,
            expect,
        } = &section.value;
        let line = self.report.line(&section.span);
        let name = self.required(name.as_ref(), &section.span, "name", "\"what the plugin does\"");
        let name = name.and_then(|name| self.case_name(name, line, lines));
        let identity: Vec<_> = identity.iter().filter_map(|source| self.identity(source)).collect();
        let request = self.case_request(request);
        let response = response.as_ref().map(|response| self.case_response(response));
        let expect = self.expectation(expect);
        let services = match own_services {
            Some(services) => self.case_services(services),
            None => Some(services.clone()),
        };
        Some(PluginCase {
            name: name?,
            line,
            config: own
                .as_ref()
                .map_or_else(|| config.clone(), |own| Value::Object(own.0.clone())),
            services: services?,
            role: *role,
            hook: *hook,
            identity,
            cache: cache.value.0,
            route: route
                .as_ref()
                .map_or_else(|| "test".to_owned(), |route| route.value.clone()),
            request: request?,
            response: match response {
                Some(response) => Some(response?),
                None => None,
            },
            expect: expect?,
        })
    }

    fn case_name(&mut self, name: &Located<String>, line: usize, lines: &mut CaseLines) -> Option<String> {
        let text = name.value.trim();
        if text.is_empty() || text.len() > 200 || text.chars().any(char::is_control) {
            let hint = "write one line of 1 to 200 bytes, such as \"without a token nobody passes\"";
            self.error(&name.span, "it is not the name of a case", hint);
            return None;
        }
        if let Some(first) = lines.insert(text.to_owned(), line) {
            let message = format!("there is a case `{text}` already, at line {first}");
            self.error(&name.span, message, "give it another name");
            return None;
        }
        Some(text.to_owned())
    }

    fn case_request(&mut self, request: &file::CaseRequest) -> Option<CaseRequest> {
        let file::CaseRequest {
            method,
            path,
            host,
            headers,
            body,
            json,
            hex,
            chunks,
            client,
            tls,
            parameters,
            attributes,
        } = request;
        let has_body = body.is_some() || json.is_some() || hex.is_some();
        let method = match method {
            Some(method) => self.case_method(method),
            None => Some(if has_body { Method::POST } else { Method::GET }),
        };
        let target = match path {
            Some(path) => self.case_target(path),
            None => Some(PathAndQuery::from_static("/")),
        };
        let authority = match host {
            Some(host) => self.authority(host),
            None => Some(Authority::from_static("gateway.test")),
        };
        let client = match client {
            Some(client) => self.client(client),
            None => Some(CLIENT),
        };
        let message = self.message(headers, body.as_ref(), json.as_ref(), hex.as_ref());
        let parameters = self.parameters(parameters);
        let attributes = self.attributes(attributes);
        let (headers, body) = message?;
        let chunks = self.chunks(chunks.as_ref(), &body)?;
        let authority = authority?;
        Some(CaseRequest {
            method: method?,
            target: target?,
            host: authority.host().to_ascii_lowercase(),
            authority: HeaderValue::from_str(authority.as_str()).ok()?,
            headers,
            body,
            chunks,
            client: client?,
            tls: *tls,
            parameters: parameters?,
            attributes: attributes?,
        })
    }

    fn case_response(&mut self, response: &file::CaseResponse) -> Option<CaseResponse> {
        let file::CaseResponse {
            status,
            headers,
            body,
            json,
            hex,
            chunks,
        } = response;
        let status = match status {
            Some(status) => self.final_status(status),
            None => Some(StatusCode::OK),
        };
        let (headers, body) = self.message(headers, body.as_ref(), json.as_ref(), hex.as_ref())?;
        let chunks = self.chunks(chunks.as_ref(), &body)?;
        Some(CaseResponse {
            status: status?,
            headers,
            body,
            chunks,
        })
    }

    fn expectation(&mut self, expect: &Expect) -> Option<Expectation> {
        self.consistent(expect);
        let Expect {
            decision,
            principal,
            usage_key,
            scopes,
            context,
            ttl,
            policy,
            reason,
            status,
            headers,
            body,
            json,
            hex,
            request,
            attributes,
            kv,
            cache,
            counters,
            failure,
            fault,
            message,
            at,
        } = expect;
        let status = status.as_ref().map(|status| self.final_status(status));
        let headers = self.expected_fields(headers);
        let body = self.expected_body(body.as_ref(), json.as_ref(), hex.as_ref());
        let request = request.as_ref().map(|request| self.expected_request(&request.value));
        let attributes = self.attributes(attributes);
        // Whom a request passes as is said of a request that passes.
        let grants =
            principal.is_some() || usage_key.is_some() || scopes.is_some() || policy.is_some() || !context.is_empty();
        Some(Expectation {
            decision: match decision {
                Some(decision) => Some(decision.value),
                None if grants => Some(Decision::Allow),
                None if reason.is_some() => Some(Decision::Deny),
                None => None,
            },
            principal: text(principal.as_ref()),
            usage_key: text(usage_key.as_ref()),
            scopes: scopes.as_ref().map(|scopes| scopes.value.clone()),
            context: context
                .iter()
                .map(|(name, value)| (name.clone(), value.value.0.clone()))
                .collect(),
            ttl: ttl.as_ref().map(|ttl| ttl.value.0),
            policy: policy.as_ref().map(|policy| policy.value.clone()),
            reason: text(reason.as_ref()),
            status: match status {
                Some(status) => Some(status?.as_u16()),
                None => None,
            },
            headers: headers?,
            body: body?,
            request: match request {
                Some(request) => Some(request?),
                None => None,
            },
            attributes: attributes?,
            kv: expected_contents(kv),
            cache: expected_contents(cache),
            counters: values(counters),
            failure: match failure {
                Some(failure) => Some(failure.value),
                None => fault.as_ref().map(|_| CaseFailure::Fault),
            },
            fault: fault.as_ref().map(|fault| fault.value),
            message: text(message.as_ref()),
            at: text(at.as_ref()),
        })
    }

    /// Refuses expectations that no answer meets.
    fn consistent(&mut self, expect: &Expect) {
        let decision = expect.decision.as_ref().map(|decision| decision.value);
        let mut of_a_grant: Vec<(&str, &Span)> = Vec::new();
        of_a_grant.extend(expect.principal.as_ref().map(|it| ("principal", &it.span)));
        of_a_grant.extend(expect.usage_key.as_ref().map(|it| ("usage_key", &it.span)));
        of_a_grant.extend(expect.scopes.as_ref().map(|it| ("scopes", &it.span)));
        of_a_grant.extend(expect.policy.as_ref().map(|it| ("policy", &it.span)));
        of_a_grant.extend(expect.context.values().map(|it| ("context", &it.span)));
        let mut of_an_answer: Vec<(&str, &Span)> = Vec::new();
        of_an_answer.extend(expect.status.as_ref().map(|it| ("status", &it.span)));
        of_an_answer.extend(expect.headers.values().map(|it| ("headers", &it.span)));
        of_an_answer.extend(expect.body.as_ref().map(|it| ("body", &it.span)));
        of_an_answer.extend(expect.json.as_ref().map(|it| ("json", &it.span)));
        of_an_answer.extend(expect.hex.as_ref().map(|it| ("hex", &it.span)));
        let reason = expect.reason.as_ref().map(|it| ("reason", &it.span));
        let mut wrong: Vec<(&str, &Span, &str)> = Vec::new();
        if matches!(decision, Some(Decision::Deny | Decision::Abstain)) {
            wrong.extend(
                of_a_grant
                    .iter()
                    .map(|(key, span)| (*key, *span, "only one who allows says so")),
            );
        }
        if matches!(decision, Some(Decision::Allow | Decision::Abstain)) || !of_a_grant.is_empty() {
            wrong.extend(reason.map(|(key, span)| (key, span, "only one who denies says so")));
        }
        let failure = expect.failure.as_ref().map(|failure| failure.value);
        let failure = failure.or(expect.fault.as_ref().map(|_| CaseFailure::Fault));
        if failure.is_some() {
            let decided = expect.decision.as_ref().map(|it| ("decision", &it.span));
            let passed = expect.request.as_ref().map(|it| ("request", &it.span));
            let known = expect.attributes.values().map(|it| ("attributes", &it.span));
            let kept = expect.ttl.as_ref().map(|it| ("ttl", &it.span));
            let all = of_a_grant.into_iter().chain(of_an_answer).chain(reason);
            let all = all.chain(decided).chain(passed).chain(known).chain(kept);
            wrong.extend(all.map(|(key, span)| (key, span, "a call that fails has no answer; keep `failure` or this")));
        }
        for (key, span, hint) in wrong {
            self.error(span, format!("`{key}` does not go with the rest of `expect`"), hint);
        }
        if let (Some(fault), true) = (&expect.fault, failure != Some(CaseFailure::Fault)) {
            let hint = "remove `failure`, or write `failure = \"fault\"`";
            self.error(&fault.span, "`fault` is a `failure` of its own", hint);
        }
        if let (Some(message), None) = (&expect.message, failure) {
            self.error(
                &message.span,
                "`message` is about a `failure`",
                "add `failure = \"fault\"`",
            );
        }
        if let (Some(at), true) = (&expect.at, failure != Some(CaseFailure::Config)) {
            let hint = "add `failure = \"config\"`";
            self.error(&at.span, "`at` is about a configuration that is refused", hint);
        }
    }

    fn expected_request(&mut self, request: &file::ExpectRequest) -> Option<ExpectedRequest> {
        let file::ExpectRequest {
            method,
            path,
            host,
            headers,
            body,
            json,
            hex,
        } = request;
        let headers = self.expected_fields(headers);
        let body = self.expected_body(body.as_ref(), json.as_ref(), hex.as_ref());
        Some(ExpectedRequest {
            method: text(method.as_ref()),
            path: text(path.as_ref()),
            host: text(host.as_ref()),
            headers: headers?,
            body: body?,
        })
    }

    pub(super) fn case_method(&mut self, method: &Located<String>) -> Option<Method> {
        let parsed = Method::from_bytes(method.value.as_bytes()).ok();
        if parsed.is_none() {
            let message = format!("`{}` is not a method", method.value);
            self.error(&method.span, message, "write a method such as \"GET\"");
        }
        parsed
    }

    /// The path in the normal form in which plugins see it.
    fn case_target(&mut self, path: &Located<String>) -> Option<PathAndQuery> {
        let (raw, query) = match path.value.split_once('?') {
            Some((raw, query)) => (raw, Some(query)),
            None => (path.value.as_str(), None),
        };
        let hint = "write a path as a client sends it, such as \"/users/42?verbose=1\"";
        let target = match normalise(raw) {
            Ok(normal) => match query {
                Some(query) => format!("{normal}?{query}"),
                None => normal.into_owned(),
            },
            Err(reason) => {
                self.error(&path.span, format!("`{}` is not a path: {reason}", path.value), hint);
                return None;
            }
        };
        let parsed = target.parse().ok();
        if parsed.is_none() {
            self.error(&path.span, format!("`{}` is not a path", path.value), hint);
        }
        parsed
    }

    fn authority(&mut self, host: &Located<String>) -> Option<Authority> {
        let parsed: Option<Authority> = host.value.parse().ok();
        let parsed = parsed.filter(|authority| !authority.as_str().contains('@') && !authority.host().is_empty());
        if parsed.is_none() {
            let hint = "write a name, with a port or without: \"api.example.com:8443\"";
            self.error(&host.span, format!("`{}` is not a host", host.value), hint);
        }
        parsed
    }

    fn client(&mut self, client: &Located<String>) -> Option<IpAddr> {
        let parsed = client.value.parse().ok();
        if parsed.is_none() {
            let hint = "write one such as \"203.0.113.9\" or \"2001:db8::1\"";
            self.error(&client.span, format!("`{}` is not an IP address", client.value), hint);
        }
        parsed
    }

    pub(super) fn final_status(&mut self, status: &Located<u16>) -> Option<StatusCode> {
        let valid = (200..600).contains(&status.value);
        if !valid {
            let message = format!("{} is not the status of a response", status.value);
            self.error(&status.span, message, "write one from 200 to 599");
        }
        StatusCode::from_u16(status.value).ok().filter(|_| valid)
    }

    /// Only what `{rest+}` captures has a `/` in it, and that is always the last.
    fn parameters(&mut self, parameters: &Fields<String>) -> Option<Vec<(String, String)>> {
        let mut whole: Vec<_> = parameters
            .iter()
            .filter(|(_, value)| value.value.contains('/'))
            .collect();
        if let (Some((_, second)), true) = (whole.pop(), !whole.is_empty()) {
            let hint = "only `{name+}`, which is the last of a path, captures more than one segment";
            self.error(&second.span, "two parameters have a `/` in them", hint);
            return None;
        }
        let own = |(name, value): (&String, &Located<String>)| (name.clone(), value.value.clone());
        let mut resolved: Vec<_> = parameters.iter().map(own).collect();
        resolved.sort_by_key(|(_, value)| value.contains('/'));
        Some(resolved)
    }

    fn attributes(&mut self, attributes: &Fields<Json>) -> Option<BTreeMap<String, Value>> {
        let mut resolved = BTreeMap::new();
        for (name, value) in attributes {
            if name.contains('.') {
                resolved.insert(name.clone(), value.value.0.clone());
            } else {
                let hint = "write the whole name in quotes: \"auth.principal\" = \"alice\"";
                self.error(&value.span, format!("`{name}` is not the name of an attribute"), hint);
            }
        }
        (resolved.len() == attributes.len()).then_some(resolved)
    }
}

fn text(text: Option<&Located<String>>) -> Option<String> {
    text.map(|text| text.value.clone())
}
