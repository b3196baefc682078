//! What stages that look at tokens have in common: where a token is, and what it must say.

use std::time::Duration;

use serde_json::Value;

use crate::file::{ClientAuthentication, Delay, Located, Settings};
use crate::gateway::{MetadataOrigin, OauthClient, SecretSource, TokenCarriers, TokenRules, TokenSource};
use crate::report::Span;
use crate::resolve::Resolver;
use crate::units::ByteSize;
use crate::web_url::WebUrl;

/// A clock that is off by more is broken.
const LONGEST_LEEWAY: Duration = Duration::from_secs(300);

/// What the file says of what a token must say.
pub(super) struct Rules<'f> {
    pub(super) issuer: Option<&'f Located<String>>,
    pub(super) audiences: Option<&'f Located<Vec<Located<String>>>>,
    pub(super) scopes: &'f [Located<String>],
    pub(super) claims: &'f Located<Settings>,
    pub(super) principals: &'f [&'f Located<String>],
    pub(super) leeway: &'f Located<Delay>,
}

/// What the file says of where a token is.
pub(super) struct Carriers<'f> {
    pub(super) header: Option<&'f Located<String>>,
    pub(super) scheme: Option<&'f Located<String>>,
    pub(super) query: Option<&'f Located<String>>,
    pub(super) cookie: Option<&'f Located<String>>,
    pub(super) forward: Option<bool>,
    pub(super) bytes: ByteSize,
}

/// What the file says of what the gateway is to an authorization server.
pub(super) struct Client<'f> {
    pub(super) id: Option<&'f Located<String>>,
    pub(super) secret: Option<&'f Located<String>>,
    pub(super) authentication: ClientAuthentication,
}

/// What stands in the name of an issuer for the tenant of a token (its claim `tid`), as Microsoft Entra writes it.
const TENANT: &str = "{tenantid}";

impl Resolver<'_> {
    pub(super) fn token_rules(&mut self, span: &Span, rules: &Rules<'_>) -> Option<TokenRules> {
        let Rules {
            issuer,
            audiences,
            scopes,
            claims,
            principals,
            leeway,
        } = rules;
        let audiences = self.audiences(span, *audiences);
        let scopes: Vec<_> = scopes.iter().map(|scope| self.scope_token(scope)).collect();
        let claims = self.claims(claims);
        if let Some(principal) = principals.iter().find(|name| name.value.is_empty()) {
            self.error(&principal.span, "the name of a claim is empty", "write \"sub\"");
        }
        if leeway.value.0 > LONGEST_LEEWAY {
            let hint = "write five minutes at most";
            self.error(&leeway.span, "tokens would be good long after they have expired", hint);
        }
        Some(TokenRules {
            issuer: issuer.map(|issuer| issuer.value.clone()),
            audiences: audiences?,
            scopes: scopes.into_iter().collect::<Option<_>>()?,
            claims: claims?,
            principals: principals.iter().map(|name| name.value.clone()).collect(),
            leeway: leeway.value.0,
        })
    }

    fn audiences(
        &mut self,
        span: &Span,
        audiences: Option<&Located<Vec<Located<String>>>>,
    ) -> Option<Option<Vec<String>>> {
        let example = "[\"https://api.example.com\"]";
        let audiences = self.required(audiences, span, "audiences", example)?;
        if audiences.value.is_empty() {
            let hint = format!("write {example}, or [\"*\"] for tokens that are for anybody");
            self.error(&audiences.span, "no token would be for anybody", hint);
        }
        let names: Vec<_> = audiences.value.iter().map(|name| name.value.clone()).collect();
        Some((!names.iter().any(|name| name == "*")).then_some(names))
    }

    /// RFC 6749, section 3.3.
    pub(super) fn scope_token(&mut self, scope: &Located<String>) -> Option<String> {
        let valid = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if scope.value.is_empty() || !scope.value.bytes().all(valid) {
            let hint = "write one word without spaces, quotes and backslashes, such as \"orders.read\"";
            self.error(&scope.span, format!("`{}` is not a scope", scope.value), hint);
            return None;
        }
        Some(scope.value.clone())
    }

    fn claims(&mut self, claims: &Located<Settings>) -> Option<Vec<(String, Vec<Value>)>> {
        let mut rules = Vec::new();
        for (name, wanted) in &claims.value.0 {
            let values = match wanted {
                Value::Array(values) => values.clone(),
                value => vec![value.clone()],
            };
            let is_scalar = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
            if values.is_empty() || !values.iter().all(is_scalar) {
                let hint = "write a text, a number, true or false, or a list of them";
                let message = format!("nothing can be compared with what `{name}` should be");
                self.error(&claims.span, message, hint);
                return None;
            }
            rules.push((name.clone(), values));
        }
        Some(rules)
    }

    pub(super) fn token_carriers(&mut self, span: &Span, carriers: &Carriers<'_>) -> Option<TokenCarriers> {
        let Carriers {
            header,
            scheme,
            query,
            cookie,
            forward,
            bytes,
        } = carriers;
        let scheme = scheme.map(|scheme| self.scheme(scheme, header.is_some(), span));
        let header = header.map(|header| self.header_name(&header.value, &header.span));
        let query = query.map(|query| self.query_name(&query.value, &query.span));
        let cookie = cookie.map(|cookie| self.cookie_name(cookie));
        let mut sources = Vec::with_capacity(3);
        match header {
            Some(name) => sources.push(TokenSource::Header {
                name: name?,
                scheme: scheme.flatten(),
            }),
            None if query.is_none() && cookie.is_none() => sources.push(TokenSource::Header {
                name: "authorization".to_owned(),
                scheme: Some("Bearer".to_owned()),
            }),
            None => {}
        }
        if let Some(name) = query {
            sources.push(TokenSource::Query(name?));
        }
        if let Some(name) = cookie {
            sources.push(TokenSource::Cookie(name?));
        }
        // Upstreams commonly read that field; any other was chosen for the gateway.
        let is_common =
            |source: &TokenSource| matches!(source, TokenSource::Header { name, .. } if name == "authorization");
        let is_hidden = |source: &&TokenSource| !forward.unwrap_or_else(|| is_common(source));
        Some(TokenCarriers {
            hidden: sources.iter().filter(is_hidden).cloned().collect(),
            sources,
            bytes: *bytes,
        })
    }

    /// A cookie's name is a token (RFC 6265, section 4.1.1), and so is a method.
    pub(super) fn cookie_name(&mut self, name: &Located<String>) -> Option<String> {
        if http::Method::from_bytes(name.value.as_bytes()).is_err() {
            let hint = "write letters, digits, `-` and `_`, such as \"access_token\"";
            self.error(
                &name.span,
                format!("`{}` is not the name of a cookie", name.value),
                hint,
            );
            return None;
        }
        Some(name.value.clone())
    }

    /// A URL that the gateway asks.
    pub(super) fn web_url(&mut self, url: &Located<String>, hint: &str) -> Option<WebUrl> {
        match url.value.parse() {
            Ok(url) => Some(url),
            Err(reason) => {
                self.error(&url.span, reason, hint);
                None
            }
        }
    }

    /// Where the metadata of an issuer are.
    pub(super) fn metadata_origin(
        &mut self,
        issuer: &Located<String>,
        discovery: Option<&Located<String>>,
    ) -> Option<MetadataOrigin> {
        if let Some(discovery) = discovery {
            let hint = "write \"https://idp.example.com/.well-known/openid-configuration\"";
            return self.web_url(discovery, hint).map(MetadataOrigin::Discovery);
        }
        if issuer.value.contains(TENANT) {
            let message =
                format!("`{TENANT}` stands for the tenant of each token, so that nothing is found below this URL");
            let hint = "add `discovery = \"https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration\"`";
            self.error(&issuer.span, message, hint);
            return None;
        }
        self.issuer_url(issuer).map(MetadataOrigin::Issuer)
    }

    /// The URL of an issuer whose metadata are looked for.
    fn issuer_url(&mut self, issuer: &Located<String>) -> Option<WebUrl> {
        let url = self.web_url(
            issuer,
            "write \"https://idp.example.com\", or say with `jwks` where the keys are",
        )?;
        if url.target.contains('?') {
            self.error(&issuer.span, "an issuer has no query", "remove what follows `?`");
            return None;
        }
        Some(url)
    }

    pub(super) fn oauth_client(&mut self, span: &Span, client: &Client<'_>) -> Option<OauthClient> {
        let id = self.required(client.id, span, "client_id", "\"gateway\"");
        if let Some(id) = id.filter(|id| id.value.is_empty()) {
            self.error(&id.span, "the name of a client is empty", "write \"gateway\"");
        }
        let secret = client.secret.map(|secret| self.stage_secret(secret, "client_secret"));
        Some(OauthClient {
            id: id?.value.clone(),
            secret: match secret {
                Some(secret) => Some(secret?),
                None => None,
            },
            authentication: client.authentication,
        })
    }

    /// A secret that the stage names under this key.
    pub(super) fn stage_secret(&mut self, secret: &Located<String>, key: &str) -> Option<SecretSource> {
        Some(SecretSource {
            reference: self.secret(secret)?,
            place: self.stage_place(&secret.span, key),
        })
    }
}
