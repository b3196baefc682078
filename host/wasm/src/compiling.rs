//! How many plugins are compiled at the same time, and who is told of it.
//!
//! All compilers together take no more memory than one may (`plugins.compile_memory`): each gets what files of its size
//! mostly need, and one for which that is not enough is started again, alone, with all of it. So what is refused does not
//! depend on what else is compiled.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gatewright_config::ByteSize;

use crate::compiler::Compiler;
use crate::digest::Digest;

/// Memory that every compiler gets.
const LEAST_MEMORY: u64 = 128 << 20;
/// Memory for each byte of a file.
const MEMORY_PER_BYTE: u64 = 24;

/// Where plugins are compiled, and who is told of it.
#[derive(Clone)]
pub struct Compiling {
    /// Where.
    pub compiler: Compiler,
    /// Who is told.
    pub watcher: Option<Arc<dyn CompileWatcher>>,
}

/// Is told of each plugin that is compiled, on the thread that waits for it; must not wait. What the compiled-code store
/// has is not compiled.
pub trait CompileWatcher: Send + Sync {
    /// It begins. `file_bytes` is the size of the plugin's file.
    fn begins(&self, plugin: &str, file_bytes: usize);
    /// It has ended; `compiled` is whether there is code. Why there is none is said by whoever wants the plugin.
    fn ended(&self, plugin: &str, compiled: bool, took: Duration);
}

impl From<Compiler> for Compiling {
    /// Nobody is told.
    fn from(compiler: Compiler) -> Self {
        Self {
            compiler,
            watcher: None,
        }
    }
}

impl fmt::Debug for Compiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiling")
            .field("compiler", &self.compiler)
            .field("watched", &self.watcher.is_some())
            .finish()
    }
}

impl Compiling {
    /// Tells the watcher, if there is one, that a plugin is compiled while the answer lives.
    pub(crate) fn watched<'a>(&'a self, plugin: &'a str, file_bytes: usize) -> Watched<'a> {
        let watcher = self.watcher.as_deref();
        if let Some(watcher) = watcher {
            watcher.begins(plugin, file_bytes);
        }
        Watched {
            watcher,
            plugin,
            began: Instant::now(),
            compiled: false,
        }
    }
}

/// One plugin that is compiled.
pub(crate) struct Watched<'a> {
    watcher: Option<&'a dyn CompileWatcher>,
    plugin: &'a str,
    began: Instant,
    /// There is code.
    pub(crate) compiled: bool,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if let Some(watcher) = self.watcher {
            watcher.ended(self.plugin, self.compiled, self.began.elapsed());
        }
    }
}

/// What compilers share: the memory that they may take together, and which files are being compiled.
pub(crate) struct Budget {
    /// In bytes.
    memory: u64,
    state: Mutex<State>,
    freed: Condvar,
}

struct State {
    free: u64,
    compiling: HashSet<Digest>,
}

impl Budget {
    /// For compilers that take so much together.
    pub(crate) fn new(memory: ByteSize) -> Self {
        Self {
            memory: memory.0,
            state: Mutex::new(State {
                free: memory.0,
                compiling: HashSet::new(),
            }),
            freed: Condvar::new(),
        }
    }

    /// Waits until nobody else compiles this file: then its code may be in the store.
    pub(crate) fn file(&self, file: Digest) -> OneFile<'_> {
        let taken = |state: &mut State| !state.compiling.insert(file);
        let state = self.freed.wait_while(self.lock(), taken);
        drop(state.unwrap_or_else(PoisonError::into_inner));
        OneFile { budget: self, file }
    }

    /// Memory that compiling a file of this size mostly takes at most.
    pub(crate) fn estimate(&self, file_bytes: usize) -> u64 {
        let bytes = u64::try_from(file_bytes).unwrap_or(u64::MAX);
        let estimate = bytes.saturating_mul(MEMORY_PER_BYTE).saturating_add(LEAST_MEMORY);
        estimate.min(self.memory)
    }

    /// All of it.
    pub(crate) fn whole(&self) -> u64 {
        self.memory
    }

    /// Waits until so much memory is free, which is at most all of it, and takes it.
    pub(crate) fn memory(&self, bytes: u64) -> Memory<'_> {
        let lacking = |state: &mut State| state.free < bytes;
        let state = self.freed.wait_while(self.lock(), lacking);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.free = state.free.saturating_sub(bytes);
        Memory { budget: self, bytes }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Neither number nor set is ever half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that nobody else compiles meanwhile.
pub(crate) struct OneFile<'b> {
    budget: &'b Budget,
    file: Digest,
}

impl Drop for OneFile<'_> {
    fn drop(&mut self) {
        self.budget.lock().compiling.remove(&self.file);
        self.budget.freed.notify_all();
    }
}

/// Memory that one compiler may take.
pub(crate) struct Memory<'b> {
    budget: &'b Budget,
    bytes: u64,
}

impl Drop for Memory<'_> {
    fn drop(&mut self) {
        self.budget.lock().free += self.bytes;
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn budget(mebibytes: u64) -> Budget {
        Budget::new(ByteSize(mebibytes << 20))
    }

    #[test]
    fn compilers_together_take_no_more_than_one_may() {
        let budget = budget(1024);
        let first = budget.memory(budget.estimate(1 << 20));
        let second = budget.memory(budget.estimate(1 << 20));
        assert_eq!(first.bytes + second.bytes, 2 * (LEAST_MEMORY + (24 << 20)));
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            let (budget, waiting) = (&budget, sender.clone());
            scope.spawn(move || {
                let _whole = budget.memory(budget.whole());
                waiting.send("the whole").unwrap();
            });
            sender.send("what was there before").unwrap();
            drop(first);
            drop(second);
            assert_eq!(receiver.recv(), Ok("what was there before"));
            assert_eq!(receiver.recv(), Ok("the whole"));
        });
        assert_eq!(budget.lock().free, budget.whole());
    }

    #[test]
    fn a_file_that_needs_more_than_there_is_gets_all_there_is() {
        let budget = budget(64);
        assert_eq!(budget.estimate(usize::MAX), budget.whole());
        drop(budget.memory(budget.estimate(1)));
    }

    #[test]
    fn a_file_is_compiled_once_at_a_time() {
        let budget = budget(64);
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        let first = budget.file(one);
        drop(budget.file(other));
        std::thread::scope(|scope| {
            let second = scope.spawn(|| drop(budget.file(one)));
            drop(first);
            second.join().unwrap();
        });
        assert!(budget.lock().compiling.is_empty());
    }
}
