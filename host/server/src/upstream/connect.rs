//! New connections to a target: name, TCP, TLS, HTTP.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use gatewright_config::{FileReference, Place, TargetConfig, TlsIdentity, UpstreamConfig};
use gatewright_core::Body;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::driver::{Calls, Driver};
use super::guard::{ResponseGuard, Sent};
use super::screen::Screen;
use crate::alarm::Alarm;
use crate::listener::tls::{TlsError, certificates, private_key};
use crate::words;

/// hyper's own default; with another number it allocates for every response.
const DEFAULT_HEADER_COUNT: usize = 100;

/// Why an upstream cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Its certificate authorities cannot be read.
    #[error(transparent)]
    Authorities(#[from] TlsError),
    /// The system has none.
    #[error("cannot read the system's certificate authorities ({errors} files cannot be read)")]
    NoAuthorities {
        /// The upstream.
        place: Place,
        /// How many files could not be read.
        errors: usize,
    },
    /// A certificate authority is no certificate.
    #[error("cannot use a certificate of {}: {}", file.path.display(), words::of_tls(source))]
    Authority {
        /// The file.
        file: Box<FileReference>,
        /// Why.
        source: rustls::Error,
    },
    /// Its own certificate cannot be used.
    #[error(
        "cannot use certificate {} with key {}: {}",
        identity.certificate.path.display(), identity.key.path.display(), words::of_tls(source)
    )]
    Identity {
        /// Certificate and key.
        identity: Box<TlsIdentity>,
        /// Why.
        source: rustls::Error,
    },
    /// The host is neither a DNS name nor an address.
    #[error("cannot verify `{host}`: it is neither a DNS name nor an IP address")]
    ServerName {
        /// The host.
        host: String,
        /// Where it is.
        place: Place,
    },
    /// The TLS library refuses.
    #[error("cannot set up TLS: {}", words::of_tls(source))]
    Tls {
        /// The upstream.
        place: Place,
        /// Why.
        source: rustls::Error,
    },
}

impl SetupError {
    /// Where the configuration names what is wrong.
    pub fn place(&self) -> &Place {
        match self {
            Self::Authorities(error) => error.place(),
            Self::Authority { file, .. } => &file.place,
            Self::Identity {
                identity,
                source: rustls::Error::InvalidCertificate(_),
            } => &identity.certificate.place,
            Self::Identity { identity, .. } => &identity.key.place,
            Self::ServerName { place, .. } | Self::NoAuthorities { place, .. } | Self::Tls { place, .. } => place,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Authorities(error) => error.hint(),
            Self::Authority { .. } => Some("name a PEM file with the certificates of authorities"),
            Self::ServerName { .. } => Some("write the host as it is in the certificate"),
            Self::NoAuthorities { .. } => {
                Some("name a file with `ca`, or install the system's certificate authorities")
            }
            Self::Identity { .. } => Some("name the files that belong together, the gateway's own certificate first"),
            Self::Tls { .. } => None,
        }
    }

    /// The host of a target cannot be what it should be.
    pub fn server_name(target: &TargetConfig) -> Self {
        Self::ServerName {
            host: target.host.clone(),
            place: target.place.clone(),
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It took too long.
    #[error("connecting took too long")]
    TimedOut,
    /// The name has no address.
    #[error("cannot resolve the name: {0}")]
    Resolve(io::Error),
    /// The name stands for an address that it may not stand for.
    #[error("its address is private: {0}")]
    Private(IpAddr),
    /// Nobody answers there.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// The other side is not who it should be, or speaks no TLS.
    #[error("TLS handshake failed: {0}")]
    Tls(io::Error),
    /// HTTP cannot be spoken.
    #[error("cannot speak HTTP: {0}")]
    Http(hyper::Error),
}

/// How to connect to one target.
pub struct Connector {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    header_bytes: usize,
    header_count: usize,
    /// For hosts that somebody else than the operator may have a say in.
    screen: Option<Screen>,
}

/// A connection, as who sends requests over it sees it.
pub struct Connected {
    /// Sends requests over it.
    pub sender: SendRequest<Body>,
    /// Must be told of each request.
    pub sent: Sent,
    /// Holds calls for its task back.
    pub calls: Calls,
    /// Keeps the time of its requests. Goes from one to the next, so that none has to set it.
    pub alarm: Alarm,
    /// How long the other side keeps it open while it is unused, as far as its last response says.
    pub kept_for: Option<Duration>,
}

impl Connector {
    /// How to connect to `target`.
    ///
    /// # Errors
    /// When its host cannot be verified.
    pub fn new(
        target: &TargetConfig,
        upstream: &UpstreamConfig,
        tls: &Option<Arc<ClientConfig>>,
    ) -> Result<Self, SetupError> {
        let tls = match tls {
            Some(config) if target.tls => {
                let name = upstream.server_name.as_ref().unwrap_or(&target.host);
                let name = ServerName::try_from(name.clone()).map_err(|_| SetupError::server_name(target))?;
                Some((TlsConnector::from(Arc::clone(config)), name))
            }
            _ => None,
        };
        Ok(Self {
            host: target.host.clone(),
            port: target.port,
            tls,
            header_bytes: usize::try_from(upstream.header_bytes.0).unwrap_or(usize::MAX),
            header_count: upstream.header_count,
            screen: None,
        })
    }

    /// Connects to addresses only that `screen` lets through.
    pub fn screened(self, screen: Screen) -> Self {
        Self {
            screen: Some(screen),
            ..self
        }
    }

    /// Connects. The caller keeps the time.
    ///
    /// # Errors
    /// When any step of it fails.
    pub async fn connect(&self) -> Result<Connected, ConnectError> {
        let stream = self.connect_tcp().await?;
        match &self.tls {
            None => self.handshake(stream).await,
            Some((connector, name)) => {
                let stream = connector
                    .connect(name.clone(), stream)
                    .await
                    .map_err(ConnectError::Tls)?;
                self.handshake(stream).await
            }
        }
    }

    async fn connect_tcp(&self) -> Result<TcpStream, ConnectError> {
        match &self.screen {
            Some(screen) => connect_first(screen.addresses(&self.host, self.port).await?).await,
            None => {
                let addresses = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
                connect_first(addresses.map_err(ConnectError::Resolve)?).await
            }
        }
    }

    async fn handshake<S>(&self, stream: S) -> Result<Connected, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (guard, sent) = ResponseGuard::new(stream, self.header_bytes);
        let mut builder = http1::Builder::new();
        builder.max_header_size(self.header_bytes);
        if self.header_count != DEFAULT_HEADER_COUNT {
            builder.max_headers(self.header_count);
        }
        let (sender, connection) = builder
            .handshake(TokioIo::new(guard))
            .await
            .map_err(ConnectError::Http)?;
        let (driver, calls) = Driver::new(connection);
        tokio::spawn(async move {
            // What matters of an error reaches whoever waits for the response.
            if let Err(error) = driver.await {
                tracing::debug!(error = super::causes(&error), "upstream connection ended");
            }
        });
        Ok(Connected {
            sender,
            sent,
            calls,
            alarm: Alarm::default(),
            kept_for: None,
        })
    }
}

/// A connection to the first address that takes one.
async fn connect_first(addresses: impl IntoIterator<Item = SocketAddr>) -> Result<TcpStream, ConnectError> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(ConnectError::Connect)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(ConnectError::Connect(last))
}

/// TLS towards the targets, if any of them speaks it.
///
/// # Errors
/// When there are no certificate authorities to verify them with.
pub fn client_config(upstream: &UpstreamConfig) -> Result<Option<Arc<ClientConfig>>, SetupError> {
    if !upstream.targets.iter().any(|target| target.tls) {
        return Ok(None);
    }
    let trust = match (&upstream.ca, upstream.accepts_any_certificate) {
        (_, true) => Trust::Anybody,
        (Some(file), false) => Trust::Authorities(file),
        (None, false) => Trust::System,
    };
    tls_config(trust, upstream.identity.as_ref(), &upstream.place).map(Some)
}

/// Whose certificates are good.
#[derive(Clone, Copy, Debug)]
pub enum Trust<'t> {
    /// Those of the system's authorities.
    System,
    /// Those of the authorities in this file.
    Authorities(&'t FileReference),
    /// Every one: nothing is verified but that the other side has its key.
    Anybody,
}

impl<'t> From<Option<&'t FileReference>> for Trust<'t> {
    fn from(ca: Option<&'t FileReference>) -> Self {
        ca.map_or(Self::System, Self::Authorities)
    }
}

/// TLS towards whoever has a certificate that is good, with a certificate for those who ask for one. `place` is what it is
/// for.
///
/// # Errors
/// When there are no certificate authorities, or the certificate cannot be used.
pub fn tls_config(
    trust: Trust<'_>,
    identity: Option<&TlsIdentity>,
    place: &Place,
) -> Result<Arc<ClientConfig>, SetupError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|source| SetupError::Tls {
            place: place.clone(),
            source,
        })?;
    let builder = match trust {
        Trust::System => builder.with_root_certificates(system_authorities(place)?),
        Trust::Authorities(file) => builder.with_root_certificates(authorities(file)?),
        Trust::Anybody => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
    };
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = certificates(&identity.certificate, "certificate")?;
            let configured = builder.with_client_auth_cert(chain, private_key(&identity.key)?);
            configured.map_err(|source| SetupError::Identity {
                identity: Box::new(identity.clone()),
                source,
            })?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn authorities(file: &FileReference) -> Result<RootCertStore, SetupError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file, "certificate")? {
        roots.add(certificate).map_err(|source| SetupError::Authority {
            file: Box::new(file.clone()),
            source,
        })?;
    }
    Ok(roots)
}

fn system_authorities(place: &Place) -> Result<RootCertStore, SetupError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    match roots.is_empty() {
        false => Ok(roots),
        true => Err(SetupError::NoAuthorities {
            place: place.clone(),
            errors: found.errors.len(),
        }),
    }
}

/// Takes every certificate of whoever has its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
