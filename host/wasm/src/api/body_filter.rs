//! The hook `body-filter`: a body goes through the plugin chunk by chunk.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use wasmtime::component::{InstancePre, ResourceAny};

use super::allowance::Allowance;
use super::bindings::exports::gatewright::plugin::body_filter as wit;
use super::function::Function;
use super::lowering::{self, Lowered, Made, Shown, View};
use super::types::Fault;
use super::{Hook, Needs};
use crate::failure::Failure;
use crate::instance::Instance;
use crate::kind::PluginKind;
use crate::recording::Inputs;
use crate::state::CallState;

/// What comes of a chunk, or of the end of a body.
type Passed = (Result<Vec<u8>, Fault>,);

/// `open`, and those of the filter that comes of it.
pub(super) struct Functions {
    open: Function<(&'static wit::FilterInput<'static>,), (Result<Option<ResourceAny>, Fault>,)>,
    push: Function<(ResourceAny, &'static [u8]), Passed>,
    finish: Function<(ResourceAny,), Passed>,
}

/// A body that is about to come.
pub(crate) struct OpenFilter<'a> {
    pub(crate) view: View<'a>,
    pub(crate) needs: &'a Needs,
    /// None for the body of the request.
    pub(crate) response: Option<(StatusCode, &'a HeaderMap)>,
    pub(crate) content_length: Option<u64>,
}

impl Functions {
    pub(super) fn find(component: &InstancePre<CallState>) -> wasmtime::Result<Self> {
        Ok(Self {
            open: Function::find(component, "body-filter", "open")?,
            push: Function::find(component, "body-filter", "[method]filter.push")?,
            finish: Function::find(component, "body-filter", "[method]filter.finish")?,
        })
    }
}

/// A filter in its instance.
pub(crate) struct FilterHandle(ResourceAny);

impl Hook for OpenFilter<'_> {
    const KIND: PluginKind = PluginKind::BodyFilter;
    /// None: the body is not interesting.
    type Output = Option<FilterHandle>;

    async fn call(&self, instance: &mut Instance, budget: Duration) -> Result<Option<FilterHandle>, Failure> {
        let made = Made::of(&self.view, self.needs);
        let lowered = Lowered::of(self.view, Shown::All, &made, self.needs);
        let response = self.response.map(|(status, headers)| {
            let fields = lowering::fields(headers, &self.needs.response_fields);
            (status.as_u16(), fields)
        });
        let open = instance.function(|exports| Some(&exports.body_filter.as_ref()?.open))?;
        let input = wit::FilterInput {
            exchange: lowered.exchange(budget),
            direction: match response {
                None => wit::Direction::Request,
                Some(_) => wit::Direction::Response,
            },
            request: lowered.head(),
            response: response.as_ref().map(|(status, fields)| wit::ResponseHead {
                status: *status,
                fields,
            }),
            content_length: self.content_length,
        };
        let (filter,) = open
            .call_async(&mut instance.store, (&input,))
            .await
            .map_err(|error| instance.explained(error))?;
        Ok(filter?.map(FilterHandle))
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            view: self.view,
            identity: &[],
            body: None,
            response: self.response.map(|(status, headers)| (status, headers, None)),
        }
    }
}

impl FilterHandle {
    /// The next chunk, which is not empty.
    pub(crate) async fn push(&self, instance: &mut Instance, chunk: &[u8]) -> Result<Bytes, Failure> {
        let push = instance.function(|exports| Some(&exports.body_filter.as_ref()?.push))?;
        let (output,) = push
            .call_async(&mut instance.store, (self.0, chunk))
            .await
            .map_err(|error| instance.explained(error))?;
        checked(instance, output?)
    }

    /// The body was complete. The filter is gone after that.
    pub(crate) async fn finish(self, instance: &mut Instance) -> Result<Bytes, Failure> {
        let finish = instance.function(|exports| Some(&exports.body_filter.as_ref()?.finish))?;
        let (output,) = finish
            .call_async(&mut instance.store, (self.0,))
            .await
            .map_err(|error| instance.explained(error))?;
        let output = output?;
        self.0.resource_drop_async(&mut instance.store).await?;
        checked(instance, output)
    }
}

fn checked(instance: &Instance, output: Vec<u8>) -> Result<Bytes, Failure> {
    let limit = instance.store.data().caller.limits.output_bytes;
    Allowance::new(limit).bytes("chunk", output.len())?;
    Ok(output.into())
}
