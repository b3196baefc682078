//! A whole response made by a plugin.

use bytes::Bytes;
use gatewright_core::{Body, Response};
use http::{HeaderMap, StatusCode};

use super::allowance::Allowance;
use super::fields::{self, Message};
use super::types::FullResponse;
use crate::failure::OutputError;

/// A checked response; can be sent many times.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn into_response(self) -> Response {
        let mut response = Response::new(Body::full(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }

    /// For the weight of cached decisions.
    pub(crate) fn bytes(&self) -> usize {
        let fields = self
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len());
        self.body.len() + fields.sum::<usize>()
    }
}

/// Checks a response.
pub(super) fn checked(response: FullResponse, allowance: &mut Allowance) -> Result<Answer, OutputError> {
    let FullResponse { head, body } = response;
    let status = self::status(head.status)?;
    allowance.bytes("body", body.len())?;
    let headers = fields::section(head.fields, Message::Response, allowance)?;
    Ok(Answer {
        status,
        headers,
        body: body.into(),
    })
}

/// Final statuses of known classes only.
pub(crate) fn status(status: u16) -> Result<StatusCode, OutputError> {
    StatusCode::from_u16(status)
        .ok()
        .filter(|status| (200..600).contains(&status.as_u16()))
        .ok_or_else(|| OutputError::invalid("`status` is not 200 to 599"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_final_statuses_of_known_classes_pass() {
        for wrong in [0, 99, 100, 101, 103, 199, 600, 999, u16::MAX] {
            assert!(status(wrong).is_err(), "{wrong}");
        }
        for right in [200, 204, 304, 418, 599] {
            assert_eq!(status(right).unwrap(), right);
        }
    }
}
