//! `[plugin.NAME.record]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Count, Located, Timeout};
use crate::units::ByteSize;

/// Which calls of a plugin are written to files, for `gatewright replay`. None by default, and no more than one a second.
///
/// ```toml
/// [plugin.tenant-authorizer.record]
/// on = ["trap", "timeout"]
/// fields = ["content-type"]
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Record {
    /// Calls that fail so. Default `[]`.
    pub on: Vec<RecordOn>,
    /// Calls that take longer, once they have their place. Default: none.
    pub slower_than: Option<Timeout>,
    /// One in so many calls. Default: none.
    pub sample: Option<Count>,
    /// Header fields whose values are written down; all other values, and those of identities, are redacted. Default `[]`.
    pub fields: Vec<Located<String>>,
    /// Parameters of the query whose values are written down; all other values are redacted. Default `[]`: the query is left
    /// out.
    pub query: Vec<String>,
    /// Whether bodies are written down. Default `false`.
    pub bodies: bool,
    /// Whether what services answered is written down as it was: values, random numbers, bodies of responses, and the keys
    /// and queries that were asked for. Otherwise only how much it was. Secrets are redacted either way. Default `false`.
    pub answers: bool,
    /// Where. Default `".gatewright/recordings"`, beside the configuration file.
    pub directory: Located<String>,
    /// Bytes of the files in there; the oldest make room. Default `"64MiB"`.
    pub directory_bytes: ByteSize,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            on: Vec::new(),
            slower_than: None,
            sample: None,
            fields: Vec::new(),
            query: Vec::new(),
            bodies: false,
            answers: false,
            directory: ".gatewright/recordings".to_owned().into(),
            directory_bytes: ByteSize(64 << 20),
        }
    }
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordOn {
    /// The plugin says that it cannot answer.
    Fault,
    /// It breaks off.
    Trap,
    /// It takes too long.
    Timeout,
    /// The gateway refuses what it answers.
    Output,
}
