//! `{ use = "oidc-login", … }`

use std::collections::BTreeMap;
use std::time::Duration;

use gatewright_core::path;

use super::token::{Client, Rules};
use crate::file::{ForwardedToken, Located, OidcLoginStage, SessionsIn};
use crate::gateway::{Callback, FetchedKeysConfig, KeyOrigin, LoginConfig, LoginCookie, OidcLoginConfig, TokenRules};
use crate::report::Span;
use crate::resolve::Resolver;
use crate::web_url::WebUrl;

/// Whoever logged in longer ago is asked again.
const LONGEST_SESSION: Duration = Duration::from_secs(30 * 86_400);
/// What the gateway itself says when it asks for a login.
const OWN_PARAMETERS: [&str; 8] = [
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
];
/// The provider's keys: as the stage `jwt` has them where nothing is said.
const REFRESH: Duration = Duration::from_secs(600);
const MAX_STALE: Duration = Duration::from_secs(86_400);
const COOLDOWN: Duration = Duration::from_secs(30);

impl Resolver<'_> {
    pub(super) fn oidc_login(&mut self, stage: &OidcLoginStage, span: &Span) -> Option<OidcLoginConfig> {
        let OidcLoginStage {
            stage: _,
            issuer,
            discovery,
            ca,
            client_id,
            client_secret,
            authentication,
            cookie_secrets,
            cookie,
            cookie_domain,
            callback,
            logout,
            after_logout,
            scopes,
            parameters,
            userinfo,
            session,
            sessions,
            session_bytes,
            scope,
            on_unauthenticated,
            claims,
            principal,
            leeway,
            forward,
        } = stage;
        let issuer = self.required(issuer.as_ref(), span, "issuer", "\"https://idp.example.com\"");
        let origin = issuer.and_then(|issuer| self.metadata_origin(issuer, discovery.as_ref()));
        let ca = ca.as_ref().map(|ca| self.stage_file(ca, "ca"));
        let client = self.oauth_client(
            span,
            &Client {
                id: client_id.as_ref(),
                secret: client_secret.as_ref(),
                authentication: *authentication,
            },
        );
        let anybody = Located::from(vec![Located::from("*".to_owned())]);
        let rules = self.token_rules(
            span,
            &Rules {
                issuer,
                audiences: Some(&anybody),
                scopes: &[],
                claims,
                principals: &[principal],
                leeway,
            },
        );
        let mut all = vec!["openid".to_owned()];
        all.extend(scopes.iter().filter_map(|scope| self.scope_token(scope)));
        all.dedup();
        self.login_parameters(parameters);
        if session.value.0 > LONGEST_SESSION || session.value.0.is_zero() {
            let hint = "write a time up to 30 days, such as \"8h\"";
            self.error(&session.span, "sessions would be over at once, or never", hint);
        }
        let cookie = self.login_cookie(span, cookie, cookie_domain.as_ref(), cookie_secrets.as_ref());
        if session_bytes.value != OidcLoginStage::default().session_bytes.value && *sessions == SessionsIn::Cookie {
            let hint = "add `sessions = \"state\"`, or remove it";
            self.error(
                &session_bytes.span,
                "browsers keep the sessions, in no memory of the gateway's",
                hint,
            );
        }
        let scope = self.store_scope(scope, None);
        let callback = self.callback(callback);
        let logout = logout.as_ref().map(|logout| self.own_path(logout));
        if let (Some(Some(logout)), Some(callback)) = (&logout, &callback)
            && *logout == callback.path
        {
            self.error(span, "`logout` and `callback` are the same path", "give them two");
        }
        let after_logout = self.after_logout(after_logout);
        let client = client?;
        let rules = TokenRules {
            audiences: Some(vec![client.id.clone()]),
            ..rules?
        };
        Some(OidcLoginConfig {
            login: LoginConfig {
                issuer: issuer?.value.clone(),
                keys: FetchedKeysConfig {
                    origin: KeyOrigin::Metadata(origin?),
                    ca: match ca {
                        Some(ca) => Some(ca?),
                        None => None,
                    },
                    refresh: REFRESH,
                    max_stale: MAX_STALE,
                    cooldown: COOLDOWN,
                    place: self.stage_place(span, ""),
                },
                client,
                scopes: all,
                parameters: parameters.value.clone().into_iter().collect(),
                leeway: leeway.value.0,
                userinfo: *userinfo,
                keep_access_token: *forward == ForwardedToken::AccessToken,
                cookie: cookie?,
                session: session.value.0,
                sessions: *sessions,
                session_bytes: session_bytes.value,
                scope,
            },
            rules,
            callback: callback?,
            logout: match logout {
                Some(logout) => Some(logout?),
                None => None,
            },
            after_logout: after_logout?,
            on_unauthenticated: *on_unauthenticated,
            forward: *forward,
        })
    }

    fn login_parameters(&mut self, parameters: &Located<BTreeMap<String, String>>) {
        for (name, value) in &parameters.value {
            if OWN_PARAMETERS.contains(&name.as_str()) {
                let message = format!("the gateway itself says `{name}` when it asks for a login");
                self.error(&parameters.span, message, "remove it");
            }
            // A form comes from the provider's site, and browsers send no `SameSite=Lax` cookie with it: the login that it is the
            // answer to would be unknown. A fragment never reaches a server.
            if name == "response_mode" && value != "query" {
                let message =
                    format!("with `response_mode = \"{value}\"` no answer of the provider reaches this stage");
                let hint = "remove it: the provider then answers in the query of the callback";
                self.error(&parameters.span, message, hint);
            }
        }
    }

    fn login_cookie(
        &mut self,
        span: &Span,
        name: &Located<String>,
        domain: Option<&Located<String>>,
        secrets: Option<&Located<Vec<Located<String>>>>,
    ) -> Option<LoginCookie> {
        let name = self.cookie_name(name);
        let domain = domain.map(|domain| {
            let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
            let text = domain.value.trim_start_matches('.').to_ascii_lowercase();
            if text.is_empty() || !text.bytes().all(valid) {
                let message = format!("`{}` is not a domain", domain.value);
                self.error(&domain.span, message, "write \"example.com\"");
                return None;
            }
            Some(text)
        });
        let example = "[\"file:cookie-secret\"]";
        let secrets = self.required(secrets, span, "cookie_secrets", example)?;
        if secrets.value.is_empty() {
            self.error(
                &secrets.span,
                "nothing protects the cookies",
                format!("write {example}"),
            );
        }
        let secrets = secrets.value.iter().enumerate();
        let secrets: Vec<_> = secrets
            .map(|(index, secret)| self.stage_secret(secret, &format!("cookie_secrets[{index}]")))
            .collect();
        Some(LoginCookie {
            name: name?,
            domain: match domain {
                Some(domain) => Some(domain?),
                None => None,
            },
            secrets: secrets.into_iter().collect::<Option<_>>()?,
        })
    }

    fn callback(&mut self, callback: &Located<String>) -> Option<Callback> {
        if callback.value.starts_with('/') {
            let path = self.own_path(callback)?;
            return Some(Callback { origin: None, path });
        }
        let hint = "write a path such as \"/oauth2/callback\", or a URL with one";
        let url: WebUrl = self.web_url(callback, hint)?;
        let origin = url.as_str().strip_suffix(&url.target);
        let path = self.own_path(&Located {
            value: url.target.clone(),
            span: callback.span.clone(),
        });
        if origin.is_none() {
            self.error(&callback.span, "the URL of the callback has no path", hint);
        }
        Some(Callback {
            origin: Some(origin?.to_owned()),
            path: path?,
        })
    }

    /// A path that this stage answers itself.
    fn own_path(&mut self, text: &Located<String>) -> Option<String> {
        match path::normalise(&text.value) {
            Ok(normal) if normal == text.value && !normal.contains(['?', '#']) => Some(text.value.clone()),
            _ => {
                let message = format!("`{}` is not a path in normal form", text.value);
                self.error(&text.span, message, "write a path such as \"/oauth2/callback\"");
                None
            }
        }
    }

    fn after_logout(&mut self, text: &Located<String>) -> Option<String> {
        let is_path = text.value.starts_with('/') && !text.value.starts_with("//") && !text.value.contains('\\');
        let is_text = text.value.bytes().all(|byte| byte.is_ascii_graphic());
        if is_path && is_text {
            return Some(text.value.clone());
        }
        let url = self.web_url(text, "write a path such as \"/\", or a URL")?;
        Some(url.as_str().to_owned())
    }
}
