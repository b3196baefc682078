//! Memory for a plugin instance that lives for one call, or for many short ones.
//!
//! Growing a WebAssembly memory costs more than an ordinary hook, so a call should not. Every allocation is first cut
//! from an arena that is part of the instance's initial memory; only what does not fit goes to the system allocator.
//! When an instance is used again, the arena starts over as soon as nothing that was allocated after `configure` is
//! alive any more: usually once per call. What a plugin keeps across calls stays valid and merely delays that.

mod allocator;
mod arena;

pub use allocator::RequestAllocator;
