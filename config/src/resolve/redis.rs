//! `[redis]`, and what is kept there.

use super::Resolver;
use crate::file::{self, Located, RedisMode, RedisReadiness, Section, StoreUnavailable, WhenUnavailable};
use crate::gateway::{Away, RedisAddress, RedisConfig, RedisServers, Scope};
use crate::report::Span;

const EXAMPLE: &str = "[\"redis://127.0.0.1:6379\"]";

impl Resolver<'_> {
    pub(super) fn redis(&mut self) -> Option<RedisConfig> {
        let file = self.file;
        let section = file.redis.as_ref()?;
        let file::Redis {
            servers,
            mode,
            primary,
            username,
            password,
            sentinel_username,
            sentinel_password,
            database,
            ca,
            prefix,
            connect_timeout,
            timeout,
            readiness,
        } = &section.value;
        let servers = self.required(servers.as_ref(), &section.span, "servers", EXAMPLE);
        let servers = servers.and_then(|servers| self.redis_servers(section, servers, mode.value, primary.as_ref()));
        let password = password
            .as_ref()
            .map(|password| self.secret_source(password, "redis.password"));
        let sentinel_secret = sentinel_password
            .as_ref()
            .map(|password| self.secret_source(password, "redis.sentinel_password"));
        let of_sentinels = sentinel_password.as_ref().or(sentinel_username.as_ref());
        if let Some(unused) = of_sentinels.filter(|_| mode.value != RedisMode::Sentinel) {
            let hint = "remove it, or write `mode = \"sentinel\"`";
            self.error(&unused.span, "it is for sentinels", hint);
        }
        let ca = ca
            .as_ref()
            .and_then(|file| self.file_reference(file, "redis.ca".to_owned()));
        if mode.value == RedisMode::Cluster && database.value != 0 {
            self.error(
                &database.span,
                "a cluster has no other database than 0",
                "remove `database`",
            );
        }
        // Braces would decide on which node of a cluster a key is.
        if prefix.value.is_empty() || prefix.value.len() > 64 || prefix.value.contains(['{', '}']) {
            let hint = "write 1 to 64 characters, none of them `{` or `}`";
            self.error(&prefix.span, "keys cannot begin with it", hint);
        }
        let (servers, tls) = servers?;
        Some(RedisConfig {
            servers,
            username: username.clone(),
            password: match password {
                Some(password) => Some(password?),
                None => None,
            },
            sentinel_username: sentinel_username.as_ref().map(|name| name.value.clone()),
            sentinel_password: match sentinel_secret {
                Some(password) => Some(password?),
                None => None,
            },
            database: database.value,
            tls,
            ca,
            prefix: prefix.value.clone(),
            connect_timeout: connect_timeout.0,
            timeout: timeout.0,
            required: *readiness == RedisReadiness::Require,
            place: self.report.place(&section.span, "redis".to_owned()),
        })
    }

    fn redis_servers(
        &mut self,
        section: &Section<file::Redis>,
        servers: &Located<Vec<Located<String>>>,
        mode: RedisMode,
        primary: Option<&Located<String>>,
    ) -> Option<(RedisServers, bool)> {
        let parsed = servers.value.iter().map(|server| self.redis_server(server, mode));
        let parsed: Vec<_> = parsed.collect::<Vec<_>>().into_iter().collect::<Option<_>>()?;
        let Some((_, tls)) = parsed.first().cloned() else {
            self.error(
                &servers.span,
                "there is one server at least",
                format!("write {EXAMPLE}"),
            );
            return None;
        };
        if parsed.iter().any(|(_, other)| *other != tls) {
            let hint = "write `rediss://` for all of them or for none";
            self.error(&servers.span, "some of the servers have TLS and some have not", hint);
        }
        let mut addresses = parsed.into_iter().map(|(address, _)| address);
        let servers = match (mode, primary) {
            (RedisMode::Sentinel, Some(primary)) => RedisServers::Sentinel {
                sentinels: addresses.collect(),
                primary: primary.value.clone(),
            },
            (RedisMode::Sentinel, None) => {
                self.report.missing(&section.span, "primary", "\"mymaster\"");
                return None;
            }
            (_, Some(primary)) => {
                let hint = "remove it, or write `mode = \"sentinel\"`";
                self.error(&primary.span, "`primary` is for sentinels", hint);
                return None;
            }
            (RedisMode::Cluster, None) => RedisServers::Cluster(addresses.collect()),
            (RedisMode::Single, None) if addresses.len() > 1 => {
                let hint = "write `mode = \"sentinel\"` or `mode = \"cluster\"`, or name one server";
                self.error(&servers.span, "several servers are not a single one", hint);
                return None;
            }
            (RedisMode::Single, None) => RedisServers::Single(addresses.next()?),
        };
        Some((servers, tls))
    }

    /// Where a server is, and whether it speaks TLS.
    fn redis_server(&mut self, server: &Located<String>, mode: RedisMode) -> Option<(RedisAddress, bool)> {
        match address(&server.value) {
            Ok((RedisAddress::Unix(_), _)) if mode != RedisMode::Single => {
                let hint = "write `redis://HOST:PORT`";
                self.error(
                    &server.span,
                    "sentinels and nodes of a cluster have host and port",
                    hint,
                );
                None
            }
            Ok((RedisAddress::Unix(path), tls)) => {
                let folder = self.report.directory(&server.span);
                Some((RedisAddress::Unix(folder.join(path)), tls))
            }
            Ok(address) => Some(address),
            Err(reason) => {
                let hint = "write `redis://HOST:PORT`, `rediss://HOST:PORT` for TLS, or `unix:/PATH`";
                self.error(&server.span, reason, hint);
                None
            }
        }
    }

    /// Who shares what a limit counts.
    pub(super) fn limit_scope(
        &mut self,
        scope: &Located<file::Scope>,
        away: Option<&Located<WhenUnavailable>>,
    ) -> Scope {
        let policy = match away.map(|away| away.value).unwrap_or_default() {
            WhenUnavailable::Local => Away::Local,
            WhenUnavailable::Open => Away::Open,
            WhenUnavailable::Closed => Away::Closed,
        };
        self.scope(scope, policy, away.map(|away| &away.span))
    }

    /// Who shares what a store of plugins keeps.
    pub(super) fn store_scope(
        &mut self,
        scope: &Located<file::Scope>,
        away: Option<&Located<StoreUnavailable>>,
    ) -> Scope {
        let policy = match away.map(|away| away.value).unwrap_or_default() {
            StoreUnavailable::Closed => Away::Closed,
            StoreUnavailable::Local => Away::Local,
        };
        self.scope(scope, policy, away.map(|away| &away.span))
    }

    fn scope(&mut self, scope: &Located<file::Scope>, policy: Away, policy_span: Option<&Span>) -> Scope {
        match (scope.value, policy_span) {
            (file::Scope::Instance, Some(span)) => {
                let hint = "add `scope = \"cluster\"`, or remove it";
                self.error(span, "`when_unavailable` is for what gateways share", hint);
                Scope::Instance
            }
            (file::Scope::Instance, None) => Scope::Instance,
            (file::Scope::Cluster, _) => {
                if self.file.redis.is_none() {
                    let hint = format!("add a section `[redis]` with `servers = {EXAMPLE}`");
                    self.error(&scope.span, "there is nothing that gateways share", hint);
                }
                Scope::Cluster(policy)
            }
        }
    }
}

fn address(text: &str) -> Result<(RedisAddress, bool), String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return match path.is_empty() || path.contains('\0') {
            true => Err("there is no path".to_owned()),
            false => Ok((RedisAddress::Unix(path.into()), false)),
        };
    }
    let (rest, tls) = match (text.strip_prefix("redis://"), text.strip_prefix("rediss://")) {
        (Some(rest), _) => (rest, false),
        (_, Some(rest)) => (rest, true),
        // Not repeated: it may hold a password.
        (None, None) => return Err("it is not the URL of a server".to_owned()),
    };
    if rest.contains('@') {
        return Err("a user name or a password is not written here, but in `username` and `password`".to_owned());
    }
    let authority: http::uri::Authority = rest
        .trim_end_matches('/')
        .parse()
        .map_err(|_| "it is not a host and a port".to_owned())?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err("it has no host".to_owned());
    }
    match (authority.port_u16(), authority.port().is_some()) {
        (Some(port), _) if port > 0 => Ok((RedisAddress::Tcp(host.to_owned(), port), tls)),
        (None, false) if !rest.contains(":") || rest.ends_with(']') => {
            Ok((RedisAddress::Tcp(host.to_owned(), 6379), tls))
        }
        _ => Err("it has an impossible port".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_and_a_port_or_a_socket() {
        let tcp = |host: &str, port| RedisAddress::Tcp(host.to_owned(), port);
        assert_eq!(address("redis://a:1"), Ok((tcp("a", 1), false)));
        assert_eq!(address("rediss://a.b/"), Ok((tcp("a.b", 6379), true)));
        assert_eq!(address("redis://[::1]:7"), Ok((tcp("::1", 7), false)));
        assert_eq!(address("redis://[::1]"), Ok((tcp("::1", 6379), false)));
        assert_eq!(
            address("unix:/run/redis"),
            Ok((RedisAddress::Unix("/run/redis".into()), false))
        );
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for text in [
            "a:1",
            "http://a",
            "redis://",
            "redis://u:p@a",
            "redis://a:0",
            "redis://a:99999",
            "redis://a:b",
            "redis://a/1",
            "unix:",
        ] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
