//! The exported side: one type that implements every generated trait by asking the plugin. A call comes in here,
//! finds the instance's plugin, and leaves as generated types again.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::thread::LocalKey;

use crate::bindings::{authorizer, body_filter, integration, lifecycle, request_transform, response_transform, types};
use crate::{Authorizer, BodyFilter, Fault, Filter, Integration, Plugin, RequestTransform, ResponseTransform};

/// Where the macro keeps what an instance has: the configured plugin, and the allocator to tell about it.
#[doc(hidden)]
pub trait Instance: Plugin {
    /// The plugin, once configured.
    fn slot() -> &'static LocalKey<RefCell<Option<Self>>>;

    /// Called when everything allocated so far is there to stay.
    fn settled();
}

/// Carries the generated traits for a plugin, which cannot have them itself: both would be foreign to its crate.
#[doc(hidden)]
pub struct Exported<P>(PhantomData<P>);

impl<P: Instance> lifecycle::Guest for Exported<P> {
    fn describe() -> lifecycle::PluginInfo {
        #[cfg(target_family = "wasm")]
        crate::panics::report();
        P::info().into()
    }

    fn configure(config: String) -> Result<(), Vec<lifecycle::ConfigError>> {
        #[cfg(target_family = "wasm")]
        crate::panics::report();
        let plugin = P::configure(&config).map_err(|errors| errors.into_iter().map(Into::into).collect::<Vec<_>>())?;
        drop(config);
        P::slot().replace(Some(plugin));
        P::settled();
        Ok(())
    }
}

impl<P: Instance + Authorizer> authorizer::Guest for Exported<P> {
    fn authorize(input: authorizer::AuthorizeInput) -> Result<authorizer::Decision, types::Fault> {
        call::<P, _, _>(|plugin| plugin.authorize(&input.into()))
    }
}

impl<P: Instance + RequestTransform> request_transform::Guest for Exported<P> {
    fn transform_request(
        input: request_transform::RequestInput,
    ) -> Result<request_transform::RequestOutcome, types::Fault> {
        call::<P, _, _>(|plugin| plugin.transform_request(&input.into()))
    }
}

impl<P: Instance + ResponseTransform> response_transform::Guest for Exported<P> {
    fn transform_response(
        input: response_transform::ResponseInput,
    ) -> Result<response_transform::ResponseOutcome, types::Fault> {
        call::<P, _, _>(|plugin| plugin.transform_response(&input.into()))
    }
}

impl<P: Instance + BodyFilter> body_filter::Guest for Exported<P> {
    type Filter = Running<P::Filter>;

    fn open(input: body_filter::FilterInput) -> Result<Option<body_filter::Filter>, types::Fault> {
        let filter = asked::<P, _>(|plugin| plugin.open(&input.into()))?;
        Ok(filter.map(|filter| body_filter::Filter::new(Running(RefCell::new(Some(filter))))))
    }
}

/// A filter until it is done.
#[doc(hidden)]
pub struct Running<F>(RefCell<Option<F>>);

impl<F: Filter> body_filter::GuestFilter for Running<F> {
    fn push(&self, chunk: Vec<u8>) -> Result<Vec<u8>, types::Fault> {
        match &mut *self.0.borrow_mut() {
            Some(filter) => Ok(filter.push(chunk)?),
            None => Err(done()),
        }
    }

    fn finish(&self) -> Result<Vec<u8>, types::Fault> {
        match self.0.take() {
            Some(filter) => Ok(filter.finish()?),
            None => Err(done()),
        }
    }
}

fn done() -> types::Fault {
    types::Fault::Internal("a filter was called after it was done".to_owned())
}

impl<P: Instance + Integration> integration::Guest for Exported<P> {
    fn handle(input: integration::IntegrationInput) -> Result<types::FullResponse, types::Fault> {
        call::<P, _, _>(|plugin| plugin.handle(&input.into()))
    }
}

fn call<P: Instance, Ours, Theirs: From<Ours>>(
    hook: impl FnOnce(&P) -> Result<Ours, Fault>,
) -> Result<Theirs, types::Fault> {
    asked(hook).map(Into::into)
}

fn asked<P: Instance, T>(hook: impl FnOnce(&P) -> Result<T, Fault>) -> Result<T, types::Fault> {
    P::slot().with_borrow(|plugin| match plugin {
        Some(plugin) => hook(plugin).map_err(Into::into),
        None => Err(types::Fault::Internal("a hook was called before configure".to_owned())),
    })
}
