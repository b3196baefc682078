//! Policies as IAM evaluates them: what one statement denies is denied, what none allows is not allowed.
//!
//! One thing is stricter: what a statement asks about the client and nobody knows (a claim that the token does not have, an
//! address that no proxy has told) is neither equal nor unequal to anything. With such a doubt a deny applies and an allow does
//! not. `Null` and `…IfExists` ask for absence and are answered as in IAM.
//!
//! - `document`: a policy as an authorizer of AWS answers it
//! - `holds`: whether conditions hold for a request, and where there is a doubt
//! - `found`: what a request has under the key of a condition

mod document;
mod found;
mod holds;
#[cfg(test)]
mod tests;

pub use self::document::Document;
pub use self::holds::{Holds, doubt, hold};

/// The verdict of statements on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// One of them denies it.
    Denied,
    /// One allows it, and none denies it.
    Allowed,
    /// None is about it.
    Silent,
}

/// Puts what several statements say together.
pub fn verdict(statements: impl Iterator<Item = bool>) -> Verdict {
    let mut verdict = Verdict::Silent;
    for allows in statements {
        if !allows {
            return Verdict::Denied;
        }
        verdict = Verdict::Allowed;
    }
    verdict
}
