//! Tokens: how they are read and verified, what they must say, and where the keys of their issuers come from. Stages decide
//! by it; nothing here knows an exchange's way.
//!
//! - `json`, `jwk`, `jws`: the formats, read strictly
//! - `key_set`, `key_source`, `introspector`, `issuers`: keys, how they are fetched, who vouches for tokens otherwise, and who
//!   shares all that
//! - `oauth`: what the gateway sends to an authorization server
//! - `carriers`, `claims`, `rules`, `gate`: where a token is, what it says, what it must say, and all of that together

pub mod carriers;
pub mod claims;
pub mod gate;
pub mod introspector;
pub mod issuers;
pub mod json;
pub mod jwk;
pub mod jws;
pub mod key_set;
pub mod key_source;
pub mod oauth;
pub mod rules;
