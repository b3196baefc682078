//! The real binary, for what only a process can show: signals, exit codes, messages.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::Pid;
pub use rustix::process::Signal;
use serde_json::Value;

use crate::gateway::TestFiles;

/// A gateway in a process of its own. Killed when dropped.
pub struct TestProcess {
    child: Child,
    stderr: Arc<Mutex<Vec<String>>>,
    files: TestFiles,
}

impl TestProcess {
    /// Starts the binary and waits until it serves. The configuration is completed as for
    /// [`crate::TestGateway::start`].
    pub fn start(config: &str) -> Self {
        Self::try_start(config).unwrap_or_else(|error| panic!("the gateway does not start: {error}"))
    }

    /// Starts the binary and waits until it serves.
    ///
    /// # Errors
    /// What it has written to standard error, when it ends instead.
    pub fn try_start(config: &str) -> Result<Self, String> {
        Self::start_in(TestFiles::default(), config, &[])
    }

    /// Starts the binary in a folder with files, with these environment variables.
    ///
    /// # Errors
    /// What it has written to standard error, when it ends instead.
    pub fn start_in(files: TestFiles, config: &str, environment: &[(&str, &str)]) -> Result<Self, String> {
        let mut child = Command::new(binary())
            .args(["run", "--log-format", "json"])
            .arg(files.write_config(config))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be run");
        let stderr = collect(child.stderr.take().unwrap());
        let mut process = Self { child, stderr, files };
        crate::eventually("the process serves, or ends", || {
            if process.message("admin").is_some() {
                return Some(Ok(()));
            }
            let ended = process.child.try_wait().unwrap()?;
            Some(Err(format!("{ended}: {}", process.stderr())))
        })?;
        Ok(process)
    }

    /// The address of a TCP listener, when the process began.
    pub fn addr(&self, listener: &str) -> SocketAddr {
        let is_it = |line: &Value| line["fields"]["listener"] == listener;
        let line = self.messages("listening").into_iter().find(is_it);
        address(&line.unwrap_or_else(|| panic!("there is no TCP listener `{listener}`: {}", self.stderr())))
    }

    /// The admin address.
    pub fn admin(&self) -> SocketAddr {
        address(&self.message("admin").expect("the admin address is logged"))
    }

    /// The folder of its files.
    pub fn dir(&self) -> &Path {
        self.files.dir()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("the process takes signals");
    }

    /// Kills it, and gives its folder back.
    pub fn kill(mut self) -> TestFiles {
        let _ = self.child.kill();
        let _ = self.child.wait();
        std::mem::take(&mut self.files)
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> ExitStatus {
        crate::eventually("the process ends", || self.child.try_wait().unwrap())
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap().join("\n")
    }

    /// The messages with that text.
    pub fn messages(&self, text: &str) -> Vec<Value> {
        let lines = self.stderr.lock().unwrap();
        lines
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line["fields"]["message"] == text)
            .collect()
    }

    /// The process's id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn message(&self, text: &str) -> Option<Value> {
        self.messages(text).into_iter().next()
    }
}

impl Drop for TestProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl TestFiles {
    /// Lets the binary check a configuration in this folder.
    ///
    /// # Errors
    /// What it has written to standard error.
    pub fn check(&self, config: &str) -> Result<(), String> {
        let output = Command::new(binary())
            .arg("check")
            .arg(self.write_config(config))
            .output()
            .expect("the binary can be run");
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

/// The `gatewright` binary of the same build as this test, or what `GATEWRIGHT_BINARY` says.
pub fn binary() -> PathBuf {
    if let Some(other) = std::env::var_os("GATEWRIGHT_BINARY") {
        return other.into();
    }
    let test = std::env::current_exe().expect("the test knows its path");
    // target/PROFILE/deps/suite-HASH
    let found = test.ancestors().skip(1).take(2).map(|folder| folder.join("gatewright"));
    let found = found.into_iter().find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "there is no gatewright beside {}: run `cargo build -p gatewright`",
            test.display()
        )
    })
}

fn collect(stderr: ChildStderr) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let collected = Arc::clone(&lines);
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            collected.lock().unwrap().push(line);
        }
    });
    lines
}

fn address(line: &Value) -> SocketAddr {
    let text = line["fields"]["address"].as_str().expect("an address");
    text.parse().expect("an address")
}
