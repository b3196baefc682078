//! From WebAssembly to machine code, in this process or in a child.
//!
//! The compiler is the largest thing that reads what a stranger wrote. In a child it may take only so long and so much
//! memory, and when it breaks down it does so alone; nor does the memory that it took stay with the gateway. Here is
//! what both ways do; [`parent`] starts a child and minds it, [`child`] is what the child does. What comes of either
//! way is [`Code`], which is loaded like code from the store.

mod child;
mod code;
pub(crate) mod header;
mod parent;
mod refusal;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use gatewright_config::ByteSize;
use gatewright_config::file::Plugins;
use wasmtime::{Engine, Module};
use wit_component::ComponentEncoder;

use crate::engine::Concurrency;

pub use child::compile_for_parent;
pub(crate) use code::Code;
pub(crate) use parent::GivenUp;
pub(crate) use refusal::Refusal;

/// The compiler walks deep trees on its stack.
pub(crate) const STACK_BYTES: usize = 16 << 20;

/// Where plugins are compiled.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// In this process, however long it takes and however much memory: for tools and tests.
    InProcess,
    /// In a child process each, within [`CompileLimits`].
    Child {
        /// A program that calls [`compile_for_parent`] and then ends. What it writes is executed.
        program: PathBuf,
        /// What it is started with.
        arguments: Vec<OsString>,
        /// Its environment, all of it.
        environment: Vec<(OsString, OsString)>,
    },
}

/// What compiling one plugin may take.
#[derive(Clone, Copy, Debug)]
pub struct CompileLimits {
    /// Wall time.
    pub time: Duration,
    /// Memory of the child.
    pub memory: ByteSize,
}

/// What the compiler made.
pub(crate) struct Made {
    pub(crate) code: Code,
    /// What it took, without what it takes to start a child.
    pub(crate) time: Duration,
}

impl Default for CompileLimits {
    /// What the configuration's defaults are.
    fn default() -> Self {
        let Plugins {
            compile_time,
            compile_memory,
            ..
        } = Plugins::default();
        Self {
            time: compile_time.0,
            memory: compile_memory,
        }
    }
}

impl Compiler {
    /// Compiles a module or component for that engine, which has such concurrency. Blocks, until `given_up` at the latest where there is a child.
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        concurrency: Concurrency,
        bytes: &[u8],
        limits: &CompileLimits,
        given_up: &mut GivenUp,
    ) -> Result<Made, Refusal> {
        match self {
            Self::InProcess => {
                let (bytes, time) = compile(engine, bytes)?;
                let code = Code::of(&bytes)?;
                Ok(Made { code, time })
            }
            Self::Child {
                program,
                arguments,
                environment,
            } => {
                let mut command = Command::new(program);
                // The gateway's own environment has secrets.
                command
                    .args(arguments)
                    .env_clear()
                    .envs(environment.iter().map(|(name, value)| (name, value)));
                parent::compile(command, concurrency, bytes, limits, given_up)
            }
        }
    }
}

/// Compiles and serializes: what is hostile about a plugin's file ends here.
fn compile(engine: &Engine, bytes: &[u8]) -> Result<(Vec<u8>, Duration), Refusal> {
    let began = Instant::now();
    let encoded = encode(engine, bytes)?;
    let code = engine
        .precompile_component(encoded.as_deref().unwrap_or(bytes))
        .map_err(|error| Refusal::of(&error))?;
    Ok((code, began.elapsed()))
}

/// A core module made with wit-bindgen carries its interface in a custom section: it becomes a component.
fn encode(engine: &Engine, bytes: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
    if !bytes.starts_with(header::MODULE) {
        return Ok(None);
    }
    // The encoder believes the lengths in a file, and panics on one that is cut off.
    Module::validate(engine, bytes).map_err(|error| Refusal::of(&error))?;
    let encoded = ComponentEncoder::default()
        .validate(true)
        .module(bytes)
        .and_then(|mut encoder| encoder.encode());
    encoded
        .map(Some)
        .map_err(|error| Refusal::NotAComponent(plain(&format!("{error:#}"))))
}

/// What the encoder says, without what is only for whoever programs it: `Some("0.1.0")` is `0.1.0`.
fn plain(text: &str) -> String {
    text.replace("Some(\"", "`").replace("\")", "`")
}

#[cfg(test)]
mod tests;
