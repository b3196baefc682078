//! The plugin interface, version 0.1: the generated bindings, and what turns the gateway's words into them and back.
//! WIT types end here. What comes from a plugin is hostile: each piece is checked before it becomes a core type.

mod allowance;
mod answer;
mod attributes;
mod authorizer;
pub(crate) mod bindings;
mod body_filter;
mod exports;
mod fields;
mod function;
mod integration;
mod lifecycle;
mod lowering;
mod parts;
mod proxy;
mod request_transform;
mod response_transform;
mod service;
mod services;
mod standard;

pub(crate) use answer::{Answer, status};
pub(crate) use authorizer::Authorize;
pub(crate) use body_filter::{FilterHandle, OpenFilter};
pub(crate) use exports::{Exports, INTERFACE, Unfit, kinds};
pub(crate) use fields::Edit;
pub(crate) use integration::Handle;
pub(crate) use lifecycle::{Description, Needs, Selection, Wrong, configure, describe};
pub(crate) use lowering::{Shown, View};
pub(crate) use parts::Part;
pub(crate) use request_transform::{RequestEdits, RequestOutcome, TransformRequest};
pub(crate) use response_transform::{ResponseEdits, ResponseOutcome, TransformResponse};
pub(crate) use standard::{Answered, Asked, SERVICE, serve};

use std::time::Duration;

use http::HeaderMap;

use crate::failure::{Failure, Fault, OutputError};
use crate::instance::Instance;
use crate::kind::PluginKind;
use crate::recording::Inputs;
use bindings::gatewright::plugin::types;

/// Header fields of a request that a plugin sends on its own.
pub(crate) fn request_fields(fields: Vec<(String, Vec<u8>)>) -> Result<HeaderMap, OutputError> {
    fields::section(
        fields,
        fields::Message::Request,
        &mut allowance::Allowance::new(usize::MAX),
    )
}

/// Whether a header field of a request is a plugin's to write.
pub(crate) fn may_be_requested_with(name: &http::HeaderName) -> bool {
    fields::is_writable(name, fields::Message::Request)
}

/// Header fields of a response or its trailers, whose body is not counted with them.
pub(crate) fn response_fields(fields: Vec<(String, Vec<u8>)>) -> Result<HeaderMap, OutputError> {
    fields::section(
        fields,
        fields::Message::Response,
        &mut allowance::Allowance::new(usize::MAX),
    )
}

/// One call of a guest: what it is given, and how its answer is checked.
pub(crate) trait Hook: Sync {
    /// Which interface it calls.
    const KIND: PluginKind;
    /// What comes out of it, checked.
    type Output: Send;

    /// Lowers the arguments, calls the guest, lifts and checks its answer. The guest is told the `budget`, the wall
    /// time it has; others hold it to it.
    fn call(
        &self,
        instance: &mut Instance,
        budget: Duration,
    ) -> impl Future<Output = Result<Self::Output, Failure>> + Send;

    /// What it is given, for whoever writes calls down.
    fn inputs(&self) -> Inputs<'_>;
}

impl From<types::Fault> for Failure {
    fn from(fault: types::Fault) -> Self {
        let (unavailable, name, text) = match fault {
            types::Fault::Unavailable(text) => (true, "unavailable", text),
            types::Fault::Misconfigured(text) => (false, "misconfigured", text),
            types::Fault::BadInput(text) => (false, "bad-input", text),
            types::Fault::Internal(text) => (false, "internal", text),
        };
        Self::Fault(Fault {
            unavailable,
            name,
            text,
        })
    }
}
