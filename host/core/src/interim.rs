//! What a client is told before its response (RFC 9110, section 15.2).

use http::{HeaderMap, StatusCode};

/// Tells the client of an exchange something before its response.
pub trait Interim: Send + Sync {
    /// Sends an interim response, whose status is 102 or above. It is lost where the response has been sent already.
    fn send(&self, status: StatusCode, headers: HeaderMap);
}
