//! References to secrets: `env:NAME`, `file:PATH`; and `[secrets]`, which gives them names.

use super::Resolver;
use crate::file::Located;
use crate::gateway::{SecretReference, SecretSource};

const HINT: &str = "write \"env:NAME\" for an environment variable or \"file:PATH\" for a file that holds it";

impl Resolver<'_> {
    /// Resolves `[secrets]`, granted or not.
    pub(super) fn secrets(&mut self) {
        let file = self.file;
        for (name, reference) in &file.secrets.value.0 {
            if !is_name(name) {
                let hint = "write 1 to 64 letters, digits, `-`, `_` and `.`";
                self.error(&reference.span, format!("`{name}` is not the name of a secret"), hint);
            }
            if let Some(reference) = self.secret(reference) {
                self.known_secrets.insert(name, reference);
            }
        }
    }

    /// A secret that the configuration names under this key.
    pub(super) fn secret_source(&mut self, reference: &Located<String>, key: &str) -> Option<SecretSource> {
        Some(SecretSource {
            reference: self.secret(reference)?,
            place: self.report.place(&reference.span, key.to_owned()),
        })
    }

    /// A literal is refused, and not repeated in the message: messages end up in logs.
    pub(super) fn secret(&mut self, reference: &Located<String>) -> Option<SecretReference> {
        if let Some(name) = reference.value.strip_prefix("env:") {
            let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if !name.is_empty() && name.chars().all(valid) && !name.starts_with(|c: char| c.is_ascii_digit()) {
                return Some(SecretReference::Environment(name.to_owned()));
            }
            self.error(
                &reference.span,
                "what follows `env:` is not the name of an environment variable",
                HINT,
            );
            return None;
        }
        match reference.value.strip_prefix("file:") {
            Some(path) => {
                let path = Located {
                    value: path.to_owned(),
                    span: reference.span.clone(),
                };
                self.path(&path).map(SecretReference::File)
            }
            None => {
                self.error(
                    &reference.span,
                    "a secret is not written here, only where it is found",
                    HINT,
                );
                None
            }
        }
    }
}

/// Whether a text can be the name of something that is granted.
pub(super) fn is_name(text: &str) -> bool {
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=64).contains(&text.len()) && text.chars().all(valid)
}
