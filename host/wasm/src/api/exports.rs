//! Which interfaces a component exports: its kinds, and the way to them in each of its instances.

use wasmtime::Engine;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

use super::bindings::exports::gatewright::plugin::{
    authorizer, body_filter, integration, lifecycle, request_transform, response_transform,
};
use super::standard::{self, Standard};
use crate::kind::{Kinds, PluginKind};
use crate::state::CallState;

/// The plugin interface, with the version that is served.
pub(crate) const INTERFACE: &str = "gatewright:plugin@0.1.0";
/// The package of the plugin interface.
const PACKAGE: &str = "gatewright:plugin";
/// Versions with this beginning are understood: patch releases add nothing that a plugin must have.
const TRACK: &str = "0.1.";
/// The interface every plugin exports.
const LIFECYCLE: &str = "lifecycle";
/// Its full name; other patch releases are found by it too.
const LIFECYCLE_EXPORT: &str = "gatewright:plugin/lifecycle@0.1.0";

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

/// Where the functions of a component are, by number instead of by name.
pub(crate) struct Exports {
    /// None in a component that knows nothing of Gatewright.
    pub(super) lifecycle: Option<lifecycle::GuestIndices>,
    /// Apart from `lifecycle`, which looks up `describe` as well: this one is called in every fresh instance.
    pub(super) configure: Option<ComponentExportIndex>,
    /// What it exports instead.
    pub(super) standard: Option<Standard>,
    pub(super) authorizer: Option<authorizer::GuestIndices>,
    pub(super) request_transform: Option<request_transform::GuestIndices>,
    pub(super) response_transform: Option<response_transform::GuestIndices>,
    pub(super) body_filter: Option<body_filter::GuestIndices>,
    pub(super) integration: Option<integration::GuestIndices>,
}

impl Exports {
    /// Checks the functions' types.
    pub(crate) fn find(component: &InstancePre<CallState>, kinds: Kinds) -> wasmtime::Result<Self> {
        let compiled = component.component();
        if !exports_lifecycle(compiled)
            && let Some(standard) = Standard::of(component)?
        {
            return Ok(Self::of_standard(standard));
        }
        let has = |kind| kinds.has(kind);
        let configure = compiled
            .get_export_index(None, LIFECYCLE_EXPORT)
            .and_then(|lifecycle| compiled.get_export_index(Some(&lifecycle), "configure"));
        Ok(Self {
            configure: Some(configure.ok_or_else(|| wasmtime::Error::msg("`lifecycle` has no `configure`"))?),
            lifecycle: Some(lifecycle::GuestIndices::new(component)?),
            standard: None,
            authorizer: has(PluginKind::Authorizer)
                .then(|| authorizer::GuestIndices::new(component))
                .transpose()?,
            request_transform: has(PluginKind::RequestTransform)
                .then(|| request_transform::GuestIndices::new(component))
                .transpose()?,
            response_transform: has(PluginKind::ResponseTransform)
                .then(|| response_transform::GuestIndices::new(component))
                .transpose()?,
            body_filter: has(PluginKind::BodyFilter)
                .then(|| body_filter::GuestIndices::new(component))
                .transpose()?,
            integration: has(PluginKind::Integration)
                .then(|| integration::GuestIndices::new(component))
                .transpose()?,
        })
    }
}

impl Exports {
    fn of_standard(standard: Standard) -> Self {
        Self {
            lifecycle: None,
            configure: None,
            standard: Some(standard),
            authorizer: None,
            request_transform: None,
            response_transform: None,
            body_filter: None,
            integration: None,
        }
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

/// The functions of one instance, each interface looked up when it is first called.
#[derive(Default)]
pub(crate) struct Guests {
    pub(super) authorizer: Option<authorizer::Guest>,
    pub(super) request_transform: Option<request_transform::Guest>,
    pub(super) response_transform: Option<response_transform::Guest>,
    pub(super) body_filter: Option<body_filter::Guest>,
    pub(super) integration: Option<integration::Guest>,
}

/// The functions of one interface of this instance.
macro_rules! guest {
    ($instance:ident, $interface:ident) => {{
        if $instance.guests.$interface.is_none() {
            let exports = $instance.exports.$interface.as_ref();
            let exports = exports.ok_or_else(|| wasmtime::Error::msg("the plugin has no such interface"))?;
            $instance.guests.$interface = Some(exports.load(&mut $instance.store, &$instance.raw)?);
        }
        let guest = $instance.guests.$interface.as_ref();
        guest.ok_or_else(|| wasmtime::Error::msg("the plugin has no such interface"))?
    }};
}
pub(super) use guest;
