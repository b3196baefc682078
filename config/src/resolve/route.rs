//! `[[route]]`

use std::collections::{BTreeMap, HashMap};

use super::Resolver;
use super::conflict::Conflicts;
use super::path::{matches, parameters};
use crate::file::{ClientAuth, Listener, Located, Predicate, Route, Section};
use crate::gateway::{
    CacheKeyPart, ConcurrencyConfig, IdentitySource, LimitKey, OidcLoginConfig, PathTemplate, PolicyConfig,
    QuotaConfig, RouteConfig, StageConfig, StageKind, ThrottleConfig, ValuePredicate, ValueTemplate,
};
use crate::names::misspelt;
use crate::report::Span;

type Predicates = Vec<(String, ValuePredicate)>;

impl<'f> Resolver<'f> {
    pub(super) fn routes(&mut self) -> Vec<RouteConfig> {
        let file = self.file;
        let mut lines = HashMap::new();
        let mut conflicts = Conflicts::new(file.listener.keys());
        let mut routes = Vec::with_capacity(file.route.len());
        let mut counted = (0, 0);
        for section in &file.route {
            if let Some(name) = &section.value.name {
                self.unique(name, &section.span, &mut lines);
            }
            // Each file counts its own.
            let source = self.report.source(&section.span);
            counted = (source, if counted.0 == source { counted.1 + 1 } else { 1 });
            let key = format!("route[{}]", counted.1 - 1);
            let Some(route) = self.route(section, key) else {
                continue;
            };
            // What is left of a route that is not whole may match more than it should.
            if let Some(message) = section.whole.then(|| conflicts.add(&route)).flatten() {
                let hint = "give one of them another path, host, method, header or query";
                self.error(&section.span, message, hint);
            }
            routes.push(route);
        }
        if routes.len() == file.route.len() {
            self.callbacks(&routes);
        }
        routes
    }

    /// Browsers come back from a login to a route that knows of it, or never arrive.
    fn callbacks(&mut self, routes: &[RouteConfig]) {
        for (route, section) in routes.iter().zip(&self.file.route) {
            let Some(login) = login(route) else { continue };
            let serves = |other: &RouteConfig| {
                let is_same =
                    self::login(other).is_some_and(|it| it.login == login.login && it.callback == login.callback);
                let gets = other.methods.is_empty() || other.methods.iter().any(|method| method == "GET");
                // The URL of another host is somebody's who knows where it leads.
                let is_host = login.callback.origin.is_some() || other.hosts.is_empty() || other.hosts == route.hosts;
                is_same && gets && is_host && matches(&other.path, &login.callback.path)
            };
            let shares_cookie = |other: &&RouteConfig| {
                let is_other = self::login(other).is_some_and(|it| {
                    let (one, two) = (&it.login, &login.login);
                    one.cookie.name == two.cookie.name
                        && (&one.keys.origin, &one.client.id) != (&two.keys.origin, &two.client.id)
                });
                let is_host = other.hosts.is_empty() || other.hosts.iter().any(|host| route.hosts.contains(host));
                is_other && (is_host || route.hosts.is_empty())
            };
            if let Some(other) = routes.iter().find(shares_cookie) {
                let message = format!(
                    "its login and that of route `{}` differ and have the same cookie: a browser would lose one with the other",
                    other.name
                );
                self.error(&section.span, message, "give each its own `cookie`");
            }
            if !routes.iter().any(serves) {
                let path = &login.callback.path;
                let message = format!(
                    "stage `oidc-login` sends browsers to `{path}`, and no route with the same stage has that path"
                );
                let hint = format!("add a route with the same chain and `path = \"{path}\"`, or change `callback`");
                self.error(&section.span, message, hint);
            }
        }
    }

    fn unique(&mut self, name: &'f Located<String>, span: &'f Span, seen: &mut HashMap<&'f str, &'f Span>) {
        match seen.get(name.value.as_str()) {
            Some(first) => {
                let first = self.report.seen_from(first, span);
                let message = format!("there is a route `{}` already, at {first}", name.value);
                self.error(&name.span, message, "give it another name");
            }
            None => {
                seen.insert(&name.value, span);
            }
        }
    }

    fn route(&mut self, section: &'f Section<Route>, key: String) -> Option<RouteConfig> {
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
            .route_chain(&route.chain, &key)
            .map(|stages| self.checked_chain(stages, path.as_ref()));
        let integration = self.required(
            route.integration.as_ref(),
            span,
            "integration",
            "{ http = \"upstream\" }",
        );
        let integration = integration.and_then(|integration| {
            let resolved = self.integration(integration, &key, path.as_ref())?;
            let stages = chain.iter().flatten().map(|stage| &stage.kind);
            self.spelling(&integration.span, &stages, resolved.values());
            Some(resolved)
        });
        Some(RouteConfig {
            name: name?,
            place: self.report.place(span, key),
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
            encoded_slash: route.encoded_slash,
            encoded_percent: route.encoded_percent,
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
        let cache = stages
            .iter()
            .position(|(_, stage)| matches!(stage.kind, StageKind::Cache(_)));
        for (position, (span, stage)) in stages.iter().enumerate() {
            if stage.kind.keeps_out() && cache.is_some_and(|cache| cache < position) {
                let hint = "what the cache has would be served to everybody: put this stage before `cache`";
                self.error(span, "a stage that keeps clients out comes after `cache`", hint);
            }
            let before = stages.iter().take(position).map(|(_, stage)| &stage.kind);
            match &stage.kind {
                StageKind::Policy(policy) => self.answerable(policy, path, &before, span),
                StageKind::Concurrency(ConcurrencyConfig { by, .. })
                | StageKind::Quota(QuotaConfig { by, .. })
                | StageKind::Throttle(ThrottleConfig { by, .. }) => {
                    if let LimitKey::Attribute(name) = by {
                        let what = format!("stage `{}` counts by the attribute `{name}`", stage.kind);
                        self.need_attribute(span, before, name, &what);
                    }
                }
                StageKind::Plugin(plugin) => {
                    self.need_plugin_directory(span);
                    for source in &plugin.identity {
                        if let IdentitySource::Path(name) = source {
                            let what = format!("plugin `{}` has the identity `path:{name}`", plugin.plugin);
                            self.need_parameter(span, path, name, &what);
                        }
                    }
                }
                StageKind::LambdaAuthorizer(authorizer) => {
                    for source in &authorizer.identity {
                        if let IdentitySource::Path(name) = source {
                            let what = format!("stage `lambda-authorizer` has the identity `path:{name}`");
                            self.need_parameter(span, path, name, &what);
                        }
                    }
                }
                StageKind::Mtls(_) => self.need_client_certificates(span),
                StageKind::Headers(headers) => {
                    for name in headers.parameters() {
                        let what = format!("stage `headers` has a value with `{{path.{name}}}`");
                        self.need_parameter(span, path, name, &what);
                    }
                    self.spelling(span, &before, headers.request.values());
                    // A response passes the chain when its request has passed all of it.
                    let all = stages.iter().map(|(_, stage)| &stage.kind);
                    self.spelling(span, &all, headers.response.values());
                }
                StageKind::Redirect(redirect) => {
                    for name in redirect.path.iter().flat_map(ValueTemplate::parameters) {
                        let what = format!("stage `redirect` has a path with `{{{name}}}`");
                        self.need_parameter(span, path, name, &what);
                    }
                }
                StageKind::Rewrite(rewrite) => {
                    for name in rewrite.parameters() {
                        let what = format!("stage `rewrite` has a value with `{{{name}}}`");
                        self.need_parameter(span, path, name, &what);
                    }
                    self.spelling(span, &before, rewrite.values());
                }
                StageKind::Validate(validate) => {
                    for (name, _) in &validate.path {
                        let what = format!("stage `validate` has a rule for `{name}`");
                        self.need_parameter(span, path, name, &what);
                    }
                }
                StageKind::Cors(_) if position > 0 => {
                    let hint = "responses of stages before it could not be read, and preflight requests would have to pass \
                                them: put it first, once";
                    self.error(span, "`cors` is not the first stage of the chain", hint);
                }
                StageKind::Cache(_) if cache.is_some_and(|first| first < position) => {
                    self.error(span, "the chain has a second `cache`", "keep one of them");
                }
                StageKind::Cache(cache) => {
                    for part in cache.key.iter().flatten() {
                        let what = |part: &str| format!("stage `cache` has the key `{part}`");
                        match part {
                            CacheKeyPart::Path(name) => {
                                self.need_parameter(span, path, name, &what(&format!("path:{name}")));
                            }
                            CacheKeyPart::Attribute(name) => {
                                self.need_attribute(span, before.clone(), name, &what(&format!("attribute:{name}")));
                            }
                            CacheKeyPart::Query(_) | CacheKeyPart::Header(_) => {}
                        }
                    }
                }
                StageKind::ApiKey(_)
                | StageKind::Basic(_)
                | StageKind::Body(_)
                | StageKind::Compress(_)
                | StageKind::CorrelationId(_)
                | StageKind::Cors(_)
                | StageKind::Decompress(_)
                | StageKind::ForwardAuth(_)
                | StageKind::Ip(_)
                | StageKind::Jwt(_)
                | StageKind::Oauth2Introspection(_)
                | StageKind::OidcLogin(_)
                | StageKind::RequestSize(_)
                | StageKind::SigV4(_)
                | StageKind::Shed(_)
                | StageKind::UsagePlan(_)
                | StageKind::Waf(_) => {}
            }
        }
        stages.into_iter().map(|(_, stage)| stage).collect()
    }

    /// A listener must ask clients for certificates, or nobody passes.
    fn need_client_certificates(&mut self, span: &Span) {
        let asks = |section: &Section<Listener>| {
            let tls = section.value.tls.as_ref();
            !section.whole || tls.is_some_and(|tls| tls.value.client_auth.value != ClientAuth::Off)
        };
        if !self.file.listener.values().any(asks) && !self.report.is_damaged(&(0..0)) {
            let hint = "add `client_auth = \"required\"` and `client_ca = \"clients.pem\"` to the `tls` of a listener";
            self.error(span, "no listener asks clients for certificates", hint);
        }
    }

    /// Checks that a policy asks for nothing that it cannot be told: a condition on it would hold for nobody, and a statement that
    /// denies by it would let everybody pass.
    fn answerable<'s>(
        &mut self,
        policy: &PolicyConfig,
        path: Option<&PathTemplate>,
        before: &(impl Iterator<Item = &'s StageKind> + Clone),
        span: &Span,
    ) {
        for (index, statement) in policy.statements.iter().enumerate() {
            let number = index + 1;
            if statement.principals.is_some() {
                let what = format!("statement {number} of stage `policy` names principals");
                self.need_attribute(span, before.clone(), "auth.principal", &what);
            }
            for condition in &statement.conditions {
                let what = format!(
                    "statement {number} of stage `policy` has a condition on `{}`",
                    condition.key
                );
                match condition.key.split_once(':') {
                    Some(("auth", name)) => self.need_attribute(span, before.clone(), &format!("auth.{name}"), &what),
                    Some(("path", name)) => self.need_parameter(span, path, name, &what),
                    _ => {}
                }
            }
        }
    }

    /// Checks that attributes in values are not nearly those that built-in stages set, where no stage before sets them. Others may
    /// be absent: a chain is for routes with and without them.
    fn spelling<'s, 't>(
        &mut self,
        span: &Span,
        before: &(impl Iterator<Item = &'s StageKind> + Clone),
        values: impl Iterator<Item = &'t ValueTemplate>,
    ) {
        for name in values.flat_map(ValueTemplate::attributes) {
            if let Some(right) = misspelt(name).filter(|_| !before.clone().any(|stage| stage.may_set(name))) {
                self.error(span, format!("no stage sets `{name}`"), format!("write `{{{right}}}`"));
            }
        }
    }

    /// Checks that a stage before may set an attribute.
    fn need_attribute<'s>(
        &mut self,
        span: &Span,
        mut before: impl Iterator<Item = &'s StageKind>,
        name: &str,
        what: &str,
    ) {
        if before.any(|stage| stage.may_set(name)) {
            return;
        }
        let hint = match name.split_once('.') {
            Some(("auth", "api_key" | "usage_plans")) => "put `api-key` before it".to_owned(),
            Some(("auth", rest)) if rest.starts_with("claims.") || rest == "scopes" => {
                "put `jwt`, `oauth2-introspection` or `oidc-login` before it, or an authorizer that says so".to_owned()
            }
            Some(("auth", rest)) if rest.starts_with("certificate.") => "put `mtls` before it".to_owned(),
            Some(("auth", _)) => "put a stage before it that proves who the client is, and check the name".to_owned(),
            _ => "put the stage before it that sets it, and check the name".to_owned(),
        };
        self.error(span, format!("{what}: no stage before it sets `{name}`"), hint);
    }

    fn need_parameter(&mut self, span: &Span, path: Option<&PathTemplate>, name: &str, what: &str) {
        let Some(path) = path else { return };
        if !parameters(path).any(|parameter| parameter == name) {
            let hint = format!("add `{{{name}}}` to the path, or use something else");
            self.error(span, format!("{what}, which is not in the route's path"), hint);
        }
    }
}

fn login(route: &RouteConfig) -> Option<&OidcLoginConfig> {
    route.chain.iter().find_map(|stage| match &stage.kind {
        StageKind::OidcLogin(login) => Some(&**login),
        _ => None,
    })
}
