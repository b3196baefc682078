//! The generation of the gateway that new requests get.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::gateway::Gateway;

/// The generation of the gateway that new requests get. A request keeps the one it began with.
#[derive(Clone)]
pub struct Live(Arc<ArcSwap<Gateway>>);

impl Live {
    /// Begins with this generation.
    pub fn new(gateway: Gateway) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(gateway)))
    }

    /// The current generation.
    pub fn current(&self) -> Arc<Gateway> {
        self.0.load_full()
    }

    /// Swaps in another generation, whole.
    pub fn publish(&self, gateway: Gateway) {
        self.0.store(Arc::new(gateway));
    }
}
