//! What the child does: takes a job from standard input, takes on its limits, compiles, writes the code to standard
//! output and its answer to standard error, and ends. It opens no file and needs none.

use std::fs;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal};
use serde::{Deserialize, Serialize};

use super::{Refusal, STACK_BYTES, compile};
use crate::engine::{self, Concurrency};

/// The longest line that describes a job.
const JOB_BYTES: u64 = 1 << 10;

/// What the child shall do: one line of JSON, and after it the bytes to compile.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    /// Who wants it.
    pub(super) parent: i32,
    /// Memory that it may take.
    pub(super) memory_bytes: u64,
    /// Of the engine that it is for.
    pub(super) concurrency: Concurrency,
    /// Bytes that follow.
    pub(super) file_bytes: usize,
}

/// How long it took, or why there is no code: one line of JSON.
pub(super) type Answer = Result<Duration, Refusal>;

/// Compiles one plugin for the process that has started this one as [`Compiler::Child`](super::Compiler::Child). It is
/// the only thing that this process does: it changes its limits and ends with its parent.
pub fn compile_for_parent() -> ExitCode {
    // Standard error is for the answer, and for the last words of a runtime that aborts. A panic is in the answer.
    std::panic::set_hook(Box::new(|_| {}));
    let worker = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(serve);
    let answer = worker.and_then(|worker| match worker.join() {
        Ok(answer) => answer,
        Err(panic) => Ok(Err(Refusal::panicked(&crate::call::message(&*panic)))),
    });
    let mut errors = io::stderr();
    match answer.and_then(|answer| Ok(serde_json::to_string(&answer)?)) {
        Ok(answer) => match writeln!(errors, "{answer}") {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            let _ = writeln!(errors, "{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<Answer> {
    let mut input = io::stdin().lock();
    let job = read_job(&mut input)?;
    stay_with(job.parent)?;
    limit(job.memory_bytes)?;
    let Some(mut bytes) = room(job.file_bytes) else {
        return Ok(Err(Refusal::Memory));
    };
    // All of it: a part would compile to something else, or be refused for the wrong reason.
    input.read_exact(&mut bytes)?;
    let engine = match engine::unpooled(job.concurrency) {
        Ok(engine) => engine,
        Err(error) => return Ok(Err(Refusal::Compile(error.to_string()))),
    };
    match compile(&engine, &bytes) {
        Ok((code, time)) => {
            let mut output = io::stdout().lock();
            output.write_all(&code)?;
            output.flush()?;
            Ok(Ok(time))
        }
        Err(refusal) => Ok(Err(refusal.shortened())),
    }
}

fn read_job(input: &mut impl io::BufRead) -> io::Result<Job> {
    let mut line = String::new();
    input.take(JOB_BYTES).read_line(&mut line)?;
    serde_json::from_str(&line)
        .map_err(|error| io::Error::other(format!("this command is for the gateway itself: {error}")))
}

/// Whoever wants the code may be killed, and with it the one who keeps the time.
fn stay_with(parent: i32) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before.
    match rustix::process::getppid() {
        Some(pid) if pid.as_raw_nonzero().get() == parent => Ok(()),
        _ => Err(io::Error::other("the gateway has ended")),
    }
}

fn limit(memory_bytes: u64) -> io::Result<()> {
    // When the machine runs out of memory, it is this process that should go. That it cannot be said is no reason not
    // to work.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    // How it shows among the machine's processes, instead of `exe`.
    let _ = fs::write("/proc/self/comm", "gatewright-compile");
    set_limit(Resource::Core, 0)?;
    set_limit(Resource::Data, memory_bytes)
}

/// A lower limit may be there already, and cannot be raised.
fn set_limit(resource: Resource, wanted: u64) -> io::Result<()> {
    let highest = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let limit = Some(wanted.min(highest));
    rustix::process::setrlimit(
        resource,
        Rlimit {
            current: limit,
            maximum: limit,
        },
    )?;
    Ok(())
}

fn room(length: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).ok()?;
    bytes.resize(length, 0);
    Some(bytes)
}
