//! Settings of stages.

use gatewright_config::units::format_duration;
use gatewright_config::{
    ApiKeySource, Away, BodyRule, BodyTemplate, CacheBy, CacheConfig, CacheFreshness, CacheKeyPart, HeaderEdits,
    IdentitySource, IntrospectionOrigin, IpList, KeyOrigin, KeySourceConfig, OnFault, OriginPattern, ParameterRule,
    PathEdit, QueryEdits, SchemaSource, Scope, StageKind, TemplateSource, TokenCarriers, TokenRules, TokenSource,
    WafExclusion, WafRules,
};

use super::{Settings, keys, list, template};
use crate::words::of_choice as word;

fn scope(scope: Scope) -> String {
    match scope {
        Scope::Instance => "instance".to_owned(),
        Scope::Cluster(away) => {
            let away = match away {
                Away::Open => "open",
                Away::Closed => "closed",
                Away::Local => "local",
            };
            format!("cluster, {away} when unavailable")
        }
    }
}

fn identity_source(source: &IdentitySource) -> String {
    match source {
        IdentitySource::Header(name) => format!("header:{name}"),
        IdentitySource::Query(name) => format!("query:{name}"),
        IdentitySource::Path(name) => format!("path:{name}"),
        IdentitySource::Client => "client".to_owned(),
    }
}

/// The settings of a stage. `kinds` says what a plugin is.
pub(in super::super) fn stage(kind: &StageKind, kinds: &impl Fn(&str) -> String) -> Settings {
    match kind {
        StageKind::ApiKey(stage) => {
            let source = |source: &ApiKeySource| match source {
                ApiKeySource::Header { name, scheme: None } => format!("header {name}"),
                ApiKeySource::Header {
                    name,
                    scheme: Some(scheme),
                } => format!("header {name} after {scheme}"),
                ApiKeySource::Query(name) => format!("query {name}"),
                ApiKeySource::Authorizer => "authorizer".to_owned(),
            };
            let settings = vec![
                ("keys", stage.keys.path.display().to_string()),
                ("from", list(stage.sources.iter().map(source))),
                ("forward", stage.forward.to_string()),
            ];
            settings
        }
        StageKind::Basic(stage) => {
            let settings = vec![
                ("users", stage.users.path.display().to_string()),
                ("realm", stage.realm.clone()),
                ("remember", format_duration(stage.remember)),
                ("attempts", stage.attempts.to_string()),
                ("forward", stage.forward.to_string()),
            ];
            settings
        }
        StageKind::Body(stage) => {
            let made = |template: &Option<BodyTemplate>| match template {
                None => "as it is".to_owned(),
                Some(template) => match &template.source {
                    TemplateSource::Inline(text) => {
                        format!("{} of {} bytes of template", template.content_type, text.len())
                    }
                    TemplateSource::File(file) => format!("{} of {}", template.content_type, file.path.display()),
                },
            };
            let settings = vec![
                ("request", made(&stage.request)),
                ("response", made(&stage.response)),
                ("variables", keys(&stage.variables)),
                ("body", stage.body_bytes.to_string()),
                ("output", stage.output_bytes.to_string()),
            ];
            settings
        }
        StageKind::Cache(stage) => cache(stage),
        StageKind::Compress(stage) => {
            let settings = vec![
                ("codings", list(stage.codings.iter().map(word))),
                ("minimum", stage.minimum_bytes.to_string()),
                ("level", word(&stage.level)),
            ];
            settings
        }
        StageKind::Concurrency(stage) => {
            let settings = vec![
                ("limit", stage.limit.to_string()),
                ("by", stage.by.to_string()),
                ("scope", scope(stage.scope)),
            ];
            settings
        }
        StageKind::CorrelationId(stage) => {
            let settings = vec![
                ("header", stage.header.clone()),
                ("accept", word(&stage.accept)),
                ("generate", word(&stage.generate)),
                ("echo", stage.echo.to_string()),
            ];
            settings
        }
        StageKind::Cors(stage) => {
            let origin = |origin: &OriginPattern| match origin {
                OriginPattern::Any => "*".to_owned(),
                OriginPattern::Exact(origin) => origin.clone(),
                OriginPattern::Under { scheme, domain } => format!("{scheme}*{domain}"),
            };
            let settings = vec![
                ("origins", list(stage.origins.iter().map(origin))),
                ("credentials", stage.credentials.to_string()),
            ];
            settings
        }
        StageKind::ForwardAuth(stage) => {
            let names = |names: &[String]| list(names.iter().cloned());
            let settings = vec![
                ("asks", format!("{} {} of {}", stage.method, stage.path, stage.upstream)),
                (
                    "headers",
                    stage.headers.as_deref().map_or_else(|| "all".to_owned(), names),
                ),
                ("copy", names(&stage.copy)),
                ("to_client", names(&stage.to_client)),
                ("timeout", format_duration(stage.timeout)),
                ("cache", format_duration(stage.cache)),
            ];
            settings
        }
        StageKind::Decompress(stage) => {
            let settings = vec![
                ("request", stage.request.to_string()),
                ("response", stage.response.to_string()),
                ("body", stage.body_bytes.to_string()),
                ("ratio", stage.ratio.to_string()),
            ];
            settings
        }
        StageKind::Headers(stage) => {
            let edits = |edits: &HeaderEdits| {
                let removed = edits.remove.iter().map(|name| format!("-{name}"));
                let set = edits.set.iter().map(|(name, _)| format!("={name}"));
                let appended = edits.append.iter().map(|(name, _)| format!("+{name}"));
                list(removed.chain(set).chain(appended))
            };
            let settings = vec![("request", edits(&stage.request)), ("response", edits(&stage.response))];
            settings
        }
        StageKind::Ip(stage) => {
            let entries = |entries: &IpList| {
                let unix = entries.unix.then(|| "unix".to_owned());
                list(entries.networks.iter().map(ToString::to_string).chain(unix))
            };
            let allow = stage.allow.as_ref().map_or_else(|| "everybody".to_owned(), entries);
            vec![("allow", allow), ("deny", entries(&stage.deny))]
        }
        StageKind::LambdaAuthorizer(stage) => {
            let settings = vec![
                ("asks", format!("{} of {}", stage.path, stage.upstream)),
                ("event", word(&stage.event)),
                ("identity", list(stage.identity.iter().map(identity_source))),
                ("cache", format_duration(stage.cache)),
                ("timeout", format_duration(stage.timeout)),
            ];
            settings
        }
        StageKind::Mtls(stage) => {
            let rules = stage.allow.as_ref();
            let allow = rules.map_or_else(
                || "all that were verified".to_owned(),
                |rules| format!("{} rules", rules.len()),
            );
            let principal = word(&stage.principal);
            vec![("principal", principal), ("allow", allow)]
        }
        StageKind::Oauth2Introspection(stage) => {
            let introspector = &stage.introspector;
            let endpoint = match &introspector.origin {
                IntrospectionOrigin::Metadata(origin) => format!("that of {}", origin.url()),
                IntrospectionOrigin::Endpoint(url) => url.to_string(),
            };
            let mut settings = vec![
                ("endpoint", endpoint),
                ("client_id", introspector.client.id.clone()),
                ("cache", format_duration(introspector.cache)),
            ];
            settings.extend(token(&stage.carriers, &stage.rules));
            settings
        }
        StageKind::OidcLogin(stage) => {
            let login = &stage.login;
            vec![
                ("issuer", login.issuer.clone()),
                ("client_id", login.client.id.clone()),
                ("callback", stage.callback.to_string()),
                ("logout", stage.logout.clone().unwrap_or_else(|| "none".to_owned())),
                ("cookie", login.cookie.name.clone()),
                ("session", format_duration(login.session)),
                ("sessions", word(&login.sessions)),
                ("on_unauthenticated", word(&stage.on_unauthenticated)),
                ("scopes", list(login.scopes.iter().cloned())),
                ("claims", list(stage.rules.claims.iter().map(|(name, _)| name.clone()))),
            ]
        }
        StageKind::Policy(stage) => {
            let otherwise = if stage.otherwise { "allow" } else { "deny" };
            let settings = vec![
                ("statements", stage.statements.len().to_string()),
                ("otherwise", otherwise.to_owned()),
            ];
            settings
        }
        StageKind::SigV4(stage) => {
            let region = stage.region.clone().unwrap_or_else(|| "any".to_owned());
            let settings = vec![
                ("credentials", stage.credentials.path.display().to_string()),
                ("service", stage.service.clone()),
                ("region", region),
                ("clock_skew", format_duration(stage.clock_skew)),
                ("presigned", format_duration(stage.presigned)),
                ("unsigned_payload", stage.unsigned_payload.to_string()),
                ("body", stage.body_bytes.to_string()),
            ];
            settings
        }
        StageKind::Jwt(stage) => {
            let keys = match &stage.keys {
                KeySourceConfig::File(file) => file.path.display().to_string(),
                KeySourceConfig::Fetched(fetched) => match &fetched.origin {
                    KeyOrigin::Metadata(origin) => format!("those of {}", origin.url()),
                    KeyOrigin::Jwks(url) => url.to_string(),
                },
            };
            let mut settings = vec![
                ("keys", keys),
                (
                    "algorithms",
                    list(stage.algorithms.iter().map(|one| one.name().to_owned())),
                ),
            ];
            settings.extend(token(&stage.carriers, &stage.rules));
            settings
        }
        StageKind::Quota(stage) => {
            let settings = vec![
                ("limit", stage.rule.limit.to_string()),
                ("period", word(&stage.rule.period)),
                ("by", stage.by.to_string()),
                ("scope", scope(stage.scope)),
            ];
            settings
        }
        StageKind::Redirect(stage) => {
            let mut settings = vec![("status", stage.status.to_string())];
            let scheme = |secure: bool| if secure { "https" } else { "http" }.to_owned();
            settings.extend(stage.secure.map(|secure| ("scheme", scheme(secure))));
            settings.extend(stage.authority.clone().map(|host| ("host", host)));
            settings.extend(stage.path.as_ref().map(|path| ("path", template(path))));
            settings.push(("keep_query", stage.keep_query.to_string()));
            settings
        }
        StageKind::RequestSize(stage) => {
            let limits = [
                ("body", stage.body_bytes),
                ("headers", stage.header_bytes),
                ("query", stage.query_bytes),
            ];
            let limits = limits
                .into_iter()
                .filter_map(|(key, limit)| Some((key, limit?.to_string())));
            let mut settings: Vec<_> = limits.collect();
            settings.push(("length_required", stage.length_required.to_string()));
            settings
        }
        StageKind::Rewrite(stage) => {
            let mut settings = match &stage.path {
                PathEdit::Template(path) => vec![("path", template(path))],
                PathEdit::Prefix { strip, add } => vec![("strip_prefix", strip.clone()), ("add_prefix", add.clone())],
            };
            settings.retain(|(_, value)| !value.is_empty());
            let QueryEdits {
                remove,
                rename,
                set,
                append,
            } = &stage.query;
            let removed = remove.iter().map(|name| format!("-{name}"));
            let renamed = rename.iter().map(|(from, to)| format!("{from}>{to}"));
            let set = set.iter().map(|(name, _)| format!("={name}"));
            let appended = append.iter().map(|(name, _)| format!("+{name}"));
            settings.push(("query", list(removed.chain(renamed).chain(set).chain(appended))));
            settings
        }
        StageKind::Shed(stage) => {
            let settings = vec![
                ("latency", format_duration(stage.latency)),
                ("priority", word(&stage.priority)),
                ("group", stage.group.clone()),
                ("least", stage.least.to_string()),
                ("most", stage.most.to_string()),
            ];
            settings
        }
        StageKind::Throttle(stage) => {
            let settings = vec![
                ("rate", stage.rate.to_string()),
                ("burst", stage.burst.to_string()),
                ("by", stage.by.to_string()),
                ("scope", scope(stage.scope)),
            ];
            settings
        }
        StageKind::UsagePlan(stage) => {
            let default = stage.default.clone().unwrap_or_else(|| "none".to_owned());
            vec![("default", default)]
        }
        StageKind::Validate(stage) => {
            let schema = match &stage.schema {
                None => "none".to_owned(),
                Some(SchemaSource::Inline(_)) => "in the configuration".to_owned(),
                Some(SchemaSource::File(file)) => file.path.display().to_string(),
            };
            let names = |rules: &[(String, ParameterRule)]| list(rules.iter().map(|(name, _)| name.clone()));
            let settings = vec![
                ("schema", schema),
                ("body", stage.body_bytes.to_string()),
                ("path", names(&stage.path)),
                ("query", names(&stage.query)),
                ("headers", names(&stage.headers)),
            ];
            settings
        }
        StageKind::Waf(stage) => {
            let exclusion = |exclusion: &WafExclusion| exclusion.rule.id().to_owned();
            let rules = |rules: &WafRules| match rules {
                WafRules::Builtin => "builtin".to_owned(),
                WafRules::Path(path) => path.display().to_string(),
            };
            let settings = vec![
                ("mode", word(&stage.mode)),
                ("headers", list(stage.headers.iter().cloned())),
                ("body", stage.body_bytes.to_string()),
                ("rules", list(stage.rules.iter().map(rules))),
                ("exclude", list(stage.exclude.iter().map(exclusion))),
            ];
            settings
        }
        StageKind::Plugin(stage) => {
            let on_fault = match stage.on_fault {
                OnFault::Deny => "deny".to_owned(),
                OnFault::Skip => "skip".to_owned(),
                OnFault::Status(status) => status.to_string(),
            };
            let mut settings = vec![("is", kinds(&stage.plugin))];
            if !stage.identity.is_empty() {
                settings.push(("identity", list(stage.identity.iter().map(identity_source))));
                settings.push(("cache", format_duration(stage.cache)));
            }
            settings.push(("on_fault", on_fault));
            settings.push(("body", stage.body_bytes.to_string()));
            let rules = [&stage.request_bodies, &stage.response_bodies];
            for (key, rule) in ["bodies.request", "bodies.response"].into_iter().zip(rules) {
                settings.extend(body_rule(rule).map(|rule| (key, rule)));
            }
            settings.push(("config", keys(&stage.config)));
            settings
        }
    }
}

/// Where a token is, and what it must say. Values of claims are not shown: they may be somebody's.
fn token(carriers: &TokenCarriers, rules: &TokenRules) -> Settings {
    let source = |source: &TokenSource| match source {
        TokenSource::Header { name, scheme: None } => format!("header {name}"),
        TokenSource::Header {
            name,
            scheme: Some(scheme),
        } => format!("header {name} after {scheme}"),
        TokenSource::Query(name) => format!("query {name}"),
        TokenSource::Cookie(name) => format!("cookie {name}"),
    };
    let audiences = rules.audiences.as_ref();
    vec![
        ("from", list(carriers.sources.iter().map(source))),
        ("ends here", list(carriers.hidden.iter().map(source))),
        (
            "issuer",
            rules.issuer.clone().unwrap_or_else(|| "any with these keys".to_owned()),
        ),
        (
            "audiences",
            audiences.map_or_else(|| "any".to_owned(), |names| list(names.iter().cloned())),
        ),
        ("scopes", list(rules.scopes.iter().cloned())),
        ("claims", list(rules.claims.iter().map(|(name, _)| name.clone()))),
        ("principal", list(rules.principals.iter().cloned())),
    ]
}

fn cache(stage: &CacheConfig) -> Settings {
    let part = |part: &CacheKeyPart| match part {
        CacheKeyPart::Query(name) => format!("query:{name}"),
        CacheKeyPart::Header(name) => format!("header:{name}"),
        CacheKeyPart::Path(name) => format!("path:{name}"),
        CacheKeyPart::Attribute(name) => format!("attribute:{name}"),
    };
    let whole = ["query".to_owned()];
    let parts = stage
        .key
        .as_ref()
        .map(|parts| parts.iter().map(part).collect::<Vec<_>>());
    let parts = parts.as_deref().unwrap_or(&whole).iter().cloned();
    let always = ["route", "scheme", "host", "path"].into_iter().map(str::to_owned);
    let by = match stage.by {
        CacheBy::Everybody => None,
        CacheBy::Principal => Some("principal".to_owned()),
    };
    let fresh = match stage.freshness {
        CacheFreshness::Http { heuristic: false } => "as responses say".to_owned(),
        CacheFreshness::Http { heuristic: true } => "as responses say, or a tenth of their age".to_owned(),
        CacheFreshness::Ttl(ttl) => format_duration(ttl),
    };
    vec![
        ("key", list(always.chain(parts).chain(by))),
        ("fresh", fresh),
        ("object", stage.object_bytes.to_string()),
        ("wait", format_duration(stage.wait)),
        (
            "on hit",
            "answers itself: stages after it and the integration do not run".to_owned(),
        ),
    ]
}

/// Which bodies a plugin is given by its use; none: what it asks for.
fn body_rule(rule: &BodyRule) -> Option<String> {
    if *rule == BodyRule::default() {
        return None;
    }
    let types = rule
        .types
        .as_ref()
        .map(|types| list(types.iter().map(ToString::to_string)));
    let longest = rule.longest.map(|longest| format!("at most {longest}"));
    let flags = [(rule.whole, "whole"), (rule.plain, "plain")];
    let flags = flags
        .into_iter()
        .filter(|(set, _)| *set)
        .map(|(_, word)| word.to_owned());
    let words: Vec<_> = types.into_iter().chain(longest).chain(flags).collect();
    Some(words.join("; "))
}
