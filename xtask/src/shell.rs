//! Running other programs, visibly.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(PathBuf::new, Path::to_owned)
}

/// A command that runs in the repository.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// Cargo, the one that runs this.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    command(
        &std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()),
        arguments,
    )
}

/// Says what is done, does it, and fails if it fails.
pub(crate) fn run(title: &str, command: &mut Command) -> anyhow::Result<()> {
    eprintln!("\n== {title}");
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("{title}: {command:?} ended with {status}");
    }
    Ok(())
}

/// Says what is done, and goes on as the program that does it: signals to this process are signals to that one. Returns only
/// when it cannot be run.
pub(crate) fn become_another(title: &str, command: &mut Command) -> anyhow::Result<()> {
    eprintln!("\n== {title}");
    let error = command.exec();
    Err(error).with_context(|| format!("cannot run {command:?}"))
}

/// Whether a command is there and succeeds.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};

    use super::*;

    /// Not a test: what the test below starts.
    #[test]
    #[ignore = "it does not come back"]
    fn becomes_a_shell() {
        let script = "trap 'echo told; exit 7' TERM; echo ready $$; while :; do sleep 0.01; done";
        become_another("a shell", &mut command("sh", &["-c", script])).unwrap();
    }

    #[test]
    fn a_signal_to_this_process_is_one_to_the_program_that_it_has_become() {
        let this = std::env::current_exe().unwrap();
        let arguments = ["--ignored", "--exact", "--nocapture", "shell::tests::becomes_a_shell"];
        let mut child = Command::new(this)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let ready = format!("ready {}", child.id());
        assert!(lines.any(|line| line == ready), "it has the id of the process");
        assert!(succeeds(&mut command("kill", &["-TERM", &child.id().to_string()])));
        assert_eq!(lines.next().as_deref(), Some("told"));
        assert_eq!(child.wait().unwrap().code(), Some(7));
    }
}
