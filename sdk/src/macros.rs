//! `plugin!` and `info!`.

/// Exports a plugin: the type, and the kinds it is to be used as (any of `authorizer`, `request_transform`,
/// `response_transform`, `body_filter`, `integration`).
///
/// For WebAssembly it also installs the SDK's [allocator](crate::memory), with an arena of 256 KiB, or 60 KiB in a plugin that is
/// an authorizer and nothing else; a plugin whose calls need more (large buffered bodies) may say so with `arena_bytes`. On
/// other targets it checks that the type implements the kinds, so `cargo test` and `cargo check` need no WebAssembly.
///
/// ```
/// use gatewright_sdk::prelude::*;
///
/// struct Hello;
///
/// impl Plugin for Hello {
///     fn info() -> Info {
///         info!().parts([Part::Path])
///     }
///     fn configure(_config: &str) -> Result<Self, Vec<ConfigError>> {
///         Ok(Self)
///     }
/// }
///
/// impl Integration for Hello {
///     fn handle(&self, request: &IntegrationRequest) -> Result<Response, Fault> {
///         Ok(Response::new(200).text(format!("hello from {}\n", request.path()?)))
///     }
/// }
///
/// plugin!(Hello: integration, arena_bytes = 64 * 1024);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! plugin {
    // With 64 KiB of stack and some data it is two pages: what a new instance costs depends on how many there are.
    ($plugin:ty : authorizer) => {
        $crate::plugin!($plugin: authorizer, arena_bytes = 60 * 1024);
    };
    ($plugin:ty : $($kind:ident)|+) => {
        $crate::plugin!($plugin: $($kind)|+, arena_bytes = 256 * 1024);
    };
    ($plugin:ty : $($kind:ident)|+, arena_bytes = $arena_bytes:expr) => {
        const _: () = {
            #[cfg(target_family = "wasm")]
            #[global_allocator]
            static ALLOCATOR: $crate::memory::RequestAllocator<{ $arena_bytes }> =
                $crate::memory::RequestAllocator::new();

            impl $crate::__private::Instance for $plugin {
                fn slot() -> &'static ::std::thread::LocalKey<::std::cell::RefCell<::std::option::Option<Self>>> {
                    ::std::thread_local! {
                        static PLUGIN: ::std::cell::RefCell<::std::option::Option<$plugin>> =
                            const { ::std::cell::RefCell::new(::std::option::Option::None) };
                    }
                    &PLUGIN
                }

                fn settled() {
                    #[cfg(target_family = "wasm")]
                    ALLOCATOR.settle();
                }
            }

            type Exported = $crate::__private::Exported<$plugin>;
            $crate::__export!(lifecycle Exported);
            $($crate::__export!($kind Exported);)+
        };
    };
}

/// The [`Info`](crate::Info) of the calling crate: name, version and description of its `Cargo.toml`.
#[macro_export]
macro_rules! info {
    () => {
        $crate::Info::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")).description(env!("CARGO_PKG_DESCRIPTION"))
    };
}

#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($kind:ident $exported:ident) => {
        $crate::bindings::$kind::export!($exported with_types_in $crate::bindings::$kind);
    };
}

#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($kind:ident $exported:ident) => {
        const _: fn() = || {
            fn implements<T: $crate::bindings::$kind::Guest>() {}
            implements::<$exported>();
        };
    };
}
