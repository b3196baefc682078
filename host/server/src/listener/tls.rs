//! TLS towards clients, by rustls.

use std::fs;
use std::sync::Arc;

use gatewright_config::{FileReference, ListenerTls, Place};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::server::NoServerSessionStorage;
use tokio_rustls::TlsAcceptor;

/// Why a listener cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing or may not be read.
    #[error("cannot read {what} {}: {source}", file.path.display())]
    Read {
        /// What the file should hold.
        what: &'static str,
        /// The file.
        file: FileReference,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{} holds no {what} in PEM form: {reason}", file.path.display())]
    Pem {
        /// What the file should hold.
        what: &'static str,
        /// The file.
        file: FileReference,
        /// Why.
        reason: String,
    },
    /// Certificate and key do not belong together, or are of a kind that is not supported.
    #[error("cannot use certificate {} with key {}: {source}", tls.certificate.path.display(), tls.key.path.display())]
    Unusable {
        /// The two files.
        tls: Box<ListenerTls>,
        /// Why.
        source: rustls::Error,
    },
    /// The TLS library refuses the versions.
    #[error("cannot set up TLS: {source}")]
    Setup {
        /// Where the certificate is named.
        place: Place,
        /// Why.
        source: rustls::Error,
    },
}

impl TlsError {
    /// Where the configuration names what is wrong.
    pub fn place(&self) -> &Place {
        match self {
            Self::Read { file, .. } | Self::Pem { file, .. } => &file.place,
            Self::Unusable {
                tls,
                source: rustls::Error::InvalidCertificate(_),
            } => &tls.certificate.place,
            Self::Unusable { tls, .. } => &tls.key.place,
            Self::Setup { place, .. } => place,
        }
    }
}

/// Accepts TLS connections as the listener's configuration says.
///
/// # Errors
/// When certificate or key cannot be read or used.
pub fn acceptor(tls: &ListenerTls, http1: bool, http2: bool) -> Result<TlsAcceptor, TlsError> {
    let chain = certificates(&tls.certificate, "certificate")?;
    let key = private_key(&tls.key)?;
    let setup = |source| TlsError::Setup {
        place: tls.certificate.place.clone(),
        source,
    };
    let versions: &[&rustls::SupportedProtocolVersion] = if tls.tls12 {
        &[&rustls::version::TLS13, &rustls::version::TLS12]
    } else {
        &[&rustls::version::TLS13]
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .map_err(setup)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|source| TlsError::Unusable {
            tls: Box::new(tls.clone()),
            source,
        })?;
    if http2 {
        config.alpn_protocols.push(b"h2".to_vec());
    }
    if http1 {
        config.alpn_protocols.push(b"http/1.1".to_vec());
    }
    // Early data can be replayed by anybody who saw it; rustls accepts none unless told to.
    config.max_early_data_size = 0;
    if tls.resumption {
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(setup)?;
    } else {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// All certificates of a PEM file.
///
/// # Errors
/// When the file cannot be read or has none.
pub fn certificates(file: &FileReference, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(file, what)?;
    let pem = |reason: String| TlsError::Pem {
        what,
        file: file.clone(),
        reason,
    };
    let found: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| pem(error.to_string()))?;
    if found.is_empty() {
        Err(pem("no CERTIFICATE section".to_owned()))
    } else {
        Ok(found)
    }
}

fn private_key(file: &FileReference) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(file, "private key")?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| TlsError::Pem {
        what: "private key",
        file: file.clone(),
        reason: error.to_string(),
    })
}

fn read(file: &FileReference, what: &'static str) -> Result<Vec<u8>, TlsError> {
    fs::read(&file.path).map_err(|source| TlsError::Read {
        what,
        file: file.clone(),
        source,
    })
}
