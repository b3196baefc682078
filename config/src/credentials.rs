//! The file of access keys that the `sigv4` stage names: whose signature is known.

use std::path::Path;

use crate::error::ConfigErrors;
use crate::gateway::SecretReference;
use crate::report::Report;
use crate::{document, resolve};

/// One access key.
#[derive(Clone, Debug, PartialEq)]
pub struct CredentialEntry {
    /// What requests name it by.
    pub access_key_id: String,
    /// Who it stands for.
    pub principal: String,
    /// The secret access key.
    pub secret: SecretReference,
    /// The session token that requests must have with it; none: they must not have one.
    pub session_token: Option<SecretReference>,
    /// Whether it is accepted.
    pub enabled: bool,
}

/// Reads and checks a file of access keys. The secrets that it refers to are not read.
///
/// # Errors
/// When the file cannot be read or is not UTF-8, and for every mistake in it.
pub fn load_credentials(path: &Path) -> Result<Vec<CredentialEntry>, ConfigErrors> {
    parse_credentials(&crate::read(path)?, path)
}

/// Checks the text of a file of access keys. `path` names it in messages, and relative paths in the text are resolved against
/// its directory.
///
/// # Errors
/// For every mistake in the text.
pub fn parse_credentials(text: &str, path: &Path) -> Result<Vec<CredentialEntry>, ConfigErrors> {
    let mut report = Report::new(path, text);
    let entries = document::parse(text, 0, &mut report).map(|root| {
        let mut sections = Vec::new();
        for (key, node) in &root {
            match key.get_ref().as_ref() {
                "credential" => sections = document::listed("credential", node, &mut report),
                _ => document::unknown(key, &["credential"], &mut report),
            }
        }
        let entries = resolve::credentials(&sections, &mut report);
        report.find_keys(&root);
        entries
    });
    report.finish(entries)
}
