//! What libraries say of files and certificates, in words for who has to put them right.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::Arc;

use gatewright_config::{ConfigError, FileReference, NotText, Place};
use rustls::pki_types::pem;
use rustls::server::VerifierBuilderError;
use rustls::{CertificateError, Error, InconsistentKeys};
use serde::Serialize;

/// A choice as the configuration writes it.
pub fn of_choice(choice: &impl Serialize) -> String {
    match serde_json::to_value(choice) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Why a stage cannot be made of what it is given, and what to do.
#[derive(Debug)]
pub struct Unusable {
    /// Where what is wrong is, if that is not the stage itself.
    pub place: Option<Place>,
    /// What is wrong.
    pub reason: String,
    /// What to do about it.
    pub hint: Cow<'static, str>,
}

impl Unusable {
    /// A stage that is wrong itself.
    pub fn new(reason: impl Into<String>, hint: impl Into<Cow<'static, str>>) -> Self {
        Self {
            place: None,
            reason: reason.into(),
            hint: hint.into(),
        }
    }

    /// The same, for something that is wrong somewhere else.
    #[must_use]
    pub fn at(self, place: Place) -> Self {
        Self {
            place: Some(place),
            ..self
        }
    }

    fn file(file: &FileReference, error: &io::Error) -> Self {
        let reason = gatewright_config::reason(error);
        let reason = format!("cannot read {}: {reason}", file.path.display());
        Self::new(reason, gatewright_config::advice(error)).at(file.place.clone())
    }
}

/// The bytes of a file that the configuration names.
///
/// # Errors
/// When it cannot be read.
pub fn bytes_of(file: &FileReference) -> Result<Vec<u8>, Unusable> {
    std::fs::read(&file.path).map_err(|error| Unusable::file(file, &error))
}

/// The text of a file that the configuration names.
///
/// # Errors
/// When it cannot be read, or is not UTF-8.
pub fn text_of(file: &FileReference) -> Result<String, Unusable> {
    gatewright_config::utf8(bytes_of(file)?).map_err(|NotText { line, column, message }| {
        Unusable::new(message, gatewright_config::UTF8).at(inside(&file.path, line, column))
    })
}

/// A place in a file that the configuration names. Lines and columns are from 1; what is before that is the beginning.
pub fn inside(file: &Path, line: usize, column: usize) -> Place {
    Place {
        file: Arc::new(file.to_owned()),
        line: line.max(1),
        column: column.max(1),
        ..Place::nowhere()
    }
}

/// A file that the configuration names cannot be read.
pub fn unreadable(file: &FileReference, error: &io::Error) -> ConfigError {
    let reason = gatewright_config::reason(error);
    let mistake = file
        .place
        .mistake(format_args!("cannot read {}: {reason}", file.path.display()));
    mistake.with_hint(gatewright_config::advice(error))
}

/// A file that the configuration names cannot be written. `what` the gateway does with it: `open`, `write`.
pub fn unwritable(file: &FileReference, what: &str, error: &io::Error) -> ConfigError {
    let reason = gatewright_config::reason(error);
    let mistake = file
        .place
        .mistake(format_args!("cannot {what} {}: {reason}", file.path.display()));
    mistake.with_hint(match error.kind() {
        io::ErrorKind::NotFound => "make its folder, which is not there",
        io::ErrorKind::PermissionDenied => "let this user write in its folder, and to the file if it is there",
        io::ErrorKind::IsADirectory => "name a file, not a folder",
        _ => "name a file in a folder where this user may write",
    })
}

/// What the TLS library says of a certificate or key.
pub fn of_tls(error: &Error) -> String {
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "the key is not the one that the certificate was issued for".to_owned()
        }
        Error::InconsistentKeys(_) => "nobody can tell whether key and certificate belong together".to_owned(),
        Error::NoCertificatesPresented => "there is no certificate".to_owned(),
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::General(text) => text.clone(),
        other => apart(&other.to_string()),
    }
}

/// Why clients' certificates cannot be verified by what there is.
pub fn of_verifier(error: &VerifierBuilderError) -> String {
    match error {
        VerifierBuilderError::NoRootAnchors => "there is no certificate authority".to_owned(),
        VerifierBuilderError::InvalidCrl(_) => {
            "a list of revoked certificates is damaged, or of a kind that is not supported".to_owned()
        }
        other => apart(&other.to_string()),
    }
}

fn of_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::BadEncoding => "the certificate is damaged: what is in it is not DER".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet".to_owned()
        }
        CertificateError::UnknownIssuer => "no authority that is known has issued the certificate".to_owned(),
        CertificateError::Other(error) => format!("the certificate cannot be used: {error}"),
        other => format!("the certificate cannot be used: {}", apart(&other.to_string())),
    }
}

/// What is wrong with a PEM file that should have a section of this kind.
pub fn of_pem(error: &pem::Error, section: &str) -> String {
    match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            let label = String::from_utf8_lossy(end_marker);
            format!("a section does not end: `-----END {}-----` is missing", label.trim())
        }
        pem::Error::IllegalSectionStart { .. } => {
            "a line that begins a section is damaged: it is `-----BEGIN`, a name, and `-----`".to_owned()
        }
        pem::Error::Base64Decode(_) => "what is between BEGIN and END is not base64".to_owned(),
        pem::Error::Io(error) => gatewright_config::reason(error),
        _ => format!("it has no section `{section}`"),
    }
}

/// `UnsupportedCertVersion` as words; any other text as it is.
fn apart(text: &str) -> String {
    let is_name = text.chars().all(|c| c.is_ascii_alphanumeric()) && text.chars().any(|c| c.is_ascii_uppercase());
    if !is_name {
        return text.to_owned();
    }
    let mut words = String::new();
    for letter in text.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        let _ = write!(words, "{}", letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_library_is_said_as_it_stands() {
        let mismatch = Error::InconsistentKeys(InconsistentKeys::KeyMismatch);
        assert_eq!(
            of_tls(&mismatch),
            "the key is not the one that the certificate was issued for"
        );
        let encoding = Error::InvalidCertificate(CertificateError::BadEncoding);
        assert!(of_tls(&encoding).contains("damaged"));
        assert_eq!(apart("UnsupportedCertVersion"), "unsupported cert version");
        let start = pem::Error::IllegalSectionStart {
            line: b"-----BEGIN X".to_vec(),
        };
        assert!(!of_pem(&start, "CERTIFICATE").contains('['));
        let end = pem::Error::MissingSectionEnd {
            end_marker: b"CERTIFICATE".to_vec(),
        };
        assert!(of_pem(&end, "CERTIFICATE").contains("`-----END CERTIFICATE-----`"));
    }
}
