//! Integrations: the plugin is the upstream.

use std::ops::Deref;

use crate::{Exchange, Fault, Plugin, RequestHead, Response};

/// Answers requests.
pub trait Integration: Plugin {
    /// Runs once per request that reaches the integration.
    ///
    /// # Errors
    /// The route's `on_fault` decides what the client sees. An answer such as 400 or 404 is not an error.
    fn handle(&self, request: &IntegrationRequest) -> Result<Response, Fault>;
}

/// What an integration is given. Dereferences to the request head.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegrationRequest {
    /// The exchange.
    pub exchange: Exchange,
    /// The request, as the chain left it.
    pub head: RequestHead,
    /// The whole body; empty when there is none.
    pub body: Vec<u8>,
}

impl IntegrationRequest {
    /// Reads the body as JSON.
    ///
    /// # Errors
    /// What is wrong with it, in words that may be shown to the client.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| error.to_string())
    }
}

impl Deref for IntegrationRequest {
    type Target = RequestHead;

    fn deref(&self) -> &RequestHead {
        &self.head
    }
}
