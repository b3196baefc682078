//! From a file to compiled code. Each plugin has a thread of its own with low priority: what the file holds is hostile, and
//! a compiler that is busy with it must cost requests nothing. How many there are at a time, and what memory they take
//! together, is settled by `plugin_host` and `compiling`. The compiler itself is elsewhere (`compiler`), mostly in a child,
//! which has the priority of the thread that starts it.

use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use gatewright_config::ByteSize;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::compiler::{Code, CompileLimits, Compiler, GivenUp, Made, Refusal, STACK_BYTES, header};
use crate::dialect;
use crate::digest::Digest;
use crate::engine::Concurrency;
use crate::plugin_host::Shared;
use crate::signature::Trust;
use crate::{PluginError, PluginFile};

/// Added to the thread's niceness.
const NICER: i32 = 10;

/// A file that has been read.
pub(crate) struct Source {
    pub(crate) digest: Digest,
    /// Who signed it.
    pub(crate) publisher: Option<String>,
    concurrency: Concurrency,
    bytes: Vec<u8>,
}

/// A file that has been compiled.
pub(crate) struct Compiled {
    pub(crate) component: Component,
    pub(crate) digest: Digest,
    pub(crate) publisher: Option<String>,
    /// Of the engine that it is for.
    pub(crate) concurrency: Concurrency,
    pub(crate) file_bytes: usize,
    /// None when it came from the store.
    pub(crate) time: Option<Duration>,
}

/// A place among the plugins that are loaded at the same time.
pub(crate) type Turn = OwnedSemaphorePermit;

/// Reads the file, up to `limit` bytes, and finds out who signed it.
pub(crate) async fn read(
    turn: Turn,
    plugin: PluginFile,
    trust: Trust,
    limit: u64,
) -> (Option<Turn>, Result<Source, PluginError>) {
    let failed = plugin.clone();
    on_own_thread(Some(turn), failed, move || read_file(&plugin, &trust, limit)).await
}

/// Compiles it, or takes it from the store.
pub(crate) async fn compile(
    turn: Option<Turn>,
    plugin: PluginFile,
    source: Source,
    shared: Arc<Shared>,
) -> (Option<Turn>, Result<Compiled, PluginError>) {
    let failed = plugin.clone();
    // Dropped with this future, and a child with it.
    let (_waiting, given_up) = oneshot::channel();
    on_own_thread(turn, failed, move || {
        compile_source(&plugin, &source, &shared, given_up)
    })
    .await
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
        // On Linux niceness is the thread's own, and inherited by a child. Where it cannot be changed it stays.
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

fn read_file(plugin: &PluginFile, trust: &Trust, limit: u64) -> Result<Source, PluginError> {
    let unreadable = |error: std::io::Error| PluginError::Unreadable {
        plugin: plugin.clone(),
        reason: gatewright_config::reason(&error),
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
        publisher: trust.publisher(plugin, &bytes)?,
        digest: Digest::of(&bytes),
        concurrency: dialect::concurrency(&bytes),
        bytes,
    })
}

fn compile_source(
    plugin: &PluginFile,
    source: &Source,
    shared: &Shared,
    given_up: GivenUp,
) -> Result<Compiled, PluginError> {
    let refused = |refusal: Refusal| refusal.of_plugin(plugin, &shared.settings.compile);
    header::check(&source.bytes).map_err(refused)?;
    let compiled = |component, time| Compiled {
        component,
        digest: source.digest,
        publisher: source.publisher.clone(),
        concurrency: source.concurrency,
        file_bytes: source.bytes.len(),
        time,
    };
    let engine = &shared.machines.of(source.concurrency)?.engine;
    let _alone = shared.budget.file(source.digest);
    if let Some(component) = shared.artifacts.find(engine, &source.digest) {
        return Ok(compiled(component, None));
    }
    let mut watched = shared.settings.compiler.watched(&plugin.name, source.bytes.len());
    let made = within_budget(source, engine, shared, given_up).map_err(refused)?;
    watched.compiled = true;
    let component = load(plugin, source, made.code, engine, shared)?;
    Ok(compiled(component, Some(made.time)))
}

/// Compiles with the memory that files of this size mostly need, and where that is not enough, with all that there may be.
fn within_budget(source: &Source, engine: &Engine, shared: &Shared, mut given_up: GivenUp) -> Result<Made, Refusal> {
    let compiler = &shared.settings.compiler.compiler;
    let budget = &shared.budget;
    let mut compile = |bytes: u64| {
        let _taken = budget.memory(bytes);
        let limits = CompileLimits {
            memory: ByteSize(bytes),
            ..shared.settings.compile
        };
        compiler.compile(engine, source.concurrency, &source.bytes, &limits, &mut given_up)
    };
    let estimate = match compiler {
        // What this process takes cannot be bounded.
        Compiler::InProcess => budget.whole(),
        Compiler::Child { .. } => budget.estimate(source.bytes.len()),
    };
    match compile(estimate) {
        Err(Refusal::Memory) if estimate < budget.whole() => compile(budget.whole()),
        made => made,
    }
}

/// Maps what was compiled: from the store, as the next start will, or else from where it is.
fn load(
    plugin: &PluginFile,
    source: &Source,
    code: Code,
    engine: &Engine,
    shared: &Shared,
) -> Result<Component, PluginError> {
    // What the pool has no room for must not get into the store.
    let component = code.map(engine).map_err(|error| PluginError::Compile {
        plugin: plugin.clone(),
        reason: format!("{error:#}"),
    })?;
    shared.artifacts.keep(engine, &source.digest, code);
    let stored = shared.artifacts.find(engine, &source.digest);
    Ok(stored.unwrap_or(component))
}
