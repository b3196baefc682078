//! What a plugin is, for `/plugins` and `gatewright plugin inspect`.

use std::path::PathBuf;

use serde::Serialize;
use wasmtime::component;

use crate::PluginFile;
use crate::api::{Description, Selection};
use crate::bodies::BodyRules;
use crate::component::services;
use crate::kind::{Kinds, PluginKind};
use crate::loading::Compiled;

/// Facts about a plugin.
#[derive(Clone, Debug, Serialize)]
pub struct PluginSummary {
    /// Its name in the configuration.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
    /// The name it gives itself.
    pub declared_name: String,
    /// The version it gives itself.
    pub version: String,
    /// What it says it does.
    pub description: String,
    /// SHA-256 of the file, hexadecimal.
    pub digest: String,
    /// Who signed the file; none when that was not asked.
    pub publisher: Option<String>,
    /// Bytes of the file.
    pub file_bytes: usize,
    /// What it can be used as.
    pub kinds: Vec<PluginKind>,
    /// The standard interface that it exports instead of Gatewright's. Bodies stream through it.
    pub standard: Option<String>,
    /// What it reads of requests and responses.
    pub needs: NeedsSummary,
    /// The services it says it uses.
    pub services: Vec<&'static str>,
    /// The services it imports, used or not.
    pub imports: Vec<String>,
    /// Whether it allows that an instance serves more than one call.
    pub reusable: bool,
    /// The JSON Schema of its configuration.
    pub config_schema: Option<serde_json::Value>,
    /// How long its compilation took; none when its code came from the store.
    pub compile_ms: Option<u64>,
    /// Bytes of its code.
    pub compiled_bytes: usize,
}

/// What a plugin reads of requests and responses.
#[derive(Clone, Debug, Serialize)]
pub struct NeedsSummary {
    /// What else of the exchange, by the names of `part` in the interface.
    pub parts: Vec<&'static str>,
    /// Names of header fields, or `all`.
    pub request_fields: FieldsSummary,
    /// Names of header fields, or `all`.
    pub response_fields: FieldsSummary,
    /// The whole request body.
    pub request_body: bool,
    /// The whole response body.
    pub response_body: bool,
    /// The request body chunk by chunk, through its filter.
    pub request_chunks: bool,
    /// The response body chunk by chunk, through its filter.
    pub response_chunks: bool,
    /// Which bodies of those, and in which state.
    pub bodies: BodyRules,
}

/// Which header fields a plugin reads.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldsSummary {
    /// These.
    Named(Vec<String>),
    /// Whatever is there.
    All,
}

impl From<&Selection> for FieldsSummary {
    fn from(selection: &Selection) -> Self {
        match selection {
            Selection::None => Self::Named(Vec::new()),
            Selection::Named(names) => Self::Named(names.iter().map(|name| name.as_str().to_owned()).collect()),
            Selection::All => Self::All,
        }
    }
}

impl PluginSummary {
    pub(crate) fn of(
        file: &PluginFile,
        description: &Description,
        compiled: &Compiled,
        kinds: Kinds,
        standard: Option<String>,
        bodies: BodyRules,
    ) -> Self {
        let needs = &description.needs;
        Self {
            name: file.name.clone(),
            file: file.file.clone(),
            declared_name: description.name.clone(),
            version: description.version.clone(),
            description: description.description.clone(),
            digest: compiled.digest.to_string(),
            publisher: compiled.publisher.clone(),
            file_bytes: compiled.file_bytes,
            kinds: kinds.iter().collect(),
            standard,
            needs: NeedsSummary {
                parts: needs.parts.iter().map(|(_, name)| name).collect(),
                request_fields: (&needs.request_fields).into(),
                response_fields: (&needs.response_fields).into(),
                request_body: needs.request_body,
                response_body: needs.response_body,
                request_chunks: needs.request_chunks,
                response_chunks: needs.response_chunks,
                bodies,
            },
            services: description.services.clone(),
            imports: services(&compiled.component),
            reusable: description.reusable,
            config_schema: description.schema.clone(),
            compile_ms: compiled
                .time
                .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            compiled_bytes: code_bytes(&compiled.component),
        }
    }
}

fn code_bytes(component: &component::Component) -> usize {
    let range = component.image_range();
    range.end.addr().saturating_sub(range.start.addr())
}
