//! The interface `wasi:http/incoming-handler` of 0.2, of components that know nothing of Gatewright.

use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::exports::wasi::http::incoming_handler::GuestIndices;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;

use super::standard::{Answer, Asked, coded};
use crate::instance::Instance;

/// Lets the guest handle a request. Its response may come long before it returns.
pub(super) async fn serve(
    exports: &GuestIndices,
    instance: &mut Instance,
    asked: Asked,
    answer: Answer,
) -> wasmtime::Result<()> {
    let guest = exports.load(&mut instance.store, &instance.raw)?;
    let scheme = if asked.secure { Scheme::Https } else { Scheme::Http };
    let mut http = instance.store.data_mut().http();
    let request = http.new_incoming_request(scheme, asked.request)?;
    let answer = http.new_response_outparam_from_callback(move |answered| {
        // Nobody may want it any more.
        let _ = answer.send(answered.map_err(|code| coded(&code)));
    })?;
    guest.call_handle(&mut instance.store, request, answer).await
}
