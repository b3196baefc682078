//! TLS towards clients, by rustls.

use std::fs;
use std::sync::Arc;

use gatewright_config::{ClientTls, ConfigError, FileReference, ListenerTls, Place};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::words;

/// Why a listener cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing or may not be read.
    #[error("cannot read {what} {}: {}", file.path.display(), gatewright_config::reason(source))]
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
    #[error("cannot use certificate {} with key {}: {}", tls.certificate.path.display(), tls.key.path.display(), words::of_tls(source))]
    Unusable {
        /// The two files.
        tls: Box<ListenerTls>,
        /// Why.
        source: rustls::Error,
    },
    /// What clients' certificates are verified by cannot be used.
    #[error("cannot verify clients by {}: {reason}", file.path.display())]
    Clients {
        /// The authorities, or the lists of revoked certificates.
        file: FileReference,
        /// Why.
        reason: String,
    },
    /// The TLS library refuses the versions.
    #[error("cannot set up TLS: {}", words::of_tls(source))]
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
            Self::Read { file, .. } | Self::Pem { file, .. } | Self::Clients { file, .. } => &file.place,
            Self::Unusable {
                tls,
                source: rustls::Error::InvalidCertificate(_),
            } => &tls.certificate.place,
            Self::Unusable { tls, .. } => &tls.key.place,
            Self::Setup { place, .. } => place,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Read { source, .. } => Some(gatewright_config::advice(source)),
            Self::Pem { .. } => Some("name a PEM file: text with `-----BEGIN …-----` and `-----END …-----`"),
            Self::Unusable { .. } => Some("name the files that belong together, the server's own certificate first"),
            Self::Clients { .. } => {
                Some("name PEM files with the certificates of authorities and their lists of revoked ones")
            }
            Self::Setup { .. } => None,
        }
    }

    /// What is wrong, where the configuration says it.
    pub fn mistake(&self) -> ConfigError {
        let mistake = self.place().mistake(self);
        match self.hint() {
            Some(hint) => mistake.with_hint(hint),
            None => mistake,
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
    let verifier = match &tls.clients {
        Some(clients) => client_verifier(clients)?,
        None => WebPkiClientVerifier::no_client_auth(),
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .map_err(setup)?
        .with_client_cert_verifier(verifier)
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
    // A session that is resumed is one whose certificate nobody looks at again.
    if tls.resumption && tls.clients.is_none() {
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(setup)?;
    } else {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Lists of revoked certificates are for the whole chain, and not good after their time: one that nobody renews is as good as
/// none, and would not be noticed.
fn client_verifier(clients: &ClientTls) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let unusable = |file: &FileReference, reason: String| TlsError::Clients {
        file: file.clone(),
        reason,
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates(&clients.ca, "certificate authority")? {
        roots
            .add(authority)
            .map_err(|error| unusable(&clients.ca, words::of_tls(&error)))?;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if let Some(file) = &clients.crl {
        let text = read(file, "list of revoked certificates")?;
        let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(&text)
            .collect::<Result<_, _>>()
            .map_err(|error| unusable(file, words::of_pem(&error, "X509 CRL")))?;
        if lists.is_empty() {
            return Err(unusable(file, "it has no X509 CRL section".to_owned()));
        }
        verifier = verifier.with_crls(lists).enforce_revocation_expiration();
    }
    if !clients.required {
        verifier = verifier.allow_unauthenticated();
    }
    let file = clients.crl.as_ref().unwrap_or(&clients.ca);
    verifier
        .build()
        .map_err(|error| unusable(file, words::of_verifier(&error)))
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
        .map_err(|error| pem(words::of_pem(&error, "CERTIFICATE")))?;
    if found.is_empty() {
        Err(pem("no CERTIFICATE section".to_owned()))
    } else {
        Ok(found)
    }
}

/// The private key of a PEM file.
///
/// # Errors
/// When the file cannot be read or has none.
pub fn private_key(file: &FileReference) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(file, "private key")?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| TlsError::Pem {
        what: "private key",
        file: file.clone(),
        reason: words::of_pem(&error, "PRIVATE KEY"),
    })
}

fn read(file: &FileReference, what: &'static str) -> Result<Vec<u8>, TlsError> {
    fs::read(&file.path).map_err(|source| TlsError::Read {
        what,
        file: file.clone(),
        source,
    })
}
