//! What an OpenID provider is asked, and what of its answers is believed: an ID token only with its signature, its issuer, its
//! audience and its nonce.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_config::{Algorithm, LoginConfig, TokenRules, WebUrl};
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderValue};
use serde_json::{Map, Value};

use super::session::{Begun, Kept, Session};
use crate::telemetry::IssuerMetrics;
use crate::token::claims::{self, Claims};
use crate::token::json;
use crate::token::key_set::{Unverified, sha256};
use crate::token::key_source::{KeySource, Reason, endpoint};
use crate::token::oauth::{self, ANSWER_BYTES};
use crate::token::rules::{Rules, is_named};
use crate::upstream::gateway_client::{Ask, GatewayClient};

/// What one question may take. Longer than for keys: a provider may ask others in turn.
const ASK_TIME: Duration = Duration::from_secs(5);
/// Sessions are renewed so much before their time is over, in seconds, or a tenth of their time where that is less.
const EARLY: f64 = 30.0;
/// Nobody asks a provider more often, in seconds.
const SHORTEST: f64 = 5.0;

/// One provider, and what the gateway is to it.
pub struct Provider {
    config: LoginConfig,
    secret: Option<String>,
    client: GatewayClient,
    /// Its keys and metadata; none when nobody may be asked.
    keys: Option<Arc<KeySource>>,
    metrics: IssuerMetrics,
    rules: Rules,
}

/// Why there is no session.
#[derive(Clone, Debug)]
pub enum Failure {
    /// What the browser brought along is not good, or not any more.
    Refused(String),
    /// The provider wants to ask the person first, and may say yes then (OpenID Connect Core 1.0, section 3.1.2.6).
    Interaction(String),
    /// Nobody can say. What is wrong is not the browser's fault.
    Unavailable(String),
}

impl Provider {
    pub(crate) fn new(
        config: &LoginConfig,
        secret: Option<String>,
        client: GatewayClient,
        keys: Option<Arc<KeySource>>,
        metrics: IssuerMetrics,
    ) -> Self {
        let rules = TokenRules {
            issuer: Some(config.issuer.clone()),
            audiences: Some(vec![config.client.id.clone()]),
            scopes: Vec::new(),
            claims: Vec::new(),
            principals: vec!["sub".to_owned()],
            leeway: config.leeway,
        };
        Self {
            config: config.clone(),
            secret,
            client,
            keys,
            metrics,
            rules: Rules::new(&rules, true),
        }
    }

    /// Whether its keys come from there.
    #[must_use]
    pub fn has_keys(&self, keys: Option<&Arc<KeySource>>) -> bool {
        match (&self.keys, keys) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (None, None) => true,
            _ => false,
        }
    }

    /// Closes connections that nobody has used for too long.
    pub fn close_idle(&self) {
        self.client.close_idle();
    }

    /// The name that its tokens have.
    fn issuer(&self) -> &str {
        &self.config.issuer
    }

    /// Where its metadata are: what they name is reached as safely as they are.
    fn origin(&self) -> &WebUrl {
        self.config.keys.origin.url()
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// When it has not said so yet.
    pub async fn metadata(&self, deadline: Instant) -> Result<Arc<Value>, Failure> {
        let Some(keys) = &self.keys else {
            return Err(Failure::Unavailable("nobody is asked".to_owned()));
        };
        if let Some(metadata) = keys.metadata(Instant::now()) {
            return Ok(metadata);
        }
        keys.fetched(Reason::Missing, deadline).await;
        let metadata = keys.metadata(Instant::now());
        metadata
            .ok_or_else(|| Failure::Unavailable("the provider's metadata are not known; the log says why".to_owned()))
    }

    /// Whether it goes by that name: the one that its tokens have, or that of its metadata, which are another's only where the
    /// configuration says where they are.
    ///
    /// # Errors
    /// When it has not said its name yet.
    pub async fn is_named(&self, name: &str, deadline: Instant) -> Result<bool, Failure> {
        if is_named(&self.config.issuer, name) {
            return Ok(true);
        }
        let metadata = self.metadata(deadline).await?;
        let described = metadata.get("issuer").and_then(Value::as_str);
        Ok(described.is_some_and(|described| is_named(described, name)))
    }

    /// Where a browser goes to log in. `challenge` is the SHA-256 of the verifier, in base64url.
    ///
    /// # Errors
    /// When the provider does not say.
    pub async fn authorization(&self, begun: &Begun, challenge: &str, deadline: Instant) -> Result<String, Failure> {
        let metadata = self.metadata(deadline).await?;
        let url = endpoint(&metadata, self.origin(), "authorization_endpoint").map_err(Failure::Unavailable)?;
        let scopes = self.config.scopes.join(" ");
        let mut fields = vec![
            ("response_type", "code"),
            ("client_id", &self.config.client.id),
            ("redirect_uri", &begun.callback),
            ("scope", &scopes),
            ("state", &begun.state),
            ("nonce", &begun.nonce),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ];
        let parameters = self.config.parameters.iter();
        // A login that ended because the person had to be asked is not to end so again.
        let silent = |(name, value): &&(String, String)| begun.interactive && name == "prompt" && value == "none";
        let parameters = parameters.filter(|parameter| !silent(parameter));
        fields.extend(parameters.map(|(name, value)| (&**name, &**value)));
        Ok(with_query(url.as_str(), &oauth::form(&fields)))
    }

    /// Where a browser goes to end its session at the provider too; none where that cannot be done (OpenID Connect RP-Initiated
    /// Logout 1.0).
    pub async fn end_session(&self, session: &Session, after: &str, deadline: Instant) -> Option<String> {
        let metadata = self.metadata(deadline).await.ok()?;
        let url = endpoint(&metadata, self.origin(), "end_session_endpoint").ok()?;
        let fields = [
            ("id_token_hint", &*session.kept().id_token),
            ("client_id", &self.config.client.id),
            ("post_logout_redirect_uri", after),
        ];
        Some(with_query(url.as_str(), &oauth::form(&fields)))
    }

    /// The session that a code stands for.
    ///
    /// # Errors
    /// When it stands for none, or nobody can say.
    pub async fn redeem(&self, begun: &Begun, code: &str) -> Result<Session, Failure> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &begun.callback),
            ("code_verifier", &begun.verifier),
        ];
        let answer = self.tokens(&fields).await?;
        let id_token = text(&answer, "id_token");
        let id_token =
            id_token.ok_or_else(|| Failure::Unavailable("the provider's answer has no `id_token`".to_owned()))?;
        let claims = self.verified(id_token).await?;
        if claims.text("nonce") != Some(&begun.nonce) {
            return Err(Failure::Refused(
                "the ID token is for another login (`nonce`)".to_owned(),
            ));
        }
        let ends = claims::now() + self.config.session.as_secs_f64();
        self.session(&answer, id_token.to_owned(), &claims, None, ends).await
    }

    /// The session that goes on where the time of this one is over.
    ///
    /// # Errors
    /// When the provider says that it is over, or nobody can say.
    pub async fn renew(&self, session: &Session) -> Result<Session, Failure> {
        let kept = session.kept();
        let refresh_token = kept.refresh_token.as_deref().unwrap_or_default();
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        let answer = self.tokens(&fields).await?;
        // Where there is a new ID token it is about the same person (OpenID Connect Core 1.0, section 12.2).
        let (id_token, claims) = match text(&answer, "id_token") {
            Some(id_token) => (id_token, self.verified(id_token).await?),
            None => (&*kept.id_token, Arc::clone(&session.claims)),
        };
        if claims.text("sub") != session.claims.text("sub") {
            return Err(Failure::Refused(
                "the new ID token is about somebody else (`sub`)".to_owned(),
            ));
        }
        self.session(&answer, id_token.to_owned(), &claims, Some(refresh_token), session.ends)
            .await
    }

    async fn session(
        &self,
        answer: &Map<String, Value>,
        id_token: String,
        claims: &Claims,
        refresh_token: Option<&str>,
        ends: f64,
    ) -> Result<Session, Failure> {
        let access_token = text(answer, "access_token");
        let userinfo = match self.config.userinfo {
            true => self.userinfo(access_token.unwrap_or_default(), claims).await?,
            false => Map::new(),
        };
        let lasts = answer.get("expires_in").and_then(Value::as_f64);
        let renew = lasts.map(|lasts| claims::now() + (lasts - EARLY.min(lasts / 10.0)).max(SHORTEST));
        let kept = Kept {
            id_token,
            userinfo,
            access_token: access_token
                .filter(|_| self.config.keep_access_token)
                .map(str::to_owned),
            refresh_token: text(answer, "refresh_token").or(refresh_token).map(str::to_owned),
            renew,
            ends,
        };
        Session::new(kept).map_err(Failure::Unavailable)
    }

    /// The answer of the token endpoint (RFC 6749, sections 5.1 and 5.2).
    async fn tokens(&self, fields: &[(&str, &str)]) -> Result<Map<String, Value>, Failure> {
        let deadline = Instant::now() + ASK_TIME;
        let metadata = self.metadata(deadline).await?;
        let url = endpoint(&metadata, self.origin(), "token_endpoint").map_err(Failure::Unavailable)?;
        let (client, secret) = (&self.config.client, self.secret.as_deref());
        let ask = oauth::post(&url, client, secret, fields, deadline).map_err(Failure::Unavailable)?;
        let (status, body) = self.ask(ask).await?;
        let answer = json::object(&body);
        if let (StatusCode::OK, Ok(answer)) = (status, &answer) {
            return Ok(answer.clone());
        }
        let error = answer.ok().and_then(|answer| text(&answer, "error").map(str::to_owned));
        let error = error.unwrap_or_default();
        // Quoted and cut: it comes from outside.
        let quoted: String = error.chars().take(100).collect();
        let reason = format!("{url}: status {status}, error {quoted:?}");
        // Providers differ in the status: 400 is what RFC 6749, section 5.2, wants, and 401 and 403 are what some send.
        match (status.is_client_error(), Verdict::of(&error)) {
            (true, Verdict::Over) => Err(Failure::Refused(reason)),
            (true, Verdict::Ask) => Err(Failure::Interaction(reason)),
            _ => Err(self.unavailable(reason)),
        }
    }

    /// What the provider says of the person whose ID token says this (OpenID Connect Core 1.0, section 5.3).
    async fn userinfo(&self, access_token: &str, claims: &Claims) -> Result<Map<String, Value>, Failure> {
        let deadline = Instant::now() + ASK_TIME;
        let metadata = self.metadata(deadline).await?;
        let url = endpoint(&metadata, self.origin(), "userinfo_endpoint").map_err(Failure::Unavailable)?;
        let value = HeaderValue::try_from(format!("Bearer {access_token}"));
        let mut value = value.map_err(|_| self.unavailable(format!("{url}: the access token cannot be sent")))?;
        value.set_sensitive(true);
        let mut ask = Ask::get(&url, deadline, ANSWER_BYTES);
        ask.headers.insert(AUTHORIZATION, value);
        let (status, body) = self.ask(ask).await?;
        match (status, json::object(&body)) {
            (StatusCode::OK, Ok(userinfo)) if text(&userinfo, "sub") == claims.text("sub") => Ok(userinfo),
            (StatusCode::OK, Ok(_)) => Err(self.unavailable(format!("{url}: it is about somebody else (`sub`)"))),
            // The access token is over or revoked (RFC 6750, section 3.1).
            (StatusCode::UNAUTHORIZED, _) => Err(Failure::Refused(format!("{url}: status 401"))),
            (status, _) => Err(self.unavailable(format!("{url}: status {status}, or an answer that is not JSON"))),
        }
    }

    async fn ask(&self, ask: Ask<'_>) -> Result<(StatusCode, bytes::Bytes), Failure> {
        let began = Instant::now();
        let url = ask.url;
        let response = self.client.ask(ask).await;
        self.metrics.asked(response.is_ok(), began.elapsed());
        let response = response.map_err(|error| self.unavailable(format!("{url}: {error}")))?;
        Ok((response.status(), response.into_body()))
    }

    /// What a token says that the provider has signed for this client.
    async fn verified(&self, id_token: &str) -> Result<Arc<Claims>, Failure> {
        let unknown = || Failure::Unavailable("the provider's keys are not known; the log says why".to_owned());
        let keys = self.keys.as_ref().ok_or_else(unknown)?;
        let verify = || {
            let set = keys.keys(Instant::now())?;
            Some(set.verify(id_token.as_bytes(), sha256(id_token.as_bytes()), &Algorithm::ALL))
        };
        let mut verified = verify();
        let why = match verified {
            None => Some(Reason::Missing),
            Some(Err(Unverified::UnknownKey)) => Some(Reason::UnknownKey),
            Some(_) => None,
        };
        if let Some(why) = why {
            keys.fetched(why, Instant::now() + ASK_TIME).await;
            verified = verify();
        }
        let verified = match verified.ok_or_else(unknown)? {
            Ok(verified) => verified,
            Err(Unverified::Invalid(reason)) => {
                return Err(self.unavailable(format!("the ID token is refused: {reason}")));
            }
            Err(Unverified::UnknownKey) => {
                return Err(self.unavailable("the ID token names a key that the provider does not have".to_owned()));
            }
        };
        let claims = &verified.claims;
        if claims.get("azp").is_some() && claims.text("azp") != Some(&self.config.client.id) {
            return Err(self.unavailable("the ID token is for another client (`azp`)".to_owned()));
        }
        match self.rules.check(claims, claims::now()) {
            Ok(_) => Ok(Arc::clone(claims)),
            Err(refusal) => Err(self.unavailable(format!("the ID token: {refusal}"))),
        }
    }

    /// For what the operator must know of, because no browser can do anything about it.
    fn unavailable(&self, reason: String) -> Failure {
        tracing::warn!(issuer = self.issuer(), "cannot log in: {reason}");
        Failure::Unavailable(reason)
    }
}

/// What an OAuth error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The grant or the person: the login is over.
    Over,
    /// The person, who has to be asked.
    Ask,
    /// Something that no person can mend.
    Other,
}

impl Verdict {
    /// Of the codes of RFC 6749 (sections 4.1.2.1 and 5.2), OpenID Connect Core 1.0 (section 3.1.2.6), OpenID Connect Core Error Code
    /// `unmet_authentication_requirements` 1.0, and of Auth0 (`mfa_required`).
    #[must_use]
    pub fn of(error: &str) -> Self {
        match error {
            "invalid_grant" | "access_denied" => Self::Over,
            "interaction_required"
            | "login_required"
            | "consent_required"
            | "account_selection_required"
            | "unmet_authentication_requirements"
            | "mfa_required" => Self::Ask,
            _ => Self::Other,
        }
    }
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn with_query(url: &str, query: &str) -> String {
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}{query}")
}
