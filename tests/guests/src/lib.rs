//! What the misbehaving guests share: a mode, which a test sets in the configuration (`config = { mode = "…" }`) or
//! request by request (header `x-mode`), and hooks of every kind around one misdeed, so that each can be tried as
//! authorizer, transform and integration. The header `x-hook` names the only hook that misbehaves.

use gatewright_sdk::prelude::*;
use gatewright_sdk::{RequestHead, Reuse};
use serde::Deserialize;

/// The configuration of every guest.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What to do, when the request does not say.
    #[serde(default)]
    pub mode: String,
}

impl Settings {
    /// Reads the configuration.
    pub fn read(config: &str) -> Result<Self, Vec<ConfigError>> {
        config::parse(config)
    }

    /// The mode of this request.
    pub fn mode<'a>(&'a self, head: &'a RequestHead) -> &'a str {
        head.header("x-mode").unwrap_or(&self.mode)
    }

    /// The mode of this request in a hook: `off` in all but the one that the request asks for.
    pub fn mode_in<'a>(&'a self, hook: &str, head: &'a RequestHead) -> &'a str {
        if is_meant(hook, head) { self.mode(head) } else { "off" }
    }
}

/// Whether a request means this hook: the one in its header `x-hook`, or every one when it has none.
pub fn is_meant(hook: &str, head: &RequestHead) -> bool {
    head.header("x-hook").is_none_or(|asked| asked == hook)
}

/// What `describe` says of every guest: it sees everything, and may be used again.
pub fn about(name: &str) -> Info {
    Info::new(name, "1.0.0")
        .description("misbehaves")
        .parts(Part::ALL)
        .request_fields(FieldSelection::All)
        .reuse(Reuse::Serial)
}

/// Exports a guest that has `act(&self, &RequestHead)` as every kind. After the deed, if it comes to that, it lets
/// everything pass: an authorizer grants to `guest`, transforms change nothing, an integration answers 200.
#[macro_export]
macro_rules! every_kind {
    ($guest:ident, $name:literal) => {
        impl ::gatewright_sdk::Plugin for $guest {
            fn info() -> ::gatewright_sdk::Info {
                $crate::about($name)
            }

            fn configure(config: &str) -> Result<Self, Vec<::gatewright_sdk::ConfigError>> {
                Ok(Self {
                    settings: $crate::Settings::read(config)?,
                })
            }
        }

        $crate::every_hook!($guest);
    };
}

/// As `every_kind`, for a guest with its own `Plugin`.
#[macro_export]
macro_rules! every_hook {
    ($guest:ident) => {
        const _: () = {
            use ::gatewright_sdk::prelude::*;

            impl Authorizer for $guest {
                fn authorize(&self, request: &AuthorizeRequest) -> Result<Decision, Fault> {
                    if $crate::is_meant("authorizer", request) {
                        self.act(request);
                    }
                    Ok(Grant::to("guest").into())
                }
            }

            impl RequestTransform for $guest {
                fn transform_request(&self, request: &TransformRequest) -> Result<RequestOutcome, Fault> {
                    if $crate::is_meant("request-transform", request) {
                        self.act(request);
                    }
                    Ok(RequestEdits::new().into())
                }
            }

            impl ResponseTransform for $guest {
                fn transform_response(&self, response: &TransformResponse) -> Result<ResponseOutcome, Fault> {
                    if $crate::is_meant("response-transform", &response.request) {
                        self.act(&response.request);
                    }
                    Ok(ResponseEdits::new().into())
                }
            }

            impl Integration for $guest {
                fn handle(&self, request: &IntegrationRequest) -> Result<Response, Fault> {
                    if $crate::is_meant("integration", request) {
                        self.act(request);
                    }
                    Ok(Response::new(200).text("survived\n"))
                }
            }
        };

        ::gatewright_sdk::plugin!($guest: authorizer | request_transform | response_transform | integration);
    };
}
