//! Authorizers: may this request go on?

use std::ops::Deref;
use std::time::Duration;

use crate::{Exchange, Fault, FieldEdit, Plugin, RequestHead, Response, Value};

/// Decides whether a request may go on.
pub trait Authorizer: Plugin {
    /// Runs once per request whose decision is not cached, before the chain goes on.
    ///
    /// # Errors
    /// A fault (or a panic, or a missed deadline) never lets the request pass.
    fn authorize(&self, request: &AuthorizeRequest) -> Result<Decision, Fault>;
}

/// What an authorizer is given. Dereferences to the request head.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthorizeRequest {
    /// The exchange.
    pub exchange: Exchange,
    /// The request.
    pub head: RequestHead,
    /// One entry per identity source of the route, in order. They are the key under which the decision is cached:
    /// an authorizer that looks at nothing else can be cached safely.
    pub identity: Vec<Option<String>>,
    /// The body, for plugins that asked for it.
    pub body: Option<Vec<u8>>,
}

impl AuthorizeRequest {
    /// The identity source at this position, if the route has it and the request too.
    pub fn identity(&self, index: usize) -> Option<&str> {
        self.identity.get(index)?.as_deref()
    }
}

impl Deref for AuthorizeRequest {
    type Target = RequestHead;

    fn deref(&self) -> &RequestHead {
        &self.head
    }
}

/// The answer of an authorizer.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Yes.
    Allow(Grant),
    /// No.
    Deny(Denial),
    /// Not mine to decide: ask the next authorizer of the route. When all abstain the request is denied.
    Abstain,
}

/// Yes, and what follows from it.
///
/// ```
/// use gatewright_sdk::Grant;
/// let grant = Grant::to("alice").context("tenant", "blue").scope("orders:read");
/// assert_eq!(grant.principal, "alice");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grant {
    /// Who the caller is. Not empty.
    pub principal: String,
    /// Become `auth.<name>` of the exchange.
    pub context: Vec<(String, Value)>,
    /// Key for usage plans, quotas and rate limits; none: the principal.
    pub usage_key: Option<String>,
    /// What the caller may do, compared by the gateway with what the route asks for.
    pub scopes: Vec<String>,
    /// What else the grant covers; empty: this route only.
    pub policy: Vec<Statement>,
    /// Changes of the request that goes upstream.
    pub upstream_edits: Vec<FieldEdit>,
    /// How long the gateway may reuse the answer for the same identity; none: the route's default, zero: never.
    pub ttl: Option<Duration>,
}

impl Grant {
    /// A grant to a principal, for this route only.
    pub fn to(principal: impl Into<String>) -> Self {
        Self {
            principal: principal.into(),
            ..Self::default()
        }
    }

    /// Adds a context value.
    #[must_use]
    pub fn context(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.context.push((name.into(), value.into()));
        self
    }

    /// Adds a scope.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }

    /// Sets the key for usage plans, quotas and rate limits.
    #[must_use]
    pub fn usage_key(self, key: impl Into<String>) -> Self {
        Self {
            usage_key: Some(key.into()),
            ..self
        }
    }

    /// Adds a change of the request that goes upstream.
    #[must_use]
    pub fn upstream_edit(mut self, edit: FieldEdit) -> Self {
        self.upstream_edits.push(edit);
        self
    }

    /// Bounds how long the gateway may reuse the answer.
    #[must_use]
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..self }
    }
}

impl From<Grant> for Decision {
    fn from(grant: Grant) -> Self {
        Self::Allow(grant)
    }
}

/// No, and what the client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// 400 or above; anything else is refused by the gateway.
    pub response: Response,
    /// For the access log only.
    pub reason: String,
    /// As in [`Grant::ttl`].
    pub ttl: Option<Duration>,
}

impl Denial {
    /// A denial with a response and a reason for the log.
    pub fn new(response: Response, reason: impl Into<String>) -> Self {
        Self {
            response,
            reason: reason.into(),
            ttl: None,
        }
    }

    /// 401: who are you? `challenge` is the value of `WWW-Authenticate`.
    pub fn unauthorized(challenge: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(Response::new(401).header("www-authenticate", challenge.into()), reason)
    }

    /// 403: I know who you are, and no.
    pub fn forbidden(reason: impl Into<String>) -> Self {
        Self::new(Response::new(403), reason)
    }

    /// Bounds how long the gateway may reuse the answer.
    #[must_use]
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..self }
    }
}

impl From<Denial> for Decision {
    fn from(denial: Denial) -> Self {
        Self::Deny(denial)
    }
}

/// IAM-like statement of a grant's policy; `*` stands for any text and `?` for one character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// A deny that matches wins over every allow.
    pub effect: Effect,
    /// `GET`, `*`.
    pub methods: Vec<String>,
    /// `/users/*`.
    pub paths: Vec<String>,
}

/// What a statement says about what it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Yes.
    Allow,
    /// No.
    Deny,
}
