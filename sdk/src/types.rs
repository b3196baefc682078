//! The plain data of the plugin interface, as a plugin author meets it: one small file per word. The kinds add their
//! own inputs and outcomes in `kinds/`; nothing here knows how values cross the sandbox's border.

mod attribute;
mod edits;
mod exchange;
mod fault;
mod fields;
mod info;
mod request;
mod response;

pub use attribute::Value;
pub use edits::{BodyEdit, FieldEdit, TextEdit};
pub use exchange::{ClientCertificate, Exchange, Peer};
pub use fault::Fault;
pub use fields::Fields;
pub use info::{BodyMode, ConfigError, FieldSelection, Info, Part, Reuse, Service};
pub use request::{HttpVersion, RequestHead, Scheme};
pub use response::{Response, ResponseHead};
