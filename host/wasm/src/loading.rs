//! From a file to compiled code. Runs on a thread of its own with low priority, one plugin at a time: what the file
//! holds is hostile, and a compiler that is busy with it must cost requests nothing.

use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedMutexGuard, oneshot};
use wasmtime::component::Component;
use wasmtime::{Engine, Module};
use wit_component::ComponentEncoder;

use crate::digest::Digest;
use crate::plugin_host::Shared;
use crate::{PluginError, PluginFile};

/// The compiler walks deep trees on its stack.
const STACK_BYTES: usize = 16 << 20;
/// Added to the thread's niceness.
const NICER: i32 = 10;

/// `\0asm`, then version and layer: 1 and 0 for a module, 13 and 1 for a component.
const MAGIC: &[u8] = b"\0asm";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// A file that has been read.
pub(crate) struct Source {
    pub(crate) digest: Digest,
    bytes: Vec<u8>,
}

/// A file that has been compiled.
pub(crate) struct Compiled {
    pub(crate) component: Component,
    pub(crate) digest: Digest,
    pub(crate) file_bytes: usize,
    /// None when it came from the store.
    pub(crate) time: Option<Duration>,
}

/// Whose turn it is to load.
pub(crate) type Turn = OwnedMutexGuard<()>;

/// Reads the file, up to `limit` bytes.
pub(crate) async fn read(turn: Turn, plugin: PluginFile, limit: u64) -> (Option<Turn>, Result<Source, PluginError>) {
    let failed = plugin.clone();
    on_own_thread(Some(turn), failed, move || read_file(&plugin, limit)).await
}

/// Compiles it, or takes it from the store.
pub(crate) async fn compile(
    turn: Option<Turn>,
    plugin: PluginFile,
    source: Source,
    shared: Arc<Shared>,
) -> (Option<Turn>, Result<Compiled, PluginError>) {
    let failed = plugin.clone();
    on_own_thread(turn, failed, move || compile_source(&plugin, &source, &shared)).await
}

/// Does `work` on a new thread. The turn goes along: when the caller does not wait for the end, the next one has to.
async fn on_own_thread<T: Send + 'static>(
    turn: Option<Turn>,
    plugin: PluginFile,
    work: impl FnOnce() -> Result<T, PluginError> + Send + 'static,
) -> (Option<Turn>, Result<T, PluginError>) {
    let (sender, receiver) = oneshot::channel();
    let panicking = plugin.clone();
    let thread = std::thread::Builder::new()
        .name("gatewright-compile".to_owned())
        .stack_size(STACK_BYTES);
    let spawned = thread.spawn(move || {
        // On Linux niceness is the thread's own. Without the right to change it, it stays as it is.
        let _ = rustix::process::nice(NICER);
        let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
            let reason = format!("the compiler broke down: {}", crate::call::message(&*panic));
            Err(PluginError::Compile {
                plugin: panicking,
                reason,
            })
        });
        let _ = sender.send((turn, result));
    });
    let broken = |reason: String| (None, Err(PluginError::Compile { plugin, reason }));
    match spawned {
        Ok(_) => match receiver.await {
            Ok(done) => done,
            Err(_) => broken("its thread ended early".to_owned()),
        },
        Err(error) => broken(format!("there is no thread for it: {error}")),
    }
}

fn read_file(plugin: &PluginFile, limit: u64) -> Result<Source, PluginError> {
    let unreadable = |error: std::io::Error| PluginError::Unreadable {
        plugin: plugin.clone(),
        reason: error.to_string(),
    };
    let mut bytes = Vec::new();
    let file = File::open(&plugin.file).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(unreadable(std::io::Error::other("it is not a file")));
    }
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(PluginError::TooLarge {
            plugin: plugin.clone(),
            limit,
        });
    }
    Ok(Source {
        digest: Digest::of(&bytes),
        bytes,
    })
}

fn compile_source(plugin: &PluginFile, source: &Source, shared: &Shared) -> Result<Compiled, PluginError> {
    check_header(plugin, &source.bytes)?;
    let compiled = |component, time| Compiled {
        component,
        digest: source.digest,
        file_bytes: source.bytes.len(),
        time,
    };
    let store = shared.artifacts.as_ref();
    if let Some(component) = store.and_then(|store| store.find(&shared.engine, &source.digest)) {
        return Ok(compiled(component, None));
    }
    let began = Instant::now();
    let encoded = encode(plugin, &source.bytes, &shared.engine)?;
    let bytes = encoded.as_deref().unwrap_or(&source.bytes);
    let component = Component::from_binary(&shared.engine, bytes).map_err(|error| not_compiled(plugin, &error))?;
    let time = began.elapsed();
    if let Some(store) = store {
        store.keep(&shared.engine, &source.digest, &component);
    }
    Ok(compiled(component, Some(time)))
}

fn not_compiled(plugin: &PluginFile, error: &wasmtime::Error) -> PluginError {
    let reason = format!("{error:#}");
    if reason.contains("unexpected end") {
        let reason = "the file ends in the middle; is it still being copied?".to_owned();
        return PluginError::Truncated {
            plugin: plugin.clone(),
            reason,
        };
    }
    PluginError::Compile {
        plugin: plugin.clone(),
        reason,
    }
}

/// A core module made with wit-bindgen carries its interface in a custom section: it becomes a component.
fn encode(plugin: &PluginFile, bytes: &[u8], engine: &Engine) -> Result<Option<Vec<u8>>, PluginError> {
    if !bytes.starts_with(MODULE) {
        return Ok(None);
    }
    // The encoder believes the lengths in a file, and panics on one that is cut off.
    Module::validate(engine, bytes).map_err(|error| not_compiled(plugin, &error))?;
    let encoded = ComponentEncoder::default()
        .validate(true)
        .module(bytes)
        .and_then(|mut encoder| encoder.encode());
    encoded.map(Some).map_err(|error| PluginError::NotAComponent {
        plugin: plugin.clone(),
        reason: format!("{error:#}"),
    })
}

fn check_header(plugin: &PluginFile, bytes: &[u8]) -> Result<(), PluginError> {
    let truncated = |reason: &str| {
        Err(PluginError::Truncated {
            plugin: plugin.clone(),
            reason: format!("{reason}; is it still being copied?"),
        })
    };
    let not_wasm = |what: String| {
        Err(PluginError::NotWasm {
            plugin: plugin.clone(),
            what,
        })
    };
    if bytes.is_empty() {
        return truncated("the file is empty");
    }
    if bytes.len() < MODULE.len() && (MODULE.starts_with(bytes) || COMPONENT.starts_with(bytes)) {
        return truncated("the file ends in its header");
    }
    if !bytes.starts_with(MAGIC) {
        return not_wasm(guess(bytes).to_owned());
    }
    if !bytes.starts_with(MODULE) && !bytes.starts_with(COMPONENT) {
        return not_wasm("WebAssembly of an unknown version".to_owned());
    }
    Ok(())
}

/// What people drop into a plugin folder by mistake.
fn guess(bytes: &[u8]) -> &'static str {
    const KNOWN: [(&[u8], &str); 7] = [
        (b"\x1f\x8b", "a gzip archive; unpack it"),
        (b"PK\x03\x04", "a ZIP archive; unpack it"),
        (b"\x28\xb5\x2f\xfd", "Zstandard data; unpack it"),
        (b"\x7fELF", "a program or library of this machine, or compiled code"),
        (b"(module", "WebAssembly text; compile it with `wat2wasm`"),
        (b"(component", "WebAssembly text; compile it with `wasm-tools parse`"),
        (b"<", "HTML or XML; was it downloaded from the right address?"),
    ];
    let start = bytes.trim_ascii_start();
    KNOWN
        .iter()
        .find(|(magic, _)| start.starts_with(magic))
        .map_or("something else", |(_, what)| what)
}
