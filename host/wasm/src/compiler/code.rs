//! Machine code on its way to the store, or to where it is executed: in memory that has a file descriptor and no name.
//!
//! A child writes into it without a path that could lead elsewhere, and it can be mapped where there is no file system
//! to write to.

use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::process::Stdio;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use wasmtime::Engine;
use wasmtime::component::Component;

/// What `Engine::precompile_component` made. Nobody can change it any more.
pub(crate) struct Code(File);

/// Room for code that is being written.
pub(super) struct Unfinished(File);

impl Unfinished {
    pub(super) fn new() -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        Ok(Self(memfd_create("gatewright-code", flags)?.into()))
    }

    /// For a child to write to.
    pub(super) fn output(&self) -> io::Result<Stdio> {
        Ok(self.0.try_clone()?.into())
    }

    /// Takes what was written as it is.
    pub(super) fn finish(self) -> io::Result<Code> {
        fcntl_add_seals(
            &self.0,
            SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL,
        )?;
        Ok(Code(self.0))
    }
}

impl Code {
    pub(crate) fn of(bytes: &[u8]) -> io::Result<Self> {
        let mut unfinished = Unfinished::new()?;
        unfinished.0.write_all(bytes)?;
        unfinished.finish()
    }

    /// Reads it from its beginning.
    pub(crate) fn read(&self) -> io::Result<impl Read> {
        let mut file = &self.0;
        file.rewind()?;
        Ok(file)
    }

    /// Maps it, so that it can be executed.
    #[expect(unsafe_code, reason = "the code is our own compiler's work, and sealed")]
    pub(crate) fn map(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: the bytes were produced by `Engine::precompile_component`, either of this process or of a child that
        // runs this same program, which wrote them here and said at its end that they are whole. No path led to them
        // in between. The seals keep everybody, that child included, from changing them as long as they are mapped.
        unsafe { Component::deserialize_file(engine, self.path()) }
    }

    pub(super) fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.0.as_raw_fd())
    }
}
