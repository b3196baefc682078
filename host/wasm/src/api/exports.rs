//! Which interfaces a component exports: its kinds, and the way to their functions.

use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre};

use super::function::Function;
use super::standard::{self, Standard};
use super::{authorizer, body_filter, integration, lifecycle, request_transform, response_transform};
use crate::kind::{Kinds, PluginKind};
use crate::state::CallState;

/// The plugin interface, with the version that is served.
pub(crate) const INTERFACE: &str = "gatewright:plugin@0.1.0";
/// The package of the plugin interface.
pub(super) const PACKAGE: &str = "gatewright:plugin";
/// The version by which its interfaces are looked up; other patch releases are found by it too.
pub(super) const SERVED: &str = "0.1.0";
/// Versions with this beginning are understood: patch releases add nothing that a plugin must have.
const TRACK: &str = "0.1.";
/// The interface every plugin exports.
const LIFECYCLE: &str = "lifecycle";

/// What a plugin must export, for messages.
const INTERFACES: &str = "`gatewright:plugin/lifecycle@0.1.0` and at least one of `authorizer`, \
    `request-transform`, `response-transform`, `body-filter`, `integration`; or `wasi:http/handler@0.3`, or `wasi:http/incoming-handler@0.2`";

/// Why a component is no plugin.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// It exports nothing of the interface, or half of it.
    NotAPlugin(String),
    /// It exports or imports another version.
    WrongVersion { found: String, expected: String },
    /// It exports what this version cannot run yet.
    Unsupported(String),
}

/// Finds out what a component is from the names of what it exports and imports.
pub(crate) fn kinds(engine: &Engine, component: &Component) -> Result<Kinds, Unfit> {
    let component = component.component_type();
    let exports: Vec<_> = component.exports(engine).map(|(name, _)| name.to_owned()).collect();
    let imports: Vec<_> = component.imports(engine).map(|(name, _)| name.to_owned()).collect();
    if let Some(unfit) = exports.iter().chain(&imports).find_map(|name| wrong_version(name)) {
        return Err(unfit);
    }
    let lifecycle = exports.iter().any(|name| is(name, LIFECYCLE));
    if !lifecycle {
        match standard::find(&exports) {
            Some(Ok(_)) => return Ok(Kinds::from_iter([PluginKind::Integration])),
            Some(Err(name)) => return Err(Unfit::Unsupported(format!("`{name}`"))),
            None => {}
        }
    }
    let kinds: Kinds = PluginKind::ALL
        .into_iter()
        .filter(|kind| exports.iter().any(|name| is(name, kind.as_str())))
        .collect();
    if lifecycle && kinds.iter().next().is_some() {
        return Ok(kinds);
    }
    let exported = if exports.is_empty() {
        "nothing".to_owned()
    } else {
        exports.join(", ")
    };
    Err(Unfit::NotAPlugin(format!(
        "a plugin exports {INTERFACES}; this component exports {exported}"
    )))
}

fn interface(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(PACKAGE)?.strip_prefix('/')?.split_once('@')
}

fn is(name: &str, wanted: &str) -> bool {
    interface(name).is_some_and(|(interface, version)| interface == wanted && version.starts_with(TRACK))
}

fn wrong_version(name: &str) -> Option<Unfit> {
    let (interface, version) = interface(name)?;
    (!version.starts_with(TRACK)).then(|| Unfit::WrongVersion {
        found: name.to_owned(),
        expected: format!("{PACKAGE}/{interface}@{TRACK}x"),
    })
}

/// The functions of a component that are called.
#[derive(Default)]
pub(crate) struct Exports {
    /// None in a component that knows nothing of Gatewright.
    pub(super) lifecycle: Option<lifecycle::Functions>,
    /// What it exports instead.
    pub(super) standard: Option<Standard>,
    pub(super) authorizer: Option<authorizer::Function>,
    pub(super) request_transform: Option<request_transform::Function>,
    pub(super) response_transform: Option<response_transform::Function>,
    pub(super) body_filter: Option<body_filter::Functions>,
    pub(super) integration: Option<integration::Function>,
}

impl Exports {
    /// Finds them and checks their types.
    pub(crate) fn find(component: &InstancePre<CallState>, kinds: Kinds) -> wasmtime::Result<Self> {
        if !exports_lifecycle(component.component())
            && let Some(standard) = Standard::of(component)?
        {
            return Ok(Self {
                standard: Some(standard),
                ..Self::default()
            });
        }
        let has = |kind| kinds.has(kind);
        Ok(Self {
            lifecycle: Some(lifecycle::Functions::find(component)?),
            standard: None,
            authorizer: has(PluginKind::Authorizer)
                .then(|| Function::find(component, "authorizer", "authorize"))
                .transpose()?,
            request_transform: has(PluginKind::RequestTransform)
                .then(|| Function::find(component, "request-transform", "transform-request"))
                .transpose()?,
            response_transform: has(PluginKind::ResponseTransform)
                .then(|| Function::find(component, "response-transform", "transform-response"))
                .transpose()?,
            body_filter: has(PluginKind::BodyFilter)
                .then(|| body_filter::Functions::find(component))
                .transpose()?,
            integration: has(PluginKind::Integration)
                .then(|| Function::find(component, "integration", "handle"))
                .transpose()?,
        })
    }

    /// The interface of a component that knows nothing of Gatewright.
    pub(crate) fn standard(&self) -> Option<&str> {
        self.standard.as_ref().map(Standard::name)
    }
}

fn exports_lifecycle(component: &Component) -> bool {
    let engine = component.engine();
    let component = component.component_type();
    component.exports(engine).any(|(name, _)| is(name, LIFECYCLE))
}
