//! The certificate by which a client has proved who it is.

/// A client's certificate that the listener has verified, taken apart once for a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The subject's name (RFC 4514): `CN=client,O=Example`.
    pub subject: String,
    /// The issuer's name, in the same form.
    pub issuer: String,
    /// The issuer's number for it, the most significant byte first.
    pub serial: Vec<u8>,
    /// SHA-256 of the DER form.
    pub sha256: [u8; 32],
    /// Begin of validity, in seconds since 1970.
    pub not_before: u64,
    /// End of validity, in seconds since 1970.
    pub not_after: u64,
    /// Common names in the subject.
    pub common_names: Vec<String>,
    /// Organizations in the subject.
    pub organizations: Vec<String>,
    /// Organizational units in the subject.
    pub units: Vec<String>,
    /// Subject alternative names that are DNS names.
    pub dns_names: Vec<String>,
    /// Subject alternative names that are URIs.
    pub uris: Vec<String>,
    /// Subject alternative names that are e-mail addresses.
    pub emails: Vec<String>,
    /// The DER form.
    pub der: Vec<u8>,
    /// Attributes with their full names that say all this, as text.
    pub attributes: Vec<(&'static str, String)>,
}
