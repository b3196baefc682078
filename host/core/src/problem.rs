//! Why an exchange could not be answered as asked: one bounded kind, a public detail, a private cause.
//!
//! Clients see the kind and the detail, the access record has all three. `docs/ERRORS.md` has a row for each kind,
//! and a test keeps it so.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

/// Whose fault a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The client's: the same request will fail again.
    Client,
    /// The gateway's or its configuration's.
    Gateway,
    /// A plugin's.
    Plugin,
    /// The upstream's.
    Upstream,
}

macro_rules! problem_kinds {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:ident, $fault:ident, $message:literal;)*) => {
        /// Every way in which an exchange can fail.
        ///
        /// Codes that Amazon API Gateway has too are named as its gateway responses.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemKind { $($(#[$doc])* $variant,)* }

        impl ProblemKind {
            /// All kinds, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable machine-readable code in `x-gatewright-error`, logs and metrics.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The status that a client sees, unless the configuration says otherwise.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// Whose fault it is.
            pub const fn fault(self) -> Fault {
                match self { $(Self::$variant => Fault::$fault,)* }
            }

            /// What a client is told where a problem has no detail of its own.
            pub const fn message(self) -> &'static str {
                match self { $(Self::$variant => $message,)* }
            }
        }
    };
}

problem_kinds! {
    /// The request breaks HTTP: framing, fields, target or host.
    BadRequest = "BAD_REQUEST", BAD_REQUEST, Client, "Bad Request";
    /// The body is not what its content type says, or not what the route asks for.
    BadRequestBody = "BAD_REQUEST_BODY", BAD_REQUEST, Client, "Invalid request body";
    /// Parameters are missing, or not what the route asks for.
    BadRequestParameters = "BAD_REQUEST_PARAMETERS", BAD_REQUEST, Client, "Invalid request parameters";
    /// A login with a browser that cannot be finished: it took too long, was begun elsewhere, or its code is not good.
    LoginFailed = "LOGIN_FAILED", BAD_REQUEST, Client, "The login could not be finished. Open the page again.";
    /// No credentials, or ones that do not prove anything.
    Unauthorized = "UNAUTHORIZED", UNAUTHORIZED, Client, "Unauthorized";
    /// A request that must be signed is not.
    MissingAuthenticationToken = "MISSING_AUTHENTICATION_TOKEN", FORBIDDEN, Client, "Missing Authentication Token";
    /// A signature that is not one of this request, at this time, by a key that is known.
    InvalidSignature = "INVALID_SIGNATURE", FORBIDDEN, Client, "Forbidden";
    /// A presigned URL whose time is over.
    ExpiredToken = "EXPIRED_TOKEN", FORBIDDEN, Client, "Forbidden";
    /// The API key is unknown, disabled or over, or has no usage plan for the route.
    InvalidApiKey = "INVALID_API_KEY", FORBIDDEN, Client, "Forbidden";
    /// An authorizer said no.
    AccessDenied = "ACCESS_DENIED", FORBIDDEN, Client, "User is not authorized to access this resource";
    /// The request looks like an attack.
    WafFiltered = "WAF_FILTERED", FORBIDDEN, Client, "Forbidden";
    /// No route matches host and path.
    ResourceNotFound = "RESOURCE_NOT_FOUND", NOT_FOUND, Client, "Not Found";
    /// Routes match host and path, but not the method; `Allow` names the methods that do.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", METHOD_NOT_ALLOWED, Client, "Method Not Allowed";
    /// The client stopped sending in the middle of a request.
    RequestTimeout = "REQUEST_TIMEOUT", REQUEST_TIMEOUT, Client, "Request Timeout";
    /// The body does not say how long it is, and has to.
    LengthRequired = "LENGTH_REQUIRED", LENGTH_REQUIRED, Client, "Length Required";
    /// The body is larger than the route allows.
    RequestTooLarge = "REQUEST_TOO_LARGE", PAYLOAD_TOO_LARGE, Client, "Request Too Long";
    /// The request target is longer than the listener allows.
    UriTooLong = "URI_TOO_LONG", URI_TOO_LONG, Client, "URI Too Long";
    /// The body has a content type or coding that the route does not take.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", UNSUPPORTED_MEDIA_TYPE, Client, "Unsupported Media Type";
    /// The expectation in `Expect` is not `100-continue`.
    ExpectationFailed = "EXPECTATION_FAILED", EXPECTATION_FAILED, Client, "Expectation Failed";
    /// The header section is larger than the listener allows.
    HeadersTooLarge = "HEADERS_TOO_LARGE", REQUEST_HEADER_FIELDS_TOO_LARGE, Client, "Request Header Fields Too Large";
    /// A throttle's bucket is empty; `Retry-After` says when it is not.
    Throttled = "THROTTLED", TOO_MANY_REQUESTS, Client, "Too Many Requests";
    /// A quota is used up until its next period begins; `Retry-After` says when.
    QuotaExceeded = "QUOTA_EXCEEDED", TOO_MANY_REQUESTS, Client, "Limit Exceeded";
    /// As many requests are served at the same time as may be.
    TooManyConcurrentRequests = "TOO_MANY_CONCURRENT_REQUESTS", TOO_MANY_REQUESTS, Client, "Too Many Requests";
    /// The client left before it had its answer. Only in logs and metrics, as 499: nobody is there to see it.
    ClientClosed = "CLIENT_CLOSED", BAD_REQUEST, Client, "Client Closed Request";
    /// A method or transfer coding that the gateway does not implement.
    NotImplemented = "NOT_IMPLEMENTED", NOT_IMPLEMENTED, Client, "Not Implemented";
    /// The request went through this gateway before.
    LoopDetected = "LOOP_DETECTED", LOOP_DETECTED, Client, "Loop Detected";
    /// An authorizer failed: trap, fault, or an answer that makes no sense. Never means allowed.
    AuthorizerFailure = "AUTHORIZER_FAILURE", INTERNAL_SERVER_ERROR, Plugin, "Internal Server Error";
    /// A plugin trapped or reported a fault.
    PluginFault = "PLUGIN_FAULT", INTERNAL_SERVER_ERROR, Plugin, "Internal Server Error";
    /// A plugin used more wall or processor time than it may.
    PluginTimeout = "PLUGIN_TIMEOUT", GATEWAY_TIMEOUT, Plugin, "Gateway Timeout";
    /// What a plugin returned is not HTTP: a status, name or value that no peer may see.
    PluginOutputInvalid = "PLUGIN_OUTPUT_INVALID", INTERNAL_SERVER_ERROR, Plugin, "Internal Server Error";
    /// What a plugin returned is larger than it may be.
    PluginOutputTooLarge = "PLUGIN_OUTPUT_TOO_LARGE", INTERNAL_SERVER_ERROR, Plugin, "Internal Server Error";
    /// A plugin's calls all are in use, and none came free in time.
    PluginSaturated = "PLUGIN_SATURATED", SERVICE_UNAVAILABLE, Plugin, "Service Unavailable";
    /// The route's plugin is missing or could not be loaded.
    PluginUnavailable = "PLUGIN_UNAVAILABLE", SERVICE_UNAVAILABLE, Plugin, "Service Unavailable";
    /// No target of the upstream could be reached.
    UpstreamUnavailable = "UPSTREAM_UNAVAILABLE", SERVICE_UNAVAILABLE, Upstream, "Service Unavailable";
    /// The upstream broke the connection or did not speak HTTP.
    IntegrationFailure = "INTEGRATION_FAILURE", BAD_GATEWAY, Upstream, "Bad Gateway";
    /// The upstream, or the whole exchange, took longer than it may.
    IntegrationTimeout = "INTEGRATION_TIMEOUT", GATEWAY_TIMEOUT, Upstream, "Endpoint request timed out";
    /// The issuer of the client's credentials does not answer, so that nobody can say whether they are good.
    IssuerUnavailable = "ISSUER_UNAVAILABLE", SERVICE_UNAVAILABLE, Upstream, "Service Unavailable";
    /// The server in which gateways share state does not answer, and the limit is closed then.
    StateUnavailable = "STATE_UNAVAILABLE", SERVICE_UNAVAILABLE, Gateway, "Service Unavailable";
    /// The gateway is stopping or has no room.
    ServiceUnavailable = "SERVICE_UNAVAILABLE", SERVICE_UNAVAILABLE, Gateway, "Service Unavailable";
    /// Responses take too long, and more important requests are let in first.
    Overloaded = "OVERLOADED", SERVICE_UNAVAILABLE, Gateway, "Service Unavailable";
    /// What the configuration wants done cannot be done: a template has failed.
    ApiConfigurationError = "API_CONFIGURATION_ERROR", INTERNAL_SERVER_ERROR, Gateway, "Internal Server Error";
    /// A defect of the gateway. The log has its cause.
    InternalError = "INTERNAL_ERROR", INTERNAL_SERVER_ERROR, Gateway, "Internal Server Error";
}

/// A rule that a request does not keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where: a JSON pointer into the body, or `query.NAME`, `header.NAME`, `path.NAME`.
    pub at: String,
    /// Which rule.
    pub reason: String,
}

/// Why one exchange could not be answered.
///
/// Boxed inside: it travels in the `Err` of every step of every exchange, and most never have one.
#[derive(Clone, Debug)]
pub struct Problem(Box<Details>);

#[derive(Clone, Debug)]
struct Details {
    kind: ProblemKind,
    status: Option<StatusCode>,
    detail: Option<String>,
    cause: Option<String>,
    headers: Vec<(http::HeaderName, http::HeaderValue)>,
    failures: Vec<Failure>,
    retry_after: Option<Duration>,
    close: bool,
}

impl Problem {
    /// A problem of that kind, without detail or cause.
    pub fn new(kind: ProblemKind) -> Self {
        Self(Box::new(Details {
            kind,
            status: None,
            detail: None,
            cause: None,
            headers: Vec::new(),
            failures: Vec::new(),
            retry_after: None,
            close: false,
        }))
    }

    /// What the client is told instead of the kind's message. Must name nothing internal.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// What the access record says about the cause. Never sent to the client; must hold no secret.
    #[must_use]
    pub fn with_cause(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// Another status than the kind's.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    /// A header field of the response, such as `allow`.
    #[must_use]
    pub fn with_header(mut self, name: http::HeaderName, value: http::HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// What exactly was wrong with the request, for the client. Must hold no values and be few.
    #[must_use]
    pub fn with_failures(mut self, failures: Vec<Failure>) -> Self {
        self.0.failures = failures;
        self
    }

    /// When trying again makes sense; sent as `Retry-After`, rounded up to seconds.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// The connection cannot be used any more: what follows on it may not be a request.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.0.close = true;
        self
    }

    /// The kind.
    pub fn kind(&self) -> ProblemKind {
        self.0.kind
    }

    /// The status that the client sees.
    pub fn status(&self) -> StatusCode {
        self.0.status.unwrap_or(self.0.kind.status())
    }

    /// What the client is told.
    pub fn message(&self) -> &str {
        self.0.detail.as_deref().unwrap_or(self.0.kind.message())
    }

    /// What the access record says about the cause: where nothing else is said, what the client is told.
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref().or(self.0.detail.as_deref())
    }

    /// Header fields for the response.
    pub fn headers(&self) -> &[(http::HeaderName, http::HeaderValue)] {
        &self.0.headers
    }

    /// What exactly was wrong with the request.
    pub fn failures(&self) -> &[Failure] {
        &self.0.failures
    }

    /// When trying again makes sense.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether the connection must close after the response.
    pub fn closes(&self) -> bool {
        self.0.close
    }
}

impl From<ProblemKind> for Problem {
    fn from(kind: ProblemKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind().code(), self.message())?;
        self.0.cause.as_deref().map_or(Ok(()), |cause| write!(f, " ({cause})"))
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_is_unique_and_in_upper_snake_case() {
        let codes: HashSet<_> = ProblemKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), ProblemKind::ALL.len());
        for code in codes {
            assert!(code.chars().all(|c| c.is_ascii_uppercase() || c == '_'), "{code}");
        }
    }

    #[test]
    fn a_fault_of_ours_is_never_blamed_on_the_client_by_its_status() {
        for kind in ProblemKind::ALL {
            if kind.fault() != Fault::Client {
                assert!(kind.status().is_server_error(), "{}", kind.code());
            }
        }
    }

    #[test]
    fn the_cause_is_not_part_of_the_message() {
        let problem = Problem::new(ProblemKind::IntegrationFailure).with_cause("10.0.0.7 refused");
        assert_eq!(problem.message(), "Bad Gateway");
        assert_eq!(problem.cause(), Some("10.0.0.7 refused"));
        let told = Problem::new(ProblemKind::BadRequest).with_detail("no host");
        assert_eq!(told.cause(), Some("no host"));
        assert_eq!(Problem::new(ProblemKind::BadRequest).cause(), None);
    }
}
