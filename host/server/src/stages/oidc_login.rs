//! `oidc-login`: people with browsers log in at an OpenID provider and come back with a session, which is who they are from then
//! on (OpenID Connect Core 1.0, section 3.1, with PKCE).
//!
//! A request has a session and passes, or has none and is sent to the provider; the provider sends the browser back to the
//! callback, which this stage answers itself, and so it does the logout. While the provider does not answer nobody can log in, and
//! no session goes on whose time is over.

use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_config::{ForwardedToken, OidcLoginConfig, Unauthenticated};
use gatewright_core::state::StateError;
use gatewright_core::{Body, Exchange, Flow, Problem, ProblemKind, Request, Response, Stage, Step, Value};
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use crate::fields::keep_private;
use crate::login::provider::{Failure, Verdict};
use crate::login::session::{Begun, Session};
use crate::login::{Found, Login, NotKept};
use crate::token::gate::{attach, unavailable};
use crate::token::key_set::{Digest, sha256};
use crate::token::rules::{Refusal, Rules};
use crate::token::{carriers, claims};

const NAME: &str = "oidc-login";
/// The attribute with what the session was known by that was renewed for this request.
const RENEWED: &str = "oidc-login.renewed";
/// How long a person may take at the provider, in seconds.
const LOGIN_TIME: u32 = 600;
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Lets people pass who have logged in.
pub struct OidcLogin {
    config: OidcLoginConfig,
    login: Arc<Login>,
    rules: Rules,
}

impl Stage for OidcLogin {
    fn name(&self) -> &str {
        NAME
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        let path = exchange.request.path();
        if path == self.config.callback.path {
            return Step::waiting(self.come_back(exchange));
        }
        if self.config.logout.as_deref() == Some(path) {
            return Step::waiting(self.log_out(exchange));
        }
        match self.login.session(&exchange.request, self.is_secure(&exchange.request)) {
            Step::Ready(Some(found)) => self.decide(exchange, found),
            looking => Step::waiting(async move {
                let found = looking.await;
                exchange.look_at_clock();
                self.decide(exchange, found).await
            }),
        }
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        response: &'a mut Response,
    ) -> Step<'a, Result<(), Problem>> {
        let secure = self.is_secure(&exchange.request);
        // A browser that does not get it comes again with the old one, for which the new one is known a while longer.
        if let Some(digest) = renewed(exchange)
            && let Some(cookies) = self.login.renewed(&exchange.request, secure, &digest)
        {
            for cookie in cookies {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            // Whatever it is, with the cookie it is for nobody else.
            keep_private(response.headers_mut());
        }
        Step::ready(Ok(()))
    }

    fn sees_responses(&self) -> bool {
        true
    }
}

impl OidcLogin {
    /// A stage with these logins.
    #[must_use]
    pub fn new(config: &OidcLoginConfig, login: Arc<Login>) -> Self {
        Self {
            config: config.clone(),
            login,
            rules: Rules::new(&config.rules, true),
        }
    }

    fn decide<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        found: Result<Option<Found>, StateError>,
    ) -> Step<'a, Result<Flow, Problem>> {
        match found {
            Ok(Some(found)) if found.session.is_due(claims::now()) => Step::waiting(self.renew(exchange, found)),
            Ok(Some(found)) => Step::ready(self.admit(exchange, &found.session)),
            Ok(None) => self.nobody(exchange),
            Err(error) => Step::ready(Err(state_unavailable(&error))),
        }
    }

    /// Somebody with a session that is good.
    fn admit(&self, exchange: &mut Exchange, session: &Session) -> Result<Flow, Problem> {
        let principal = self
            .rules
            .check_content(&session.claims)
            .map_err(|refusal| denied(&refusal))?;
        let kept = session.kept();
        let token = match self.config.forward {
            ForwardedToken::Nothing => None,
            ForwardedToken::AccessToken => kept.access_token.as_deref(),
            ForwardedToken::IdToken => Some(&*kept.id_token),
        };
        let token = token.map(|token| HeaderValue::try_from(format!("Bearer {token}")));
        let token = token
            .transpose()
            .map_err(|_| failed("the token cannot be sent to the upstream"))?;
        exchange.authenticate(NAME, &principal);
        attach(&session.claims, &mut exchange.attributes);
        self.settle(&mut exchange.request);
        if let Some(mut token) = token {
            token.set_sensitive(true);
            exchange.request.headers.insert(header::AUTHORIZATION, token);
        }
        Ok(Flow::Proceed)
    }

    /// Takes out of a request what only this stage may say behind the gateway, and what nobody there needs to know.
    fn settle(&self, request: &mut Request) {
        self.login.cookies.settle(request);
        if self.config.forward != ForwardedToken::Nothing {
            request.headers.remove(header::AUTHORIZATION);
        }
    }

    /// Somebody whose session has to be renewed first.
    async fn renew(&self, exchange: &mut Exchange, found: Found) -> Result<Flow, Problem> {
        let renewal = self.login.renew(&found, exchange.deadline).await;
        exchange.look_at_clock();
        match renewal {
            Some(Ok(session)) => {
                exchange.attributes.set(RENEWED, Value::Text(encoded(&found.digest)));
                self.admit(exchange, &session)
            }
            Some(Err(Failure::Refused(_) | Failure::Interaction(_))) => self.nobody(exchange).await,
            Some(Err(Failure::Unavailable(reason))) => Err(unavailable(&reason)),
            None => Err(unavailable(
                "the provider has not answered whether the session is still good",
            )),
        }
    }

    /// Somebody without a session.
    fn nobody<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        match self.config.on_unauthenticated {
            Unauthenticated::Allow => {
                self.settle(&mut exchange.request);
                Step::ready(Ok(Flow::Proceed))
            }
            Unauthenticated::Login if is_page(&exchange.request) => {
                let target = exchange.request.target.as_str().to_owned();
                Step::waiting(self.begin(exchange, target, false))
            }
            Unauthenticated::Login | Unauthenticated::Deny => Step::ready(Err(Problem::new(ProblemKind::Unauthorized)
                .with_header(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Session realm=\"login\""),
                )
                .with_cause("no session, or one that is over"))),
        }
    }

    /// Sends a browser to the provider, from where it gets back to `target`. `interactive` when the provider has to ask the person.
    async fn begin(&self, exchange: &mut Exchange, target: String, interactive: bool) -> Result<Flow, Problem> {
        let request = &exchange.request;
        let mut begun = Begun {
            state: random()?,
            nonce: random()?,
            verifier: random()?,
            callback: self.url(
                request,
                self.config.callback.origin.as_deref(),
                &self.config.callback.path,
            )?,
            // A browser would take what begins with two slashes for a host.
            target: match target.starts_with("//") {
                true => "/".to_owned(),
                false => target,
            },
            ends: claims::now() + f64::from(LOGIN_TIME),
            interactive,
        };
        let challenge = URL_SAFE_NO_PAD.encode(sha256(begun.verifier.as_bytes()));
        let location = self
            .login
            .provider
            .authorization(&begun, &challenge, exchange.deadline)
            .await;
        let location = location.map_err(problem)?;
        let cookies = match self.keep_login(request, &begun)? {
            Some(cookies) => cookies,
            // What no cookie holds, a browser cannot be led back to.
            None => {
                begun.target = "/".to_owned();
                let cookies = self.keep_login(request, &begun)?;
                cookies.ok_or_else(|| failed("the login is longer than browsers keep"))?
            }
        };
        exchange.look_at_clock();
        lead(&location, cookies)
    }

    /// The fields that make a browser keep a login under way; none when it is too long.
    fn keep_login(&self, request: &Request, begun: &Begun) -> Result<Option<Vec<HeaderValue>>, Problem> {
        let sealed = begun.seal(self.login.seal());
        let sealed = sealed.ok_or_else(|| failed("the login cannot be sealed"))?;
        let (cookies, secure) = (&self.login.cookies, self.is_secure(request));
        Ok(cookies.keep_login(request, secure, &begun.state, &sealed, LOGIN_TIME.into()))
    }

    /// A browser that the provider has sent back (RFC 6749, section 4.1.2).
    async fn come_back(&self, exchange: &mut Exchange) -> Result<Flow, Problem> {
        let secure = self.is_secure(&exchange.request);
        let state = parameter(&exchange.request, "state").unwrap_or_default();
        let Some(begun) = self.begun(&exchange.request, secure, &state) else {
            // Somebody who came back twice is there already.
            return match self.login.session(&exchange.request, secure).await {
                Ok(Some(_)) => lead("/", None),
                Ok(None) => Err(login_failed("no login with this `state` is under way in this browser")),
                Err(error) => Err(state_unavailable(&error)),
            };
        };
        let done = self.finish(&exchange.request, exchange.deadline, &begun).await;
        exchange.look_at_clock();
        let cookies = &self.login.cookies;
        match done {
            Ok(session) => {
                let over = cookies.forget_logins(&exchange.request, secure);
                lead(&begun.target, session.into_iter().chain(over))
            }
            Err(Unfinished::Interaction) => {
                let over = cookies.forget_this_login(&exchange.request, secure, &begun.state);
                let flow = self.begin(exchange, begun.target, true).await?;
                Ok(with_cookies(flow, over))
            }
            Err(Unfinished::Problem(problem)) => {
                let over = cookies.forget_this_login(&exchange.request, secure, &begun.state);
                Err(over.into_iter().fold(problem, |problem, cookie| {
                    problem.with_header(header::SET_COOKIE, cookie)
                }))
            }
        }
    }

    fn begun(&self, request: &Request, secure: bool, state: &str) -> Option<Begun> {
        let sealed = self.login.cookies.login(request, secure, state)?;
        let begun = Begun::open(self.login.seal(), &sealed)?;
        (begun.state == state && claims::now() < begun.ends).then_some(begun)
    }

    /// The cookies of the session that a browser has come back for.
    async fn finish(
        &self,
        request: &Request,
        deadline: Instant,
        begun: &Begun,
    ) -> Result<Vec<HeaderValue>, Unfinished> {
        // Another provider's answer would be taken there (RFC 9207).
        if let Some(name) = parameter(request, "iss") {
            let is_its_name = self.login.provider.is_named(&name, deadline).await;
            if !is_its_name.map_err(problem)? {
                return Err(login_failed("the answer is another provider's (`iss`)").into());
            }
        }
        if let Some(error) = parameter(request, "error") {
            return Err(self.refused(&error, begun));
        }
        let code = parameter(request, "code").ok_or_else(|| login_failed("the provider's answer has no `code`"))?;
        let redeemed = tokio::time::timeout_at(deadline.into(), self.login.provider.redeem(begun, &code)).await;
        let session = match redeemed.map_err(|_| unavailable("the provider has not answered"))? {
            Err(Failure::Interaction(_)) if !begun.interactive => return Err(Unfinished::Interaction),
            redeemed => redeemed.map_err(problem)?,
        };
        self.rules
            .check_content(&session.claims)
            .map_err(|refusal| denied(&refusal))?;
        let kept = self.login.keep(request, self.is_secure(request), &session).await;
        kept.map_err(|error| match error {
            NotKept::State(error) => state_unavailable(&error).into(),
            NotKept::TooLong => Problem::new(ProblemKind::ApiConfigurationError)
                .with_cause(error)
                .into(),
            NotKept::NoRandomNumbers => failed(&error.to_string()).into(),
        })
    }

    /// What the provider's refusal comes to (RFC 6749, section 4.1.2.1).
    fn refused(&self, error: &str, begun: &Begun) -> Unfinished {
        if Verdict::of(error) == Verdict::Ask && !begun.interactive {
            return Unfinished::Interaction;
        }
        // Quoted and cut: it comes from outside.
        let quoted: String = error.chars().take(100).collect();
        let problem = match error == "access_denied" {
            true => Problem::new(ProblemKind::AccessDenied).with_cause("the person, or the provider, has said no"),
            false => login_failed(&format!("the provider says {quoted:?}")),
        };
        problem.into()
    }

    /// Ends a session, here and at the provider.
    async fn log_out(&self, exchange: &mut Exchange) -> Result<Flow, Problem> {
        let request = &exchange.request;
        let secure = self.is_secure(request);
        let after = match self.config.after_logout.strip_prefix('/') {
            Some(_) => self.url(
                request,
                self.config.callback.origin.as_deref(),
                &self.config.after_logout,
            )?,
            None => self.config.after_logout.clone(),
        };
        let found = self.login.session(request, secure).await;
        let found = found.map_err(|error| state_unavailable(&error))?;
        let cookies = self.login.end(request, secure).await;
        let cookies = cookies.map_err(|error| state_unavailable(&error))?;
        let mut location = None;
        if let Some(found) = found {
            location = self
                .login
                .provider
                .end_session(&found.session, &after, exchange.deadline)
                .await;
        }
        exchange.look_at_clock();
        lead(&location.unwrap_or(after), cookies)
    }

    /// Whether browsers speak TLS to where they come back to.
    fn is_secure(&self, request: &Request) -> bool {
        match &self.config.callback.origin {
            Some(origin) => origin.starts_with("https://"),
            None => request.secure,
        }
    }

    fn url(&self, request: &Request, origin: Option<&str>, path: &str) -> Result<String, Problem> {
        if let Some(origin) = origin {
            return Ok(format!("{origin}{path}"));
        }
        let authority = request
            .authority
            .to_str()
            .map_err(|_| Problem::from(ProblemKind::BadRequest))?;
        Ok(format!("{}://{authority}{path}", request.scheme()))
    }
}

/// Why a login has not led to a session.
enum Unfinished {
    /// The provider has to ask the person, and was told not to.
    Interaction,
    /// It cannot be finished.
    Problem(Problem),
}

impl From<Problem> for Unfinished {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Whether a browser asks for something that it will show: what a script asks for cannot be answered by a page of the provider, and
/// what a form sends would be lost on the way.
fn is_page(request: &Request) -> bool {
    if request.method != Method::GET && request.method != Method::HEAD {
        return false;
    }
    if let Some(mode) = request.headers.get(SEC_FETCH_MODE) {
        return mode == "navigate";
    }
    let accepts = request
        .headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    accepts.flat_map(|value| value.split(',')).any(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("text/html")
    })
}

/// The only query parameter of that name.
fn parameter(request: &Request, name: &str) -> Option<String> {
    String::from_utf8(carriers::parameter(request, name)?.into_owned()).ok()
}

/// Sends a browser there. What it is told is for it alone.
fn lead(location: &str, cookies: impl IntoIterator<Item = HeaderValue>) -> Result<Flow, Problem> {
    let location = HeaderValue::try_from(location).map_err(|_| failed("the URL cannot be sent"))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
    Ok(Flow::Answer(Box::new(response)))
}

/// The same answer, with more cookies.
fn with_cookies(flow: Flow, cookies: impl IntoIterator<Item = HeaderValue>) -> Flow {
    let Flow::Answer(mut response) = flow else { return flow };
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Flow::Answer(response)
}

/// 256 random bits, in base64url: as a verifier should have (RFC 7636, section 4.1).
fn random() -> Result<String, Problem> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| failed("the system has no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn renewed(exchange: &Exchange) -> Option<Digest> {
    let attribute = exchange.attributes.get(RENEWED);
    let Some(Value::Text(text)) = attribute.as_deref() else {
        return None;
    };
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

fn encoded(digest: &Digest) -> String {
    URL_SAFE_NO_PAD.encode(digest)
}

fn denied(refusal: &Refusal) -> Problem {
    Problem::new(ProblemKind::AccessDenied).with_cause(format_args!("the session's ID token: {refusal}"))
}

fn login_failed(cause: &str) -> Problem {
    Problem::new(ProblemKind::LoginFailed).with_cause(cause)
}

fn problem(failure: Failure) -> Problem {
    match failure {
        Failure::Refused(reason) | Failure::Interaction(reason) => login_failed(&reason),
        Failure::Unavailable(reason) => unavailable(&reason),
    }
}

/// The state server, which keeps the session, cannot say what it is.
fn state_unavailable(error: &StateError) -> Problem {
    Problem::new(ProblemKind::StateUnavailable).with_cause(format_args!("the session: {error}"))
}

fn failed(cause: &str) -> Problem {
    Problem::new(ProblemKind::InternalError).with_cause(cause)
}
