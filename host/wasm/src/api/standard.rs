//! What components export that answer HTTP requests anywhere, and how they are asked.

use std::fmt::Debug;
use std::sync::Arc;

use http::{Request, Response};
use tokio::sync::oneshot;
use wasmtime::component::InstancePre;
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::p2::bindings::exports::wasi::http::incoming_handler;
use wasmtime_wasi_http::p3::bindings::exports::wasi::http::handler;

use super::{proxy, service};
use crate::instance::Instance;
use crate::state::CallState;

/// What the world `service` of 0.3 exports. It needs an engine of its own.
pub(crate) const SERVICE: &str = "wasi:http/handler@0.3.";
/// What the world `proxy` of 0.2 exports.
const PROXY: &str = "wasi:http/incoming-handler@0.2.";
/// The package.
const PACKAGE: &str = "wasi:http/";

/// A request for a guest.
pub(crate) struct Asked {
    pub(crate) request: Request<WasiBody>,
    /// Whether it came over TLS.
    pub(crate) secure: bool,
    /// Says, or is dropped, when all of the response has been taken.
    pub(crate) taken: oneshot::Receiver<()>,
}

/// What a guest gives to its caller: a response, or the name of an error.
pub(crate) type Answered = Result<Response<WasiBody>, String>;
pub(super) type Answer = oneshot::Sender<Answered>;

/// A standard interface of a component: its full name, and the way there.
pub(super) enum Standard {
    Service(String, handler::GuestIndices),
    Proxy(String, incoming_handler::GuestIndices),
}

impl Standard {
    /// The one by which a component is asked. One that has both is on the engine for 0.3 anyway, and asked by that.
    pub(super) fn of(component: &InstancePre<CallState>) -> wasmtime::Result<Option<Self>> {
        let compiled = component.component();
        let engine = compiled.engine();
        let names = compiled.component_type();
        let names: Vec<_> = names.exports(engine).map(|(name, _)| name).collect();
        let Some(Ok(name)) = find(&names) else {
            return Ok(None);
        };
        Ok(Some(if name.starts_with(SERVICE) {
            Self::Service(name.to_owned(), handler::GuestIndices::new(component)?)
        } else {
            Self::Proxy(name.to_owned(), incoming_handler::GuestIndices::new(component)?)
        }))
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Service(name, _) | Self::Proxy(name, _) => name,
        }
    }
}

/// The standard interface among these names, or one of the same package that nobody here knows.
pub(super) fn find<N: AsRef<str>>(names: &[N]) -> Option<Result<&str, &str>> {
    let of = |package: &str| names.iter().map(AsRef::as_ref).find(|name| name.starts_with(package));
    of(SERVICE)
        .or_else(|| of(PROXY))
        .map(Ok)
        .or_else(|| of(PACKAGE).map(Err))
}

/// Lets a guest handle a request, until nothing of it runs any more.
pub(crate) async fn serve(
    instance: &mut Instance,
    asked: Asked,
    answer: oneshot::Sender<Answered>,
) -> wasmtime::Result<()> {
    let exports = Arc::clone(&instance.exports);
    match &exports.standard {
        Some(Standard::Service(_, exports)) => service::serve(exports, instance, asked, answer).await,
        Some(Standard::Proxy(_, exports)) => proxy::serve(exports, instance, asked, answer).await,
        None => Err(wasmtime::Error::msg("the component has no such interface")),
    }
}

/// An error's name, as the interface has it.
pub(super) fn coded(code: &impl Debug) -> String {
    format!("{code:?}")
}
