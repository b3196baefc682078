//! `{ use = "sigv4", … }`

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::{Delay, Located};
use crate::units::ByteSize;

/// Lets requests with a valid AWS Signature Version 4 pass, in a header field or in a presigned URL.
///
/// ```toml
/// { use = "sigv4", credentials = "credentials.toml", region = "eu-central-1" }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use", "credentials"]))]
pub struct SigV4Stage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "sigv4"))]
    pub stage: Option<String>,
    /// TOML file of access keys. Required.
    #[schemars(required)]
    pub credentials: Option<Located<String>>,
    /// The service that signatures are for. S3 and its kin sign paths in another way than all others.
    /// Default `"execute-api"`.
    pub service: Located<String>,
    /// The region that signatures are for. Default: any.
    pub region: Option<Located<String>>,
    /// How far the clock of a client may be from this one's, at most a day. Default `"5m"`.
    pub clock_skew: Located<Delay>,
    /// The longest that a presigned URL may be valid; `"0s"` refuses all of them. Default `"7d"`, which is also the most.
    pub presigned: Located<Delay>,
    /// Whether a body need not be signed (`UNSIGNED-PAYLOAD`). Default false.
    pub unsigned_payload: bool,
    /// Header fields that must be signed where a request has them, besides `host` and all `x-amz-*`. Default `[]`.
    pub signed_headers: Vec<Located<String>>,
    /// Largest body that is waited for and compared with what was signed (413 above). Default `"1MiB"`.
    pub body: ByteSize,
}

impl Default for SigV4Stage {
    fn default() -> Self {
        Self {
            stage: None,
            credentials: None,
            service: "execute-api".to_owned().into(),
            region: None,
            clock_skew: Delay(std::time::Duration::from_secs(300)).into(),
            presigned: Delay(std::time::Duration::from_secs(7 * 24 * 3600)).into(),
            unsigned_payload: false,
            signed_headers: Vec::new(),
            body: ByteSize(1 << 20),
        }
    }
}
