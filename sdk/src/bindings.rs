//! What wit-bindgen makes of `wit/`. One module per exported interface, because a component type is recorded
//! per module: a plugin that exports two kinds records two, and only those. Nothing outside `export`, `host` and
//! `convert` reads this, and no plugin should.

#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::indexing_slicing,
    clippy::unwrap_used
)]
#![allow(clippy::expect_used, clippy::panic, clippy::needless_pass_by_value, rust_2018_idioms)]

pub mod services {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package gatewright:sdk; world sdk-services { include gatewright:plugin/services@0.1.0; import gatewright:plugin/types@0.1.0; }",
        generate_all,
        generate_unused_types: true,
    });
}

pub use services::gatewright::plugin::types;

pub mod lifecycle {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package gatewright:sdk; world sdk-lifecycle { export gatewright:plugin/lifecycle@0.1.0; }",
        pub_export_macro: true,
        generate_all,
    });
    pub use exports::gatewright::plugin::lifecycle::*;
}

pub mod authorizer {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package gatewright:sdk; world sdk-authorizer { export gatewright:plugin/authorizer@0.1.0; }",
        pub_export_macro: true,
        with: { "gatewright:plugin/types@0.1.0": crate::bindings::types },
    });
    pub use exports::gatewright::plugin::authorizer::*;
}

pub mod request_transform {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package gatewright:sdk; world sdk-request-transform { export gatewright:plugin/request-transform@0.1.0; }",
        pub_export_macro: true,
        with: { "gatewright:plugin/types@0.1.0": crate::bindings::types },
    });
    pub use exports::gatewright::plugin::request_transform::*;
}

pub mod response_transform {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package gatewright:sdk; world sdk-response-transform { export gatewright:plugin/response-transform@0.1.0; }",
        pub_export_macro: true,
        with: { "gatewright:plugin/types@0.1.0": crate::bindings::types },
    });
    pub use exports::gatewright::plugin::response_transform::*;
}

pub mod body_filter {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package gatewright:sdk; world sdk-body-filter { export gatewright:plugin/body-filter@0.1.0; }",
        pub_export_macro: true,
        with: { "gatewright:plugin/types@0.1.0": crate::bindings::types },
    });
    pub use exports::gatewright::plugin::body_filter::*;
}

pub mod integration {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package gatewright:sdk; world sdk-integration { export gatewright:plugin/integration@0.1.0; }",
        pub_export_macro: true,
        with: { "gatewright:plugin/types@0.1.0": crate::bindings::types },
    });
    pub use exports::gatewright::plugin::integration::*;
}
