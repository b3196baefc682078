//! `{ use = "waf", … }`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::file::{Count, Located};
use crate::units::ByteSize;

/// Refuses requests that look like an attack: SQL injection, cross-site scripting, and what no careful client sends.
///
/// ```toml
/// { use = "waf", mode = "detect", exclude = [{ rule = "sqli", at = ["body:comment"] }] }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use"]))]
pub struct WafStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "waf"))]
    pub stage: Option<String>,
    /// `"block"` (default) refuses what a rule finds, `"detect"` only says so in the access log and the metrics.
    pub mode: WafMode,
    /// Header fields that are inspected besides path, query and cookies. Default `["referer", "user-agent"]`.
    pub headers: Vec<Located<String>>,
    /// How much of a body is inspected, as sent and as decoded; `"0B"` inspects none. Default `"64KiB"`.
    pub body: ByteSize,
    /// What becomes of a longer body: `"refuse"` (default; 413), or `"inspect-start"`, which passes the rest on unseen.
    pub larger: WafLarger,
    /// Parameters of query and body together, parts of a form included. Default 256.
    pub parameters: Count,
    /// The longest value of a parameter. Default `"64KiB"`.
    pub value: ByteSize,
    /// How deep JSON and XML may be nested. Default 64.
    pub depth: Count,
    /// Rules in SecLang, in this order: `"builtin"`, the gateway's own against file inclusion, commands, PHP and Java, scanners and
    /// attacks on protocols, and files and folders (all of a folder that end in `.conf`), such as those of the OWASP Core
    /// Rule Set. Default `[]`.
    pub rules: Vec<Located<String>>,
    /// The paranoia level of these rules, 1 to 4. Default: what they say themselves, which is 1.
    pub paranoia: Option<Located<Count>>,
    /// The anomaly score from which these rules refuse a request. Default: what they say themselves, which is 5.
    pub threshold: Option<Count>,
    /// Where rules do not apply. Default `[]`.
    pub exclude: Vec<Located<WafExclusion>>,
}

impl Default for WafStage {
    fn default() -> Self {
        Self {
            stage: None,
            mode: WafMode::default(),
            headers: ["referer", "user-agent"].map(|name| name.to_owned().into()).to_vec(),
            body: ByteSize(64 << 10),
            larger: WafLarger::default(),
            parameters: Count(256),
            value: ByteSize(64 << 10),
            depth: Count(64),
            rules: Vec::new(),
            paranoia: None,
            threshold: None,
            exclude: Vec::new(),
        }
    }
}

/// A rule that does not apply somewhere.
///
/// ```toml
/// { rule = "xss", at = ["body:article.text", "header:referer"], path = "/editor" }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["rule"]))]
pub struct WafExclusion {
    /// The rule. Required.
    #[schemars(required)]
    pub rule: Option<WafRule>,
    /// The number of a rule in SecLang: only this one of the family, or of `"rules"`. Default: all.
    pub id: Option<Count>,
    /// Where it does not apply: `"path"`, `"query"`, `"cookie"`, `"header"` and `"body"`, each alone or with a name
    /// (`"query:q"`). Default `[]`: nowhere at all does it apply.
    pub at: Vec<Located<String>>,
    /// Only for this path and those below it. Default: all.
    pub path: Option<Located<String>>,
}

/// What is done about a finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WafMode {
    /// The request is refused.
    #[default]
    Block,
    /// It passes; the access log and the metrics tell.
    Detect,
}

/// What becomes of a body that is longer than what is inspected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WafLarger {
    /// It is refused.
    #[default]
    Refuse,
    /// Its beginning is inspected.
    InspectStart,
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WafRule {
    /// SQL injection, by libinjection.
    Sqli,
    /// Cross-site scripting, by libinjection.
    Xss,
    /// `%` without two hexadecimal digits.
    PercentEncoding,
    /// Bytes that are not UTF-8.
    Utf8,
    /// NUL and other control characters.
    ControlCharacter,
    /// Too many parameters.
    ParameterCount,
    /// A value that is too long.
    ValueLength,
    /// A body that is too large, or becomes it when it is decoded.
    BodySize,
    /// A content coding or charset in which a body cannot be inspected.
    BodyEncoding,
    /// A body that is not what its content type says, or is nested too deep; a document type in XML.
    BodySyntax,
    /// Files of the server, by way up or by name.
    Lfi,
    /// Files and addresses elsewhere, for the server to fetch.
    Rfi,
    /// Commands of shells, and code.
    Command,
    /// PHP.
    Php,
    /// Java, its expression languages, look-ups and serialized objects.
    Java,
    /// Programs that look for weaknesses.
    Scanner,
    /// Header fields, requests and queries of other protocols in values.
    Protocol,
    /// Rules of files that the configuration names.
    Rules,
}

impl WafRule {
    /// All rules.
    pub const ALL: [Self; 18] = [
        Self::Sqli,
        Self::Xss,
        Self::PercentEncoding,
        Self::Utf8,
        Self::ControlCharacter,
        Self::ParameterCount,
        Self::ValueLength,
        Self::BodySize,
        Self::BodyEncoding,
        Self::BodySyntax,
        Self::Lfi,
        Self::Rfi,
        Self::Command,
        Self::Php,
        Self::Java,
        Self::Scanner,
        Self::Protocol,
        Self::Rules,
    ];

    /// Its id, in the configuration, the access log and the metrics.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Sqli => "sqli",
            Self::Xss => "xss",
            Self::PercentEncoding => "percent-encoding",
            Self::Utf8 => "utf8",
            Self::ControlCharacter => "control-character",
            Self::ParameterCount => "parameter-count",
            Self::ValueLength => "value-length",
            Self::BodySize => "body-size",
            Self::BodyEncoding => "body-encoding",
            Self::BodySyntax => "body-syntax",
            Self::Lfi => "lfi",
            Self::Rfi => "rfi",
            Self::Command => "command",
            Self::Php => "php",
            Self::Java => "java",
            Self::Scanner => "scanner",
            Self::Protocol => "protocol",
            Self::Rules => "rules",
        }
    }
}
