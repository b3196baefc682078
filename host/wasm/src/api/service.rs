//! The interface `wasi:http/handler` of 0.3, of components that know nothing of Gatewright.

use std::future::poll_fn;

use http::uri::{Authority, Scheme};
use tokio::sync::oneshot;
use wasmtime::component::Resource;
use wasmtime::{AsContextMut as _, StoreContextMut};
use wasmtime_wasi_http::p3::bindings::exports::wasi::http::handler::GuestIndices;
use wasmtime_wasi_http::p3::{Request, Response};
use wasmtime_wasi_http::{FieldMap, WasiBody, WasiHttpView as _};

use super::standard::{Answer, Asked, coded};
use crate::instance::Instance;
use crate::state::CallState;

/// Lets the guest handle a request. It goes on after it has given its response: this ends when none of its tasks is left.
pub(super) async fn serve(
    exports: &GuestIndices,
    instance: &mut Instance,
    asked: Asked,
    answer: Answer,
) -> wasmtime::Result<()> {
    let guest = exports.load(&mut instance.store, &instance.raw)?;
    let served = instance.store.run_concurrent(async |accessor| -> wasmtime::Result<()> {
        let Asked { request, secure, taken } = asked;
        let request = accessor.with(|mut store| lowered(store.data_mut(), request, secure))?;
        let answered = match guest.call_handle(accessor, request).await? {
            Ok(response) => Ok(accessor.with(|mut store| lifted(store.as_context_mut(), response, taken))?),
            Err(code) => Err(coded(&code)),
        };
        // Nobody may want it any more.
        let _ = answer.send(answered);
        poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
        Ok(())
    });
    served.await?
}

fn lowered(
    state: &mut CallState,
    request: http::Request<WasiBody>,
    secure: bool,
) -> wasmtime::Result<Resource<Request>> {
    let (parts, body) = request.into_parts();
    let http = state.http();
    let authority = parts.headers.get(http::header::HOST);
    let authority = authority.and_then(|authority| Authority::try_from(authority.as_bytes()).ok());
    let (request, _received) = Request::new(
        parts.method,
        Some(if secure { Scheme::HTTPS } else { Scheme::HTTP }),
        authority,
        parts.uri.path_and_query().cloned(),
        FieldMap::new_immutable(http.hooks, parts.headers),
        None,
        body,
    );
    Ok(http.table.push(request)?)
}

/// The guest is told that its response is sent when `taken` says so, or is dropped.
fn lifted(
    mut store: StoreContextMut<'_, CallState>,
    response: Resource<Response>,
    taken: oneshot::Receiver<()>,
) -> wasmtime::Result<http::Response<WasiBody>> {
    let response = store.data_mut().http().table.delete(response)?;
    let sent = async {
        let _ = taken.await;
        Ok(())
    };
    response.into_http(store, sent)
}
