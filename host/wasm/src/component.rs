//! From compiled code to a component that can be instantiated: its kinds, its imports, what it takes of the pool.

use std::sync::Arc;

use wasmtime::component;

use crate::api::{self, Exports, Unfit};
use crate::instance::Component;
use crate::kind::Kinds;
use crate::limits::Limits;
use crate::machine::Machine;
use crate::{PluginError, PluginFile};

/// A component's services, without those that every program built with a standard library imports.
const PACKAGE: &str = "gatewright:plugin/";
/// Initial sizes are told in pages.
const PAGE_BYTES: u64 = 64 << 10;
/// Types only; nothing is used by importing it.
const TYPES: &str = "gatewright:plugin/types@";

/// Checks and links a compiled component.
///
/// # Errors
/// When it is no plugin, or wants what the host does not have.
pub(crate) fn link(
    plugin: &PluginFile,
    compiled: &component::Component,
    limits: &Limits,
    machine: &Machine,
) -> Result<(Component, Kinds), PluginError> {
    let kinds = api::kinds(&machine.engine, compiled).map_err(|unfit| self::unfit(plugin, unfit))?;
    if let Some(needed) = compiled.resources_required() {
        fits(
            plugin,
            needed.max_initial_memory_size.unwrap_or(0).saturating_mul(PAGE_BYTES),
            limits,
        )?;
    }
    let linked = machine
        .linker
        .instantiate_pre(compiled)
        .map_err(|error| PluginError::UnmetImport {
            plugin: plugin.clone(),
            reason: unmet(compiled, format!("{error:#}")),
        })?;
    let exports = Exports::find(&linked, kinds).map_err(|error| PluginError::NotAPlugin {
        plugin: plugin.clone(),
        reason: format!("it exports functions of another shape than the plugin interface: {error:#}"),
    })?;
    let component = Component {
        linked,
        exports: Arc::new(exports),
        places: machine.places.clone(),
    };
    Ok((component, kinds))
}

/// The services it imports, by name.
pub(crate) fn services(compiled: &component::Component) -> Vec<String> {
    let engine = compiled.engine();
    let names = compiled.component_type();
    let names = names.imports(engine).map(|(name, _)| name.to_owned());
    names
        .filter(|name| !name.starts_with(TYPES))
        .map(|name| short(&name).to_owned())
        .collect()
}

/// Why an import is not met. What is missing in the plugin interface itself was added to it later.
fn unmet(compiled: &component::Component, reason: String) -> String {
    let names = compiled.component_type();
    let mut names = names.imports(compiled.engine()).map(|(name, _)| name);
    match names.any(|name| name.starts_with(PACKAGE) && reason.contains(name)) {
        true => format!(
            "{reason}; this gateway speaks `{}`, and the plugin was built for a later one: use a newer gateway, or build it for \
             this one",
            api::INTERFACE
        ),
        false => reason,
    }
}

fn short(name: &str) -> &str {
    name.strip_prefix(PACKAGE)
        .map_or(name, |name| name.split_once('@').map_or(name, |(name, _)| name))
}

fn fits(plugin: &PluginFile, initial: u64, limits: &Limits) -> Result<(), PluginError> {
    if initial > limits.memory_bytes as u64 {
        return Err(PluginError::Resources {
            plugin: plugin.clone(),
            reason: format!(
                "it starts with {initial} bytes of memory and may have {}; raise `memory` of the plugin",
                limits.memory_bytes
            ),
        });
    }
    Ok(())
}

fn unfit(plugin: &PluginFile, unfit: Unfit) -> PluginError {
    let plugin = plugin.clone();
    match unfit {
        Unfit::NotAPlugin(reason) => PluginError::NotAPlugin { plugin, reason },
        Unfit::WrongVersion { found, expected } => PluginError::WrongVersion {
            plugin,
            found,
            expected,
        },
        Unfit::Unsupported(what) => PluginError::Unsupported { plugin, what },
    }
}
