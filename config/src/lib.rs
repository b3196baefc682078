//! The configuration language of Gatewright: one TOML file in, one checked [`GatewayConfig`] out.
//!
//! [`mod@file`] is what the file says, [`gateway`] what it means; everything between finds all mistakes of a file at
//! once, each with its line, column, key and a hint. Nothing is opened or bound here except the file itself.
#![warn(missing_docs)]

pub mod cases;
pub mod condition;
mod credentials;
mod document;
mod error;
pub mod file;
pub mod gateway;
mod keys;
pub mod lock;
mod place;
mod public_key;
mod report;
mod resolve;
mod schema;
pub mod units;
mod users;
mod web_url;

use std::path::Path;

pub use credentials::{CredentialEntry, load_credentials, parse_credentials};
pub use error::{ConfigError, ConfigErrors};
pub use gateway::*;
pub use keys::{ApiKeyEntry, PreviousKeyEntry, load_keys, parse_keys};
pub use lock::{Lock, load_lock, parse_lock};
pub use place::{FileReference, Place};
pub use public_key::{PublicKey, WrongKey};
pub use report::{nearest, suggestion};
pub use schema::schema;
pub use units::{ByteSize, Rate};
pub use users::{PasswordHash, UserEntry, load_users, parse_users};
pub use web_url::WebUrl;

use report::Report;

/// Reads and checks a configuration file.
///
/// # Errors
/// When the file cannot be read or is not UTF-8, and for every mistake in it.
pub fn load(path: &Path) -> Result<GatewayConfig, ConfigErrors> {
    parse(&read(path)?, path)
}

/// Checks the text of a configuration file. `path` names it in messages, and relative paths in the text are
/// resolved against its directory.
///
/// # Errors
/// For every mistake in the text.
pub fn parse(text: &str, path: &Path) -> Result<GatewayConfig, ConfigErrors> {
    let mut report = Report::new(text);
    let config = match document::parse(text, &mut report) {
        Some(root) => {
            let file = document::gateway(&root, &mut report);
            let config = resolve::resolve(&file, path, &mut report);
            report.find_keys(&root);
            config
        }
        None => None,
    };
    report.finish(path, config)
}

fn read(path: &Path) -> Result<String, ConfigErrors> {
    std::fs::read_to_string(path).map_err(|error| ConfigErrors {
        file: path.to_owned(),
        errors: vec![ConfigError {
            line: 1,
            column: 1,
            key: String::new(),
            message: format!("cannot read the file: {error}"),
            hint: None,
        }],
    })
}
