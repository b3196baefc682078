//! What a plugin says about itself when its file appears in the plugin folder.

use std::fmt;

/// Name, needs and configuration schema of a plugin. [`info!`](crate::info!) fills in name, version and
/// description from the plugin's `Cargo.toml`.
///
/// ```
/// use gatewright_sdk::{BodyMode, FieldSelection, Info};
/// let info = Info::new("mask", "1.0.0")
///     .description("Masks fields of JSON bodies")
///     .response_fields(["content-type"])
///     .response_body(BodyMode::Buffered);
/// assert_eq!(info.request_fields, FieldSelection::None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// For people; the configuration names a plugin by its file.
    pub name: String,
    /// Preferably semantic: `1.4.0`.
    pub version: String,
    /// One or a few sentences.
    pub description: String,
    /// JSON Schema (draft 2020-12) of the `config` table; none accepts what `configure` accepts.
    pub config_schema: Option<String>,
    /// What the hooks read besides headers and bodies. Default: nothing.
    pub parts: Vec<Part>,
    /// Request headers the hooks read. Default: none.
    pub request_fields: FieldSelection,
    /// Response headers the hooks read. Default: none.
    pub response_fields: FieldSelection,
    /// How the hooks see a request body. Default: not at all.
    pub request_body: BodyMode,
    /// How the hooks see a response body. Default: not at all.
    pub response_body: BodyMode,
    /// Services the plugin means to use, for the operator to read. Declaring one grants nothing.
    pub services: Vec<Service>,
    /// How instances may be used. Default: a new one for every call.
    pub reuse: Reuse,
}

impl Info {
    /// A plugin that needs nothing.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            description: String::new(),
            config_schema: None,
            parts: Vec::new(),
            request_fields: FieldSelection::None,
            response_fields: FieldSelection::None,
            request_body: BodyMode::None,
            response_body: BodyMode::None,
            services: Vec::new(),
            reuse: Reuse::Fresh,
        }
    }

    /// Sets the description.
    #[must_use]
    pub fn description(self, description: impl Into<String>) -> Self {
        Self {
            description: description.into(),
            ..self
        }
    }

    /// Sets the JSON Schema of the `config` table, usually `include_str!("config.schema.json")`.
    #[must_use]
    pub fn config_schema(self, schema: impl Into<String>) -> Self {
        Self {
            config_schema: Some(schema.into()),
            ..self
        }
    }

    /// Asks for what the hooks read besides headers and bodies.
    #[must_use]
    pub fn parts(self, parts: impl Into<Vec<Part>>) -> Self {
        Self {
            parts: parts.into(),
            ..self
        }
    }

    /// Asks for request headers by name, or for `FieldSelection::All`.
    #[must_use]
    pub fn request_fields(self, fields: impl Into<FieldSelection>) -> Self {
        Self {
            request_fields: fields.into(),
            ..self
        }
    }

    /// Asks for response headers by name, or for `FieldSelection::All`.
    #[must_use]
    pub fn response_fields(self, fields: impl Into<FieldSelection>) -> Self {
        Self {
            response_fields: fields.into(),
            ..self
        }
    }

    /// Says how the hooks see a request body.
    #[must_use]
    pub fn request_body(self, request_body: BodyMode) -> Self {
        Self { request_body, ..self }
    }

    /// Says how the hooks see a response body.
    #[must_use]
    pub fn response_body(self, response_body: BodyMode) -> Self {
        Self { response_body, ..self }
    }

    /// Names a service the plugin means to use.
    #[must_use]
    pub fn service(mut self, service: Service) -> Self {
        self.services.push(service);
        self
    }

    /// Says how instances may be used.
    #[must_use]
    pub fn reuse(self, reuse: Reuse) -> Self {
        Self { reuse, ..self }
    }
}

/// What of an exchange, besides header fields and bodies, is copied into the plugin. Copying costs time for every part,
/// so ask for few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `RequestHead::method`
    Method,
    /// `RequestHead::authority`
    Authority,
    /// `RequestHead::path`
    Path,
    /// `RequestHead::query`
    Query,
    /// `RequestHead::parameters`
    Parameters,
    /// `Exchange::route`
    Route,
    /// `Exchange::peer`
    Peer,
    /// `Peer::certificate`; comes with `Part::Peer`.
    Certificate,
    /// `Exchange::attributes`
    Attributes,
    /// `Exchange::trace_parent`
    TraceParent,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Method,
        Self::Authority,
        Self::Path,
        Self::Query,
        Self::Parameters,
        Self::Route,
        Self::Peer,
        Self::Certificate,
        Self::Attributes,
        Self::TraceParent,
    ];
}

/// Which header fields are copied into the plugin. Copying costs time for every field, so ask for few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldSelection {
    /// None of them.
    None,
    /// These, in any case; at most 64.
    Named(Vec<String>),
    /// All of them.
    All,
}

impl FieldSelection {
    /// Whether a field of this name is selected.
    pub fn selects(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::Named(names) => names.iter().any(|known| known.eq_ignore_ascii_case(name)),
            Self::All => true,
        }
    }
}

impl<const N: usize> From<[&str; N]> for FieldSelection {
    fn from(names: [&str; N]) -> Self {
        Self::Named(names.into_iter().map(str::to_owned).collect())
    }
}

/// How a hook sees a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyMode {
    /// Not at all; the gateway streams it past the plugin.
    #[default]
    None,
    /// Whole, up to the route's limit.
    Buffered,
    /// Chunk by chunk, through the plugin's [`BodyFilter`](crate::BodyFilter); its other hooks do not see it.
    Chunks,
}

/// A service of the gateway that has to be granted or is worth mentioning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Service {
    /// `gatewright_sdk::kv`
    Kv,
    /// `gatewright_sdk::cache`
    Cache,
    /// `gatewright_sdk::counters`
    Counters,
    /// `gatewright_sdk::secrets`
    Secrets,
    /// `gatewright_sdk::http`
    Http,
    /// `gatewright_sdk::metrics`
    Metrics,
    /// `gatewright_sdk::clock`
    Clock,
    /// `gatewright_sdk::random`
    Random,
}

impl Service {
    /// As the plugin interface calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kv => "kv",
            Self::Cache => "cache",
            Self::Counters => "counters",
            Self::Secrets => "secrets",
            Self::Http => "http-client",
            Self::Metrics => "metrics",
            Self::Clock => "clock",
            Self::Random => "random",
        }
    }
}

/// How instances may be used. The operator may ask for less sharing, never for more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reuse {
    /// A new instance for every call: nothing can leak from one request to the next.
    #[default]
    Fresh,
    /// One call at a time, many calls per instance.
    Serial,
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// JSON pointer into the configuration: `/limits/0/rate`; empty for the whole of it.
    pub at: String,
    /// A lowercase fragment that fits after "cannot use …: ".
    pub message: String,
}

impl ConfigError {
    /// An error at a JSON pointer.
    pub fn new(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at.as_str() {
            "" => f.write_str(&self.message),
            at => write!(f, "{at}: {}", self.message),
        }
    }
}
