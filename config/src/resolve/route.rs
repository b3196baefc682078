//! `[[route]]`

use std::collections::{BTreeMap, HashMap};

use super::Resolver;
use super::conflict::Conflicts;
use super::path::parameters;
use crate::file::{Located, Predicate, Route, Section};
use crate::gateway::{IdentitySource, PathTemplate, RouteConfig, StageConfig, StageKind, ValuePredicate};
use crate::report::Span;

type Predicates = Vec<(String, ValuePredicate)>;

impl<'f> Resolver<'f> {
    pub(super) fn routes(&mut self) -> Vec<RouteConfig> {
        let file = self.file;
        let mut lines = HashMap::new();
        let mut conflicts = Conflicts::new(file.listener.keys());
        let mut routes = Vec::with_capacity(file.route.len());
        for section in &file.route {
            if let Some(name) = &section.value.name {
                self.unique(name, self.report.line(&section.span), &mut lines);
            }
            let Some(route) = self.route(section) else { continue };
            // What is left of a route that is not whole may match more than it should.
            if let Some(message) = section.whole.then(|| conflicts.add(&route)).flatten() {
                let hint = "give one of them another path, host, method, header or query";
                self.error(&section.span, message, hint);
            }
            routes.push(route);
        }
        routes
    }

    fn unique(&mut self, name: &'f Located<String>, line: usize, lines: &mut HashMap<&'f str, usize>) {
        match lines.get(name.value.as_str()) {
            Some(first) => {
                let message = format!("there is a route `{}` already, at line {first}", name.value);
                self.error(&name.span, message, "give it another name");
            }
            None => {
                lines.insert(&name.value, line);
            }
        }
    }

    fn route(&mut self, section: &'f Section<Route>) -> Option<RouteConfig> {
        let (route, span) = (&section.value, &section.span);
        let name = self
            .required(route.name.as_ref(), span, "name", "\"users\"")
            .and_then(|name| self.route_name(name));
        let path = self.required(route.path.as_ref(), span, "path", "\"/users/{id}\"");
        let path = path.and_then(|path| self.path_template(path));
        let hosts = self.each(&route.hosts, Self::host);
        let methods = self.each(&route.methods, Self::method);
        let file = self.file;
        let listeners = self.each(&route.listeners, |resolver, name| {
            resolver
                .known("listener", name, &file.listener)
                .then(|| name.value.clone())
        });
        let headers = self.predicates(&route.headers, Self::header_name);
        let query = self.predicates(&route.query, Self::query_name);
        let chain = self
            .route_chain(&route.chain)
            .map(|stages| self.checked_chain(stages, path.as_ref()));
        let integration = self.required(
            route.integration.as_ref(),
            span,
            "integration",
            "{ http = \"upstream\" }",
        );
        let integration = integration.and_then(|integration| self.integration(integration, path.as_ref()));
        Some(RouteConfig {
            name: name?,
            line: self.report.line(span),
            listeners: listeners?,
            hosts: hosts?,
            path: path?,
            methods: methods?,
            headers: headers?,
            query: query?,
            chain: chain?,
            integration: integration?,
            timeout: route.timeout.0,
            body_bytes: route.body,
        })
    }

    /// All or nothing: a list that lacks a wrong element may mean "any".
    fn each<T>(
        &mut self,
        texts: &[Located<String>],
        mut resolve: impl FnMut(&mut Self, &Located<String>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let resolved: Vec<T> = texts.iter().filter_map(|text| resolve(self, text)).collect();
        (resolved.len() == texts.len()).then_some(resolved)
    }

    fn route_name(&mut self, name: &Located<String>) -> Option<String> {
        let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        let text = name.value.as_str();
        if text.is_empty() || text.len() > 64 || !text.bytes().all(valid) {
            let hint = "write 1 to 64 lower-case letters, digits, `-` and `_`, such as \"user-by-id\"";
            self.error(&name.span, format!("`{text}` is not the name of a route"), hint);
            return None;
        }
        Some(name.value.clone())
    }

    pub(super) fn method(&mut self, method: &Located<String>) -> Option<String> {
        let text = method.value.as_str();
        if http::Method::from_bytes(text.as_bytes()).is_err() {
            self.error(
                &method.span,
                format!("`{text}` is not a method"),
                "write a method such as \"GET\"",
            );
            return None;
        }
        if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
            let hint = format!("write \"{}\"", text.to_ascii_uppercase());
            self.error(&method.span, format!("the method `{text}` is not in upper case"), hint);
            return None;
        }
        Some(method.value.clone())
    }

    fn predicates(
        &mut self,
        predicates: &BTreeMap<String, Located<Predicate>>,
        mut resolve: impl FnMut(&mut Self, &str, &Span) -> Option<String>,
    ) -> Option<Predicates> {
        let mut resolved: Predicates = Vec::with_capacity(predicates.len());
        for (name, predicate) in predicates {
            let span = &predicate.span;
            let name = resolve(self, name, span);
            let name = name.filter(|name| self.single(resolved.iter().map(|(name, _)| name), name, span));
            let value = match &predicate.value {
                Predicate::Present => ValuePredicate::Present,
                Predicate::Equals(value) => ValuePredicate::Equals(value.clone()),
            };
            resolved.extend(name.map(|name| (name, value)));
        }
        resolved.sort_by(|(a, _), (b, _)| a.cmp(b));
        (resolved.len() == predicates.len()).then_some(resolved)
    }

    /// What a chain asks of the route that uses it: parameters, a folder for plugins, its place in the order.
    fn checked_chain(&mut self, stages: Vec<(Span, StageConfig)>, path: Option<&PathTemplate>) -> Vec<StageConfig> {
        for (position, (span, stage)) in stages.iter().enumerate() {
            match &stage.kind {
                StageKind::Plugin(plugin) => {
                    self.need_plugin_directory(span);
                    for source in &plugin.identity {
                        if let IdentitySource::Path(name) = source {
                            let what = format!("plugin `{}` has the identity `path:{name}`", plugin.plugin);
                            self.need_parameter(span, path, name, &what);
                        }
                    }
                }
                StageKind::Headers(headers) => {
                    for name in headers.parameters() {
                        let what = format!("stage `headers` has a value with `{{path.{name}}}`");
                        self.need_parameter(span, path, name, &what);
                    }
                }
                StageKind::Cors(_) if position > 0 => {
                    let hint = "responses of stages before it could not be read, and preflight requests would have to pass \
                                them: put it first, once";
                    self.error(span, "`cors` is not the first stage of the chain", hint);
                }
                StageKind::ApiKey(_) | StageKind::Cors(_) | StageKind::Ip(_) | StageKind::Throttle(_) => {}
            }
        }
        stages.into_iter().map(|(_, stage)| stage).collect()
    }

    fn need_parameter(&mut self, span: &Span, path: Option<&PathTemplate>, name: &str, what: &str) {
        let Some(path) = path else { return };
        if !parameters(path).any(|parameter| parameter == name) {
            let hint = format!("add `{{{name}}}` to the path, or use something else");
            self.error(span, format!("{what}, which is not in the route's path"), hint);
        }
    }
}
