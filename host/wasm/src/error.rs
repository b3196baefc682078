//! Why a plugin cannot be used: said once, when it is loaded or configured, with what to do about it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use gatewright_config::ByteSize;
use gatewright_config::units::format_duration;

/// What a [`PluginError`] is about: the name the configuration uses, and the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginFile {
    /// The plugin's name in the configuration.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
}

impl fmt::Display for PluginFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin `{}` ({})", self.name, self.file.display())
    }
}

/// Something that is wrong with a plugin, its file, or the configuration it was given.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The engine does not start on this machine.
    #[error("cannot start the WebAssembly engine: {0}")]
    Engine(String),
    /// The compiled-code store must not be used as it is.
    #[error("cannot use the compiled-code store {}: {reason}", .path.display())]
    Store {
        /// Its directory.
        path: PathBuf,
        /// Why not, and what to do.
        reason: String,
    },
    /// The file cannot be read.
    #[error("cannot read {plugin}: {reason}")]
    Unreadable {
        /// Which plugin.
        plugin: PluginFile,
        /// What the system says.
        reason: String,
    },
    /// The file is larger than `plugins.file_bytes`.
    #[error(
        "cannot load {plugin}: the file is larger than {limit} bytes; raise `file_bytes` under `[plugins]` if it is meant to be"
    )]
    TooLarge {
        /// Which plugin.
        plugin: PluginFile,
        /// The limit in bytes.
        limit: u64,
    },
    /// It is not signed as it must be.
    #[error("cannot trust {plugin}: {reason}")]
    Signature {
        /// Which plugin.
        plugin: PluginFile,
        /// Why not, and what to do.
        reason: String,
    },
    /// The file is empty, or ends in the middle; it may still be being copied.
    #[error("cannot load {plugin}: {reason}")]
    Truncated {
        /// Which plugin.
        plugin: PluginFile,
        /// Where it ends.
        reason: String,
    },
    /// The file is something else.
    #[error("cannot load {plugin}: it is not WebAssembly but {what}")]
    NotWasm {
        /// Which plugin.
        plugin: PluginFile,
        /// What it looks like.
        what: String,
    },
    /// A core module that cannot be made into a component.
    #[error(
        "cannot make a component of {plugin}: {reason}; build it with wit-bindgen for `wasm32-unknown-unknown`, or as a component"
    )]
    NotAComponent {
        /// Which plugin.
        plugin: PluginFile,
        /// What the encoder says.
        reason: String,
    },
    /// WebAssembly that is no plugin.
    #[error("cannot use {plugin}: {reason}")]
    NotAPlugin {
        /// Which plugin.
        plugin: PluginFile,
        /// What is missing, and what it exports instead.
        reason: String,
    },
    /// Built against another version of the plugin interface.
    #[error(
        "cannot use {plugin}: it was built for `{found}`, this gateway speaks `{expected}`; build it again with the interface that `gatewright plugin new` of this gateway writes"
    )]
    WrongVersion {
        /// Which plugin.
        plugin: PluginFile,
        /// What it has.
        found: String,
        /// What it should have.
        expected: String,
    },
    /// It wants something of the host that the host does not have.
    #[error("cannot link {plugin}: {reason}")]
    UnmetImport {
        /// Which plugin.
        plugin: PluginFile,
        /// Which import, and why not.
        reason: String,
    },
    /// A kind of plugin that this version does not run yet.
    #[error("cannot use {plugin}: it exports {what}, which comes with the plugin platform of a later version")]
    Unsupported {
        /// Which plugin.
        plugin: PluginFile,
        /// What it exports or asks for.
        what: String,
    },
    /// It cannot be compiled.
    #[error("cannot compile {plugin}: {reason}")]
    Compile {
        /// Which plugin.
        plugin: PluginFile,
        /// What the compiler says.
        reason: String,
    },
    /// Compiling it takes longer than `plugins.compile_time`.
    #[error(
        "cannot compile {plugin}: it takes longer than {}; raise `compile_time` under `[plugins]` if it is meant to",
        format_duration(*.limit)
    )]
    CompileTime {
        /// Which plugin.
        plugin: PluginFile,
        /// The limit.
        limit: Duration,
    },
    /// Compiling it takes more memory than `plugins.compile_memory`.
    #[error(
        "cannot compile {plugin}: it takes more than {limit} of memory; raise `compile_memory` under `[plugins]` if it is meant to"
    )]
    CompileMemory {
        /// Which plugin.
        plugin: PluginFile,
        /// The limit.
        limit: ByteSize,
    },
    /// It needs more of something than the instance pool or its own limits have.
    #[error("cannot use {plugin}: {reason}")]
    Resources {
        /// Which plugin.
        plugin: PluginFile,
        /// More of what, and what to change.
        reason: String,
    },
    /// `describe` failed.
    #[error("cannot describe {plugin}: {reason}")]
    Describe {
        /// Which plugin.
        plugin: PluginFile,
        /// Trap or fault, with the guest's backtrace where there is one.
        reason: String,
    },
    /// `describe` or `configure` did not end in time.
    #[error("cannot load {plugin}: `{function}` did not end within {}", format_duration(*.limit))]
    Slow {
        /// Which plugin.
        plugin: PluginFile,
        /// Which function.
        function: &'static str,
        /// Its time.
        limit: Duration,
    },
    /// What it says about itself makes no sense.
    #[error("cannot use {plugin}: its description is wrong: {reason}")]
    Description {
        /// Which plugin.
        plugin: PluginFile,
        /// What is wrong.
        reason: String,
    },
    /// Its configuration schema is not a JSON Schema.
    #[error("cannot use {plugin}: its `config-schema` is not a JSON Schema: {reason}")]
    Schema {
        /// Which plugin.
        plugin: PluginFile,
        /// What is wrong.
        reason: String,
    },
    /// It does not accept the configuration of a route.
    #[error("cannot configure {plugin}: {}", Listed(.errors))]
    Config {
        /// Which plugin.
        plugin: PluginFile,
        /// Everything that is wrong with the configuration.
        errors: Vec<ConfigFault>,
    },
    /// `configure` failed.
    #[error("cannot configure {plugin}: {reason}")]
    Configure {
        /// Which plugin.
        plugin: PluginFile,
        /// Trap or fault, with the guest's backtrace where there is one.
        reason: String,
    },
    /// The route wants something of the plugin that does not fit what the plugin is.
    #[error("cannot use {plugin} here: {reason}")]
    Use {
        /// Which plugin.
        plugin: PluginFile,
        /// What does not fit, and what to change.
        reason: String,
    },
}

/// One thing that is wrong with a plugin's configuration.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ConfigFault {
    /// JSON pointer into the `config` table; empty for the whole of it.
    pub at: String,
    /// What is wrong, in the plugin's or its schema's words.
    pub message: String,
}

struct Listed<'a>(&'a [ConfigFault]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at.as_str() {
            "" => f.write_str(&self.message),
            at => write!(f, "`config{at}`: {}", self.message),
        }
    }
}
