//! The parent of a child that compiles: starts it, gives it its job, waits, and sees to it that it is gone in the end.

use std::convert::Infallible;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::sync::oneshot;

use super::child::{Answer, Job};
use super::code::Unfinished;
use super::{CompileLimits, Made, Refusal};
use crate::engine::Concurrency;
use crate::text::escaped;

/// The longest answer that is read.
const ANSWER_BYTES: u64 = 256 << 10;
/// How much of the last words of a child that broke down is repeated.
const LAST_WORDS_BYTES: usize = 500;
/// How often it is asked whether a child that has said everything has ended.
const END_INTERVAL: Duration = Duration::from_millis(1);
/// How std's runtime begins the line that it aborts with when there is no memory.
const NO_MEMORY: &str = "memory allocation of";

/// Ends when nobody waits for the code any more: its sender is dropped.
pub(crate) type GivenUp = oneshot::Receiver<Infallible>;

/// Compiles `bytes` in a child process, which is gone when this returns.
pub(super) fn compile(
    command: Command,
    concurrency: Concurrency,
    bytes: &[u8],
    limits: &CompileLimits,
    given_up: &mut GivenUp,
) -> Result<Made, Refusal> {
    let code = Unfinished::new()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async {
        let mut child = Started::new(command, &code)?;
        let job = Job {
            parent: rustix::process::getpid().as_raw_nonzero().get(),
            memory_bytes: limits.memory.0,
            concurrency,
            file_bytes: bytes.len(),
        };
        tokio::select! {
            end = tokio::time::timeout(limits.time, child.answer(&job, bytes)) => match end {
                Ok(answer) => answer?,
                Err(_) => Err(Refusal::Time),
            },
            _ = given_up => Err(Refusal::Compile("nobody waits for it any more".to_owned())),
        }
    });
    let time = answer?;
    let code = code.finish()?;
    Ok(Made { code, time })
}

/// A child that has been started, and is gone when this is.
struct Started(Child);

impl Started {
    fn new(mut command: Command, code: &Unfinished) -> Result<Self, Refusal> {
        let output = code.output()?;
        let child = command
            // What a terminal tells the gateway is not meant for the child.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(Stdio::piped())
            .spawn();
        child
            .map(Self)
            .map_err(|error| Refusal::Compile(format!("there is no process for it: {error}")))
    }

    /// Gives it its job, and waits until it has ended.
    async fn answer(&mut self, job: &Job, bytes: &[u8]) -> Result<Answer, Refusal> {
        let (input, errors) = (self.0.stdin.take(), self.0.stderr.take());
        let write = async {
            // A child that does not want all of it says why, or its end does.
            if let Some(input) = input {
                let _ = send(input.into(), job, bytes).await;
            }
        };
        let read = async {
            match errors {
                Some(errors) => last_words(errors.into()).await,
                None => Ok(String::new()),
            }
        };
        let ((), said) = tokio::join!(write, read);
        let said = said?;
        let status = self.end().await?;
        // What it said before it broke down is no answer.
        let answer = said.lines().next_back().filter(|_| status.success());
        match answer.and_then(|line| serde_json::from_str(line).ok()) {
            Some(answer) => Ok(answer),
            None => Err(broken_down(status, &said)),
        }
    }

    async fn end(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(END_INTERVAL).await;
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Neither does anything to a child that has been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn send(input: OwnedFd, job: &Job, bytes: &[u8]) -> io::Result<()> {
    let mut input = pipe::Sender::from_owned_fd(input)?;
    let line = serde_json::to_string(job)? + "\n";
    input.write_all(line.as_bytes()).await?;
    input.write_all(bytes).await
}

async fn last_words(errors: OwnedFd) -> io::Result<String> {
    let mut text = Vec::new();
    let errors = pipe::Receiver::from_owned_fd(errors)?;
    errors.take(ANSWER_BYTES).read_to_end(&mut text).await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Why a child ended without an answer.
fn broken_down(status: ExitStatus, said: &str) -> Refusal {
    if said.contains(NO_MEMORY) {
        return Refusal::Memory;
    }
    if status.signal() == Some(Signal::KILL.as_raw()) {
        return Refusal::Compile(
            "the compiler was killed; the system does so when the machine runs out of memory".to_owned(),
        );
    }
    let said = escaped(said.trim(), LAST_WORDS_BYTES);
    Refusal::Compile(format!("the compiler broke down ({status}): {said}"))
}
