//! `{ use = "compress", … }` and `{ use = "decompress", … }`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::file::{Count, Located};
use crate::units::ByteSize;

/// Compresses bodies of responses, in a coding that the client accepts.
///
/// ```toml
/// { use = "compress", codings = ["br", "gzip"], minimum = "1KiB" }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use"]))]
pub struct CompressStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "compress"))]
    pub stage: Option<String>,
    /// Codings that are offered; of those that a client likes best the first. Default `["zstd", "br", "gzip"]`.
    pub codings: Located<Vec<CompressCoding>>,
    /// Bodies that are shorter stay as they are, where they say so. Default `"1KiB"`.
    pub minimum: ByteSize,
    /// Content types that are compressed: `"text/html"`, `"text/*"`, and `"*+json"` for all of that ending. Default: text, JSON,
    /// XML, JavaScript, SVG and WebAssembly.
    pub types: Vec<Located<String>>,
    /// `"fast"`, `"balanced"` (default) or `"small"`.
    pub level: CompressLevel,
}

impl Default for CompressStage {
    fn default() -> Self {
        let types = [
            "text/*",
            "*+json",
            "*+xml",
            "application/json",
            "application/xml",
            "application/javascript",
            "application/wasm",
        ];
        Self {
            stage: None,
            codings: vec![CompressCoding::Zstd, CompressCoding::Brotli, CompressCoding::Gzip].into(),
            minimum: ByteSize(1 << 10),
            types: types.map(|name| name.to_owned().into()).to_vec(),
            level: CompressLevel::default(),
        }
    }
}

/// A coding that bodies are compressed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum CompressCoding {
    /// gzip (RFC 1952).
    #[serde(rename = "gzip")]
    Gzip,
    /// Brotli (RFC 7932).
    #[serde(rename = "br")]
    Brotli,
    /// Zstandard (RFC 8878).
    #[serde(rename = "zstd")]
    Zstd,
}

/// What compression is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CompressLevel {
    /// Little time.
    Fast,
    /// Something of both.
    #[default]
    Balanced,
    /// Few bytes.
    Small,
}

/// Undoes the content coding of bodies, for stages and upstreams that read them.
///
/// ```toml
/// { use = "decompress", request = true, body = "10MiB", ratio = 100 }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use"]))]
pub struct DecompressStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "decompress"))]
    pub stage: Option<String>,
    /// Whether bodies of requests are decoded (415 where that is not possible). Default true.
    pub request: bool,
    /// Whether bodies of responses are. Default false.
    pub response: bool,
    /// The most that a body may become (413 for a request's; a response breaks off). Default `"10MiB"`.
    pub body: ByteSize,
    /// How many times longer than it came a body may become, above 64 KiB. Default 100.
    pub ratio: Count,
}

impl Default for DecompressStage {
    fn default() -> Self {
        Self {
            stage: None,
            request: true,
            response: false,
            body: ByteSize(10 << 20),
            ratio: Count(100),
        }
    }
}
