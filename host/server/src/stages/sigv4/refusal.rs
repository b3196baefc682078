//! What is said to clients that prove nothing: the codes and messages of AWS, which its SDKs and their users know.

use gatewright_core::{Problem, ProblemKind};
use http::header::{HeaderName, HeaderValue};

/// Where SDKs of AWS look for the code of an error.
const X_AMZN_ERRORTYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// There is no signature.
pub(super) fn missing() -> Problem {
    refusal(
        ProblemKind::MissingAuthenticationToken,
        "MissingAuthenticationTokenException",
    )
}

/// There is something that should be one.
pub(super) fn incomplete(detail: impl Into<String>) -> Problem {
    let detail = detail.into();
    refusal(ProblemKind::InvalidSignature, "IncompleteSignatureException")
        .with_cause(&detail)
        .with_detail(detail)
}

/// It is not the signature of this request, now and here.
pub(super) fn invalid(detail: impl Into<String>) -> Problem {
    let detail = detail.into();
    refusal(ProblemKind::InvalidSignature, "InvalidSignatureException")
        .with_cause(&detail)
        .with_detail(detail)
}

/// It was, once.
pub(super) fn expired(detail: impl Into<String>) -> Problem {
    refusal(ProblemKind::ExpiredToken, "ExpiredTokenException").with_detail(detail)
}

/// Nobody is known by that access key and token.
pub(super) fn unknown(cause: &str) -> Problem {
    refusal(ProblemKind::InvalidSignature, "UnrecognizedClientException")
        .with_detail("The security token included in the request is invalid.")
        .with_cause(cause)
}

fn refusal(kind: ProblemKind, code: &'static str) -> Problem {
    Problem::new(kind).with_header(X_AMZN_ERRORTYPE, HeaderValue::from_static(code))
}
