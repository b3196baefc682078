//! Children that do not do what they should. What a right one does is tested with the whole gateway.

use std::path::Path;
use std::time::Instant;

use gatewright_config::PluginConfig;
use tokio::sync::oneshot;

use super::*;
use crate::{CodeStore, HostSettings, PluginError, PluginHost};

const MODULE: &[u8] = b"\0asm\x01\0\0\0";
/// Long enough to tell it from an end.
const LONG: Duration = Duration::from_secs(60);

/// A shell with that script as the compiler, which gets a job of `bytes`.
fn compiled_by(script: &str, bytes: &[u8], time: Duration) -> Result<Made, Refusal> {
    let (_waiting, mut given_up) = oneshot::channel();
    shell(script).compile(&engine(), Concurrency::Off, bytes, &limits(time), &mut given_up)
}

fn shell(script: &str) -> Compiler {
    Compiler::Child {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        environment: Vec::new(),
    }
}

fn engine() -> Engine {
    crate::engine::unpooled(Concurrency::Off).unwrap()
}

fn limits(time: Duration) -> CompileLimits {
    CompileLimits {
        time,
        ..CompileLimits::default()
    }
}

fn reason(refused: Result<Made, Refusal>) -> String {
    match refused {
        Err(Refusal::Compile(reason)) => reason,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it is compiled"),
    }
}

#[test]
fn a_child_that_ends_without_an_answer_is_an_error_that_says_how() {
    for (script, expected) in [
        ("", "broke down (exit status: 0)"),
        ("echo what went wrong >&2; exit 3", "(exit status: 3): what went wrong"),
        // An answer counts only when the child ends well.
        (
            "echo '{\"Ok\":{\"secs\":1,\"nanos\":0}}' >&2; exit 1",
            "(exit status: 1)",
        ),
        ("kill -ABRT $$", "SIGABRT"),
        ("kill -KILL $$", "the compiler was killed"),
        ("printf '\\033[31m' >&2; exit 1", "\\u{1b}[31m"),
        ("head -c 1000000 /dev/zero | tr '\\0' x >&2", "xxx…"),
    ] {
        let reason = reason(compiled_by(script, MODULE, LONG));
        assert!(reason.contains(expected) && reason.len() < 1_000, "{script}: {reason}");
    }
    let nowhere = Compiler::Child {
        program: "/nowhere/gatewright".into(),
        arguments: Vec::new(),
        environment: Vec::new(),
    };
    let (_waiting, mut given_up) = oneshot::channel();
    let reason = reason(nowhere.compile(&engine(), Concurrency::Off, MODULE, &limits(LONG), &mut given_up));
    assert!(reason.contains("there is no process for it"), "{reason}");
}

#[test]
fn a_child_without_memory_says_so_in_the_runtimes_words() {
    let script = "echo 'memory allocation of 200720 bytes failed' >&2; kill -ABRT $$";
    let refused = compiled_by(script, MODULE, LONG);
    assert!(matches!(refused, Err(Refusal::Memory)));
}

#[test]
fn a_child_that_does_not_end_is_killed_whether_it_reads_its_job_or_not() {
    // More than a pipe holds.
    let large = vec![0; 1 << 20];
    for (script, bytes) in [
        ("exec sleep 1000", MODULE),
        ("exec sleep 1000", &large),
        ("cat > /dev/null; exec sleep 1000", &large),
        // It has said everything, and stays.
        ("exec 2>&-; exec sleep 1000", MODULE),
    ] {
        let began = Instant::now();
        let refused = compiled_by(script, bytes, Duration::from_millis(100));
        assert!(matches!(refused, Err(Refusal::Time)), "{script}");
        assert!(began.elapsed() < LONG / 2, "{script}: {:?}", began.elapsed());
    }
}

#[test]
fn a_child_that_nobody_waits_for_is_killed() {
    let (waiting, mut given_up) = oneshot::channel();
    drop(waiting);
    let began = Instant::now();
    reason(shell("exec sleep 1000").compile(&engine(), Concurrency::Off, MODULE, &limits(LONG), &mut given_up));
    assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
}

#[tokio::test]
async fn who_gives_up_a_plugin_does_not_hold_up_the_next_one() {
    let directory = tempfile::tempdir().unwrap();
    let host = PluginHost::new(HostSettings {
        store: CodeStore::kept(directory.path().join("store")),
        instances: 1,
        file_bytes: 1 << 20,
        workers: 1,
        compiler: shell("exec sleep 1000").into(),
        compile: limits(LONG),
    })
    .unwrap();
    let (file, config) = (directory.path().join("a.wasm"), PluginConfig::default());
    std::fs::write(&file, MODULE).unwrap();
    let given_up = tokio::time::timeout(Duration::from_millis(100), host.load("a", &file, &config)).await;
    assert!(given_up.is_err());
    let next = tokio::time::timeout(LONG / 2, host.load("b", Path::new("/nowhere/b.wasm"), &config)).await;
    assert!(matches!(next, Ok(Err(PluginError::Unreadable { .. }))));
}

#[test]
fn a_child_gets_its_job_and_nothing_of_the_environment() {
    // `read` stops at the end of the line; the bytes follow.
    let script = "read -r job; echo \"$job $(cat | wc -c) $(env | grep -c CARGO)\" >&2; exit 1";
    let reason = reason(compiled_by(script, &[0; 100_000], LONG));
    assert!(
        reason.contains("\"file_bytes\":100000} 100000 0"),
        "job, number of bytes, variables of Cargo: {reason}"
    );
}

#[test]
fn code_that_is_finished_cannot_be_changed() {
    let code = Code::of(b"code").unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut code.read().unwrap(), &mut text).unwrap();
    assert_eq!(text, "code");
    let written = std::fs::OpenOptions::new()
        .write(true)
        .open(code.path())
        .and_then(|mut file| std::io::Write::write(&mut file, b"else"));
    assert!(written.is_err());
}

#[test]
fn what_one_engine_compiles_an_engine_with_a_pool_runs() {
    let (bytes, _) = compile(&engine(), b"\0asm\x0d\0\x01\0").unwrap();
    let pooled = crate::engine::start(1, Concurrency::Off).unwrap();
    assert!(pooled.pooled);
    Code::of(&bytes).unwrap().map(&pooled.engine).unwrap();
}

#[test]
fn a_panic_for_want_of_memory_is_no_break_down() {
    assert!(matches!(Refusal::panicked("out of memory"), Refusal::Memory));
    assert!(matches!(Refusal::panicked("index out of bounds"), Refusal::Compile(_)));
}
