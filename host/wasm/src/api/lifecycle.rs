//! What a plugin says about itself, and its configuration.

use http::HeaderName;
use serde_json::Value;
use wasmtime::component::InstancePre;

use super::bindings::exports::gatewright::plugin::lifecycle::{
    BodyMode, ConfigError, FieldSelection, PluginInfo, Reuse,
};
use super::function::Function;
use super::parts::{Part, Parts};
use super::services;
use crate::ConfigFault;
use crate::instance::Instance;
use crate::state::CallState;

const NAME_BYTES: usize = 64;
const DESCRIPTION_BYTES: usize = 4 << 10;
const SCHEMA_BYTES: usize = 256 << 10;
const NAMED_FIELDS: usize = 64;
const CONFIG_FAULTS: usize = 50;
const CONFIG_FAULT_BYTES: usize = 1 << 10;

/// `describe` and `configure`.
pub(super) struct Functions {
    describe: Function<(), (PluginInfo,)>,
    configure: Function<(&'static str,), (Result<(), Vec<ConfigError>>,)>,
}

impl Functions {
    pub(super) fn find(component: &InstancePre<CallState>) -> wasmtime::Result<Self> {
        Ok(Self {
            describe: Function::find(component, "lifecycle", "describe")?,
            configure: Function::find(component, "lifecycle", "configure")?,
        })
    }
}

/// A checked description.
#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: String,
    pub(crate) schema: Option<Value>,
    pub(crate) needs: Needs,
    pub(crate) services: Vec<&'static str>,
    /// Whether an instance may serve more than one call.
    pub(crate) reusable: bool,
}

/// What hooks read of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) parts: Parts,
    pub(crate) request_fields: Selection,
    pub(crate) response_fields: Selection,
    pub(crate) request_body: bool,
    pub(crate) response_body: bool,
    /// Bodies of requests go through its filter.
    pub(crate) request_chunks: bool,
    /// Bodies of responses do.
    pub(crate) response_chunks: bool,
}

/// Which header fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    None,
    Named(Vec<HeaderName>),
    All,
}

/// Why a description is refused.
#[derive(Debug)]
pub(crate) enum Wrong {
    /// It breaks a rule.
    Rule(String),
    /// Its schema is not JSON.
    Schema(String),
}

/// Asks a plugin what it is.
pub(crate) async fn describe(instance: &mut Instance) -> wasmtime::Result<Result<Description, Wrong>> {
    if let Some(interface) = instance.exports.standard() {
        return Ok(Ok(standard(interface)));
    }
    let describe = instance.function(|exports| Some(&exports.lifecycle.as_ref()?.describe))?;
    let (info,) = describe
        .call_async(&mut instance.store, ())
        .await
        .map_err(|error| instance.explained(error))?;
    Ok(checked(info))
}

/// Gives an instance its configuration, as JSON.
pub(crate) async fn configure(instance: &mut Instance, config: &str) -> wasmtime::Result<Result<(), Vec<ConfigFault>>> {
    if instance.exports.standard().is_some() {
        return Ok(Ok(()));
    }
    let configure = instance.function(|exports| Some(&exports.lifecycle.as_ref()?.configure))?;
    let errors = match configure
        .call_async(&mut instance.store, (config,))
        .await
        .map_err(|error| instance.explained(error))?
    {
        (Ok(()),) => return Ok(Ok(())),
        (Err(errors),) => errors,
    };
    let text = |text: &str| crate::text::escaped(text, CONFIG_FAULT_BYTES);
    let mut faults: Vec<_> = errors
        .iter()
        .take(CONFIG_FAULTS)
        .map(|error| ConfigFault {
            at: text(&error.at),
            message: text(&error.message),
        })
        .collect();
    if faults.is_empty() {
        faults.push(ConfigFault {
            at: String::new(),
            message: "refused without a reason".to_owned(),
        });
    }
    Ok(Err(faults))
}

/// What is known of a component that cannot say what it is.
fn standard(interface: &str) -> Description {
    Description {
        name: interface.to_owned(),
        version: interface.rsplit('@').next().unwrap_or_default().to_owned(),
        description: "A component for any server; it says nothing of itself.".to_owned(),
        // It has nowhere to get one from.
        // Nor does it say what of it would be secret.
        schema: Some(serde_json::json!({ "type": "object", "maxProperties": 0, "writeOnly": true })),
        needs: Needs {
            parts: [Part::Method, Part::Authority, Part::Path, Part::Query]
                .into_iter()
                .collect(),
            request_fields: Selection::All,
            response_fields: Selection::None,
            request_body: false,
            response_body: false,
            request_chunks: false,
            response_chunks: false,
        },
        services: Vec::new(),
        reusable: false,
    }
}

fn checked(info: PluginInfo) -> Result<Description, Wrong> {
    let PluginInfo {
        name,
        version,
        description,
        config_schema,
        needs,
        services,
        reuse,
    } = info;
    for (what, text) in [("name", &name), ("version", &version)] {
        if !(1..=NAME_BYTES).contains(&text.len()) || text.chars().any(char::is_control) {
            return Err(Wrong::Rule(format!(
                "`{what}` is not one line of 1 to {NAME_BYTES} bytes"
            )));
        }
    }
    if description.len() > DESCRIPTION_BYTES {
        return Err(Wrong::Rule(format!(
            "`description` has more than {DESCRIPTION_BYTES} bytes"
        )));
    }
    Ok(Description {
        name,
        version,
        description,
        schema: config_schema.map(|text| schema(&text)).transpose()?,
        needs: Needs {
            parts: needs.parts.into(),
            request_fields: selection("request-fields", needs.request_fields)?,
            response_fields: selection("response-fields", needs.response_fields)?,
            request_body: needs.request_body == BodyMode::Buffered,
            response_body: needs.response_body == BodyMode::Buffered,
            request_chunks: needs.request_body == BodyMode::Chunks,
            response_chunks: needs.response_body == BodyMode::Chunks,
        },
        services: services::declared(&services).map_err(Wrong::Rule)?,
        reusable: reuse == Reuse::Serial,
    })
}

fn schema(text: &str) -> Result<Value, Wrong> {
    if text.len() > SCHEMA_BYTES {
        return Err(Wrong::Rule(format!(
            "`config-schema` has more than {SCHEMA_BYTES} bytes"
        )));
    }
    serde_json::from_str(text).map_err(|error| Wrong::Schema(error.to_string()))
}

fn selection(what: &str, selection: FieldSelection) -> Result<Selection, Wrong> {
    let names = match selection {
        FieldSelection::None => return Ok(Selection::None),
        FieldSelection::All => return Ok(Selection::All),
        FieldSelection::Named(names) => names,
    };
    if names.len() > NAMED_FIELDS {
        return Err(Wrong::Rule(format!(
            "`{what}` names more than {NAMED_FIELDS} fields; ask for `all`"
        )));
    }
    let mut selected: Vec<HeaderName> = Vec::with_capacity(names.len());
    for name in &names {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Wrong::Rule(format!("`{what}` has a name that no header field can have")))?;
        if !selected.contains(&name) {
            selected.push(name);
        }
    }
    Ok(if selected.is_empty() {
        Selection::None
    } else {
        Selection::Named(selected)
    })
}
