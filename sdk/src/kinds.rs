//! The kinds of plugin: one trait a kind, with what its hook is given and what it may answer. A plugin implements
//! [`Plugin`] and any of them, and names those it exports in [`plugin!`](crate::plugin!).

mod authorizer;
mod body_filter;
mod integration;
mod plugin;
mod request_transform;
mod response_transform;

pub use authorizer::{AuthorizeRequest, Authorizer, Decision, Denial, Effect, Grant, Statement};
pub use body_filter::{BodyFilter, Direction, Filter, FilterInput};
pub use integration::{Integration, IntegrationRequest};
pub use plugin::Plugin;
pub use request_transform::{RequestEdits, RequestOutcome, RequestTransform, TransformRequest};
pub use response_transform::{ResponseEdits, ResponseOutcome, ResponseTransform, TransformResponse};
