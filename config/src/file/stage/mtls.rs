//! `{ use = "mtls", … }`

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::Located;

/// Lets clients pass whose certificate the listener has verified, and says by it who they are.
///
/// ```toml
/// { use = "mtls", principal = "uri", allow = [{ uri = "spiffe://example.com/orders/*" }] }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use"]))]
pub struct MtlsStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "mtls"))]
    pub stage: Option<String>,
    /// What of the certificate is the principal: `"cn"`, `"subject"`, `"dns"`, `"uri"`, `"email"`, `"serial"` or
    /// `"fingerprint"`. Default `"cn"`.
    pub principal: PrincipalField,
    /// Certificates that may pass: whose fields match all that one of these says. Default: all that the listener
    /// has verified.
    pub allow: Option<Located<Vec<Located<CertificateRule>>>>,
}

/// What of a certificate is the principal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PrincipalField {
    /// The subject's only common name.
    #[default]
    Cn,
    /// The subject's whole name (RFC 4514).
    Subject,
    /// The only subject alternative name that is a DNS name.
    Dns,
    /// The only one that is a URI.
    Uri,
    /// The only one that is an e-mail address.
    Email,
    /// The issuer's number for it, in hexadecimal.
    Serial,
    /// SHA-256 of the certificate, in hexadecimal.
    Fingerprint,
}

/// Certificates: all that is said must match. In texts `*` stands for any text and `?` for one character.
///
/// ```toml
/// { o = "Example", dns = "*.clients.example.com", issuer = "CN=Clients CA,O=Example" }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CertificateRule {
    /// A common name of the subject.
    pub cn: Option<String>,
    /// An organization of the subject.
    pub o: Option<String>,
    /// An organizational unit of the subject.
    pub ou: Option<String>,
    /// A subject alternative name that is a DNS name.
    pub dns: Option<String>,
    /// A subject alternative name that is a URI.
    pub uri: Option<String>,
    /// A subject alternative name that is an e-mail address.
    pub email: Option<String>,
    /// The issuer's name (RFC 4514), such as `"CN=Clients CA,O=Example"`.
    pub issuer: Option<String>,
    /// SHA-256 of the certificate: 64 hexadecimal digits, with or without colons.
    pub fingerprint: Option<Located<String>>,
}
