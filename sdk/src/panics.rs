//! The last words of a plugin that panics. WebAssembly has no output that the standard library could write them to, so that a panic
//! would be an anonymous trap; here they are a line of the gateway's log, which the gateway also puts into what it says of the trap.

use crate::log;

/// From now on a panic says its message and its place in the source before the call ends. Whoever sets a hook later, in
/// [`configure`](crate::Plugin::configure) for instance, has the last word.
pub(crate) fn report() {
    std::panic::set_hook(Box::new(|panic| log::error(&panic.to_string(), &[])));
}
