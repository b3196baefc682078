//! What stages ask of tokens: where they are in a request, who must have issued them, and what they must say.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::SecretReference;
use crate::file::ClientAuthentication;
use crate::place::{FileReference, Place};
use crate::units::ByteSize;
use crate::web_url::WebUrl;

/// `{ use = "jwt", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JwtConfig {
    /// Where the issuer's keys are.
    pub keys: KeySourceConfig,
    /// Algorithms that are accepted; at least one.
    pub algorithms: Vec<Algorithm>,
    /// Where the token is in a request.
    pub carriers: TokenCarriers,
    /// What it must say.
    pub rules: TokenRules,
}

/// Where the keys of an issuer are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum KeySourceConfig {
    /// In this file, which is read when the configuration is loaded.
    File(FileReference),
    /// They are fetched while the gateway runs.
    Fetched(FetchedKeysConfig),
}

/// Keys that are fetched.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FetchedKeysConfig {
    /// From where.
    pub origin: KeyOrigin,
    /// Certificate authorities; none for the system's.
    pub ca: Option<FileReference>,
    /// How old they become before they are fetched anew.
    pub refresh: Duration,
    /// How long the last good ones are used.
    pub max_stale: Duration,
    /// How long after a fetch for an unknown key another one is no reason for a fetch.
    pub cooldown: Duration,
    /// Where the file says so, for messages.
    #[serde(skip)]
    pub place: Place,
}

/// Where the metadata of an issuer are (OpenID Connect Discovery 1.0; RFC 8414).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum MetadataOrigin {
    /// Below the URL of this issuer, whose they must say that they are.
    Issuer(WebUrl),
    /// At this URL, which the configuration vouches for, whoever they say that they are of.
    Discovery(WebUrl),
}

impl MetadataOrigin {
    /// Whom to ask.
    #[must_use]
    pub fn url(&self) -> &WebUrl {
        match self {
            Self::Issuer(url) | Self::Discovery(url) => url,
        }
    }
}

/// Where keys are fetched from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum KeyOrigin {
    /// Where these metadata say.
    Metadata(MetadataOrigin),
    /// Here.
    Jwks(WebUrl),
}

impl KeyOrigin {
    /// Whom to ask first.
    #[must_use]
    pub fn url(&self) -> &WebUrl {
        match self {
            Self::Metadata(origin) => origin.url(),
            Self::Jwks(url) => url,
        }
    }
}

/// Algorithms of signatures (RFC 7518, section 3.1; RFC 8037). All of them have a public key for verification: who can
/// verify a token cannot make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[expect(missing_docs, reason = "the names are those of the standard")]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
}

impl Algorithm {
    /// All there are.
    pub const ALL: [Self; 10] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
    ];

    /// Its name in `alg`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
        }
    }

    /// The one of that name, which is compared with case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

/// Where a client puts its token.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenCarriers {
    /// Looked at in this order; at least one.
    pub sources: Vec<TokenSource>,
    /// Those of which the upstream gets none.
    pub hidden: Vec<TokenSource>,
    /// The longest one that is looked at.
    pub bytes: ByteSize,
}

impl TokenCarriers {
    /// Names of fields and parameters in which tokens are, in lower case.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let name = |source: &TokenSource| match source {
            TokenSource::Header { name, .. } | TokenSource::Query(name) => name.to_ascii_lowercase(),
            TokenSource::Cookie(_) => "cookie".to_owned(),
        };
        self.sources.iter().map(name)
    }
}

/// One place for a token.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum TokenSource {
    /// The whole value of a header field, or what follows `scheme` and a space.
    Header {
        /// Lower-case field name.
        name: String,
        /// Authentication scheme such as `Bearer`, compared without case.
        scheme: Option<String>,
    },
    /// A query parameter.
    Query(String),
    /// A cookie.
    Cookie(String),
}

/// What a token must say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenRules {
    /// Who must have issued it.
    pub issuer: Option<String>,
    /// For whom it must be; none: for anybody.
    pub audiences: Option<Vec<String>>,
    /// Of these it must have one at least; empty: none is needed.
    pub scopes: Vec<String>,
    /// Claims, and the values of which each must have one.
    pub claims: Vec<(String, Vec<Value>)>,
    /// Claims of which the first one there is says who the client is.
    pub principals: Vec<String>,
    /// How far clocks may differ.
    pub leeway: Duration,
}

impl KeySourceConfig {
    /// Files that are read for it.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let file = match self {
            Self::File(file) => Some(file),
            Self::Fetched(fetched) => fetched.ca.as_ref(),
        };
        file.into_iter().map(|file| &file.path)
    }
}

/// `{ use = "oauth2-introspection", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Oauth2IntrospectionConfig {
    /// Who is asked about tokens.
    pub introspector: IntrospectorConfig,
    /// Where the token is in a request.
    pub carriers: TokenCarriers,
    /// What the answer must say.
    pub rules: TokenRules,
}

/// Who is asked about tokens, and as whom. Stages that say the same share what they learn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IntrospectorConfig {
    /// Where.
    pub origin: IntrospectionOrigin,
    /// Certificate authorities; none for the system's.
    pub ca: Option<FileReference>,
    /// As whom.
    pub client: OauthClient,
    /// How long an answer may be used again; zero is never.
    pub cache: Duration,
    /// Where the file says so, for messages.
    #[serde(skip)]
    pub place: Place,
}

/// Where tokens are asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum IntrospectionOrigin {
    /// Where these metadata say.
    Metadata(MetadataOrigin),
    /// Here.
    Endpoint(WebUrl),
}

impl IntrospectionOrigin {
    /// Whom to ask first.
    #[must_use]
    pub fn url(&self) -> &WebUrl {
        match self {
            Self::Metadata(origin) => origin.url(),
            Self::Endpoint(url) => url,
        }
    }
}

/// What the gateway is to an authorization server.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OauthClient {
    /// Its name.
    pub id: String,
    /// Its secret; none for a public client.
    pub secret: Option<SecretSource>,
    /// How that is said.
    pub authentication: ClientAuthentication,
}

/// A secret that is not written down in the configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SecretSource {
    /// Where it is.
    pub reference: SecretReference,
    /// Where the file names it, for messages.
    #[serde(skip)]
    pub place: Place,
}
