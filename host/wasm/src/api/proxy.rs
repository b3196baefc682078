//! The interface `wasi:http/incoming-handler`, of components that know nothing of Gatewright.

use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};

use crate::instance::Instance;

/// Lets the guest handle a request. Its response may come long before it returns.
pub(crate) async fn serve(
    instance: &mut Instance,
    request: Resource<HostIncomingRequest>,
    answer: Resource<HostResponseOutparam>,
) -> wasmtime::Result<()> {
    if instance.guests.proxy.is_none() {
        let exports = instance.exports.proxy.as_ref();
        let (_, exports) = exports.ok_or_else(|| wasmtime::Error::msg("the component has no such interface"))?;
        instance.guests.proxy = Some(exports.load(&mut instance.store, &instance.raw)?);
    }
    let guest = instance.guests.proxy.as_ref();
    let guest = guest.ok_or_else(|| wasmtime::Error::msg("the component has no such interface"))?;
    guest.call_handle(&mut instance.store, request, answer).await
}
