//! What `bindgen!` makes of `wit/`. Private to `api`: nothing outside of it and of the services in `host` names a
//! generated type.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "generated code"
)]

wasmtime::component::bindgen!({
    path: "../../wit",
    inline: "
        package gatewright:host;
        world host {
            include gatewright:plugin/authorizer-plugin@0.1.0;
            include gatewright:plugin/transform-plugin@0.1.0;
            include gatewright:plugin/body-filter-plugin@0.1.0;
            include gatewright:plugin/integration-plugin@0.1.0;
        }
    ",
    world: "gatewright:host/host",
    ownership: Borrowing { duplicate_if_necessary: true },
    // What may have to wait is asynchronous, so that the guest holds no thread. The others stay cheap.
    imports: {
        "gatewright:plugin/cache": async | trappable,
        "gatewright:plugin/counters": async | trappable,
        "gatewright:plugin/http-client": async | trappable,
        "gatewright:plugin/kv": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});
