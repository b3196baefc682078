//! What libraries say of files and certificates, in words for who has to put them right.

use std::fmt::Write as _;

use rustls::pki_types::pem;
use rustls::{CertificateError, Error, InconsistentKeys};

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
