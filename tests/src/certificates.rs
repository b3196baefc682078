//! Certificates for one test: an authority, a server's, and one of the wrong name.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tempfile::TempDir;

/// Files `ca.pem`, `server.pem`, `server.key` (for `localhost` and `127.0.0.1`), `wrong.pem` and `wrong.key` (for
/// another name), in a folder that lives as long as this.
#[derive(Debug)]
pub struct Certificates {
    directory: TempDir,
    /// The authority, as PEM.
    pub ca: String,
}

impl Certificates {
    /// New keys and certificates.
    #[expect(clippy::new_without_default, reason = "nothing about it is a default")]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a folder for certificates");
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test authority");
        let ca = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let certificates = Self { directory, ca };
        std::fs::write(certificates.file("ca.pem"), &certificates.ca).unwrap();
        certificates.issue("server", &["localhost", "127.0.0.1"], &issuer);
        certificates.issue("wrong", &["wrong.example"], &issuer);
        certificates
    }

    fn issue(&self, name: &str, names: &[&str], issuer: &Issuer<'_, KeyPair>) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, issuer).unwrap();
        std::fs::write(self.file(&format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    /// The path of one of the files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The path of one of the files, for a configuration.
    pub fn path(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    /// A client that trusts the authority and speaks these protocols.
    pub fn client(&self, alpn: &[&str]) -> Arc<rustls::ClientConfig> {
        self.client_with(rustls::DEFAULT_VERSIONS, alpn)
    }

    /// The same, with these versions of TLS only.
    pub fn client_with(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        alpn: &[&str],
    ) -> Arc<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate(&self.file("ca.pem"))).unwrap();
        let mut config = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    /// A server with one of the certificates, `server` or `wrong`, that speaks HTTP/1.1.
    pub fn server(&self, name: &str) -> Arc<rustls::ServerConfig> {
        self.server_with(name, rustls::server::WebPkiClientVerifier::no_client_auth())
    }

    /// The same, for clients only that have a certificate of the authority.
    pub fn server_for_known_clients(&self, name: &str) -> Arc<rustls::ServerConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate(&self.file("ca.pem"))).unwrap();
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        self.server_with(name, verifier.build().unwrap())
    }

    fn server_with(
        &self,
        name: &str,
        verifier: Arc<dyn rustls::server::danger::ClientCertVerifier>,
    ) -> Arc<rustls::ServerConfig> {
        let chain = vec![certificate(&self.file(&format!("{name}.pem")))];
        let key = PrivateKeyDer::from_pem_file(self.file(&format!("{name}.key"))).unwrap();
        let mut config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn certificate(path: &std::path::Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}
