//! The hook `integration`: the plugin is the upstream.

use std::time::Duration;

use super::allowance::Allowance;
use super::answer::{self, Answer};
use super::bindings::exports::gatewright::plugin::integration as wit;
use super::function;
use super::lowering::{Lowered, Made, Shown, View};
use super::types::{Fault, FullResponse};
use super::{Hook, Needs};
use crate::failure::Failure;
use crate::instance::Instance;
use crate::kind::PluginKind;
use crate::recording::Inputs;

/// `handle`.
pub(super) type Function =
    function::Function<(&'static wit::IntegrationInput<'static>,), (Result<FullResponse, Fault>,)>;

/// One request to be answered.
pub(crate) struct Handle<'a> {
    pub(crate) view: View<'a>,
    pub(crate) needs: &'a Needs,
    pub(crate) body: &'a [u8],
}

impl Hook for Handle<'_> {
    const KIND: PluginKind = PluginKind::Integration;
    type Output = Answer;

    async fn call(&self, instance: &mut Instance, budget: Duration) -> Result<Answer, Failure> {
        let made = Made::of(&self.view, self.needs);
        let lowered = Lowered::of(self.view, Shown::All, &made, self.needs);
        let handle = instance.function(|exports| exports.integration.as_ref())?;
        let input = wit::IntegrationInput {
            exchange: lowered.exchange(budget),
            request: lowered.head(),
            body: self.body,
        };
        let (response,) = handle
            .call_async(&mut instance.store, (&input,))
            .await
            .map_err(|error| instance.explained(error))?;
        let mut allowance = Allowance::new(instance.store.data().caller.limits.output_bytes);
        Ok(answer::checked(response?, &mut allowance)?)
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            view: self.view,
            identity: &[],
            body: Some(self.body),
            response: None,
        }
    }
}
