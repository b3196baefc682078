//! Run a plugin natively, in ordinary unit tests.
//!
//! [`TestRequest`] and [`TestResponse`] build the inputs of the hooks, and hand the plugin only what it asked for in
//! [`Plugin::info`]: a header that was not asked for is not there, exactly as in the gateway. [`host`] answers the
//! services: a clock that stands still, seeded random numbers, a log and metrics that can be read back.

mod filtered;
pub mod host;
mod request;
mod response;

pub use request::TestRequest;
pub use response::TestResponse;

use crate::Plugin;

/// Configures a plugin.
///
/// # Panics
/// When the plugin refuses the configuration, with its errors. To test a refusal call `configure` itself.
pub fn configure<P: Plugin>(config: &str) -> P {
    match P::configure(config) {
        Ok(plugin) => plugin,
        Err(errors) => {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            #[expect(clippy::panic, reason = "a test's failure")]
            {
                panic!("the configuration was refused: {}", errors.join("; "))
            }
        }
    }
}
