//! Why there is no code: small enough to be sent by a child, and made into a [`PluginError`] by who knows the plugin.

use std::io;

use serde::{Deserialize, Serialize};

use super::CompileLimits;
use crate::api::INTERFACE;
use crate::{PluginError, PluginFile};

/// The longest reason that a child sends.
const REASON_BYTES: usize = 16 << 10;

/// Why a file is not compiled.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Refusal {
    /// It ends in the middle.
    Truncated(String),
    /// It is something else.
    NotWasm(String),
    /// It was made for another program.
    Foreign(String),
    /// A module that cannot be made into a component.
    NotAComponent(String),
    /// It is invalid, or the compiler broke down.
    Compile(String),
    /// It took more memory than it may.
    Memory,
    /// It took longer than it may.
    Time,
}

impl Refusal {
    pub(super) fn of(error: &wasmtime::Error) -> Self {
        if error.is::<wasmtime::OutOfMemory>() {
            return Self::Memory;
        }
        let reason = format!("{error:#}");
        if reason.contains("unexpected end") {
            return Self::truncated("the file ends in the middle");
        }
        Self::Compile(reason)
    }

    pub(super) fn truncated(reason: &str) -> Self {
        Self::Truncated(format!("{reason}; is it still being copied?"))
    }

    /// A module of the interface that Envoy and others have.
    pub(super) fn proxy_wasm(version: &str) -> Self {
        let version = crate::text::escaped(&version.replace('_', "."), 16);
        Self::Foreign(format!(
            "it is a proxy-wasm module (ABI {version}), made for Envoy and others; this gateway runs plugins for `{INTERFACE}` and \
             components for `wasi:http`, and `gatewright plugin new` starts one"
        ))
    }

    /// What a panicking compiler said.
    pub(super) fn panicked(message: &str) -> Self {
        // The words of the compiler's arenas. Everything else aborts when there is no memory.
        if message == "out of memory" {
            return Self::Memory;
        }
        Self::Compile(format!("the compiler broke down: {message}"))
    }

    /// A reason may be as long as what a file has for a name.
    pub(super) fn shortened(mut self) -> Self {
        if let Self::Truncated(text)
        | Self::NotWasm(text)
        | Self::Foreign(text)
        | Self::NotAComponent(text)
        | Self::Compile(text) = &mut self
        {
            text.truncate(text.floor_char_boundary(REASON_BYTES));
        }
        self
    }

    /// The error of the plugin that it is about.
    pub(crate) fn of_plugin(self, plugin: &PluginFile, limits: &CompileLimits) -> PluginError {
        let plugin = plugin.clone();
        match self {
            Self::Truncated(reason) => PluginError::Truncated { plugin, reason },
            Self::NotWasm(what) => PluginError::NotWasm { plugin, what },
            Self::Foreign(reason) => PluginError::NotAPlugin { plugin, reason },
            Self::NotAComponent(reason) => PluginError::NotAComponent { plugin, reason },
            Self::Compile(reason) => PluginError::Compile { plugin, reason },
            Self::Memory => PluginError::CompileMemory {
                plugin,
                limit: limits.memory,
            },
            Self::Time => PluginError::CompileTime {
                plugin,
                limit: limits.time,
            },
        }
    }
}

/// The system does not give what compiling needs.
impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Compile(error.to_string())
    }
}
