//! The hook `response-transform`: changes a response, or replaces it.

use std::time::Duration;

use bytes::Bytes;
use gatewright_core::Value;
use http::{HeaderMap, StatusCode};

use super::allowance::Allowance;
use super::answer::{self, Answer};
use super::attributes;
use super::bindings::exports::gatewright::plugin::response_transform as wit;
use super::fields::{self, Edit, Message};
use super::function;
use super::lowering::{self, Lowered, Made, Shown, View};
use super::request_transform::body;
use super::types::Fault;
use super::{Hook, Needs};
use crate::failure::Failure;
use crate::instance::Instance;
use crate::kind::PluginKind;
use crate::recording::Inputs;

/// `transform-response`.
pub(super) type Function =
    function::Function<(&'static wit::ResponseInput<'static>,), (Result<wit::ResponseOutcome, Fault>,)>;

/// One response to be changed.
pub(crate) struct TransformResponse<'a> {
    pub(crate) view: View<'a>,
    pub(crate) needs: &'a Needs,
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: Option<&'a [u8]>,
}

/// What becomes of it.
pub(crate) enum ResponseOutcome {
    /// It goes on, changed.
    Proceed(ResponseEdits),
    /// Another is sent instead.
    Replace(Answer),
}

/// Checked changes.
#[derive(Debug, Default)]
pub(crate) struct ResponseEdits {
    pub(crate) status: Option<StatusCode>,
    pub(crate) fields: Vec<Edit>,
    pub(crate) body: Option<Bytes>,
    /// With their full names.
    pub(crate) attributes: Vec<(String, Value)>,
}

impl Hook for TransformResponse<'_> {
    const KIND: PluginKind = PluginKind::ResponseTransform;
    type Output = ResponseOutcome;

    async fn call(&self, instance: &mut Instance, budget: Duration) -> Result<ResponseOutcome, Failure> {
        let made = Made::of(&self.view, self.needs);
        let lowered = Lowered::of(self.view, Shown::All, &made, self.needs);
        let fields = lowering::fields(self.headers, &self.needs.response_fields);
        let transform = instance.function(|exports| exports.response_transform.as_ref())?;
        let input = wit::ResponseInput {
            exchange: lowered.exchange(budget),
            request: lowered.head(),
            response: wit::ResponseHead {
                status: self.status.as_u16(),
                fields: &fields,
            },
            body: self.body,
        };
        let (outcome,) = transform
            .call_async(&mut instance.store, (&input,))
            .await
            .map_err(|error| instance.explained(error))?;
        let caller = &instance.store.data().caller;
        let mut allowance = Allowance::new(caller.limits.output_bytes);
        Ok(match outcome? {
            wit::ResponseOutcome::Replace(response) => {
                ResponseOutcome::Replace(answer::checked(response, &mut allowance)?)
            }
            wit::ResponseOutcome::Proceed(edits) => {
                let wit::ResponseEdits {
                    status,
                    fields,
                    body: body_edit,
                    attributes,
                } = edits;
                ResponseOutcome::Proceed(ResponseEdits {
                    status: status.map(answer::status).transpose()?,
                    fields: fields::edits(fields, Message::Response, &mut allowance)?,
                    body: body(body_edit, self.body.is_some(), &mut allowance)?,
                    attributes: attributes::checked(attributes, &format!("plugin.{}.", caller.name), &mut allowance)?,
                })
            }
        })
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            view: self.view,
            identity: &[],
            body: None,
            response: Some((self.status, self.headers, self.body)),
        }
    }
}
