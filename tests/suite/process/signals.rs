//! What signals do, and that none ends the process without a word.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use gatewright_tests::process::binary;
use gatewright_tests::{Signal, TestFiles, TestProcess, eventually, http};
use rustix::process::{Pid, kill_process};

use super::{config, gated};
use crate::plugins::compiling::large_plugin;

fn records(process: &TestProcess, name: &str) -> usize {
    let log = fs::read_to_string(process.dir().join(name)).unwrap_or_default();
    log.lines().count()
}

#[test]
fn a_log_file_that_was_moved_or_removed_is_opened_anew() {
    let process = TestProcess::start(&config("http://127.0.0.1:1", ""));
    let ask = || assert_eq!(http(process.addr("public"), "GET", "/fast", &[], b"").status, 200);
    let log = process.dir().join("access.log");
    ask();
    eventually("there is a record", || {
        (records(&process, "access.log") == 1).then_some(())
    });
    for (moved, signal) in [Signal::USR1, Signal::HUP, Signal::USR1].into_iter().enumerate() {
        let other = format!("access.log.{moved}");
        fs::rename(&log, process.dir().join(&other)).unwrap();
        ask();
        eventually("the file that was moved has it", || {
            (records(&process, &other) == 2).then_some(())
        });
        let opened = process.messages("access log opened anew").len();
        process.signal(signal);
        eventually("the file is opened anew", || {
            (process.messages("access log opened anew").len() > opened).then_some(())
        });
        ask();
        eventually("the new file has it", || {
            (records(&process, "access.log") == 1).then_some(())
        });
    }
    fs::remove_file(&log).unwrap();
    fs::create_dir(&log).unwrap();
    process.signal(Signal::USR1);
    eventually("it is said that it cannot be opened", || {
        process
            .stderr()
            .contains("cannot open the access log anew")
            .then_some(())
    });
    ask();
}

#[test]
fn sigquit_lets_what_is_in_flight_end() {
    let (origin, gate) = gated();
    let mut process = TestProcess::start(&config(&origin.url(), "drain_timeout = \"30s\""));
    let mut client = gatewright_tests::RawClient::connect(process.addr("public"));
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is in flight", || (origin.hits() == 1).then_some(()));
    process.signal(Signal::QUIT);
    eventually("it stops", || {
        (http(process.admin(), "GET", "/readyz", &[], b"").status == 503).then_some(())
    });
    gate.open();
    assert_eq!(client.read_response().status, 200);
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
}

#[test]
fn signals_without_a_meaning_are_a_line_each_and_end_nothing() {
    let mut process = TestProcess::start(&config("http://127.0.0.1:1", ""));
    process.signal(Signal::USR2);
    eventually("it is refused", || {
        let said = process.stderr();
        said.contains("SIGUSR2 is refused: this version cannot hand")
            .then_some(())
    });
    for (signal, name) in [
        (Signal::ALARM, "SIGALRM"),
        (Signal::VTALARM, "SIGVTALRM"),
        (Signal::PROF, "SIGPROF"),
        (Signal::IO, "SIGIO"),
        (Signal::POWER, "SIGPWR"),
        (Signal::XCPU, "SIGXCPU"),
    ] {
        process.signal(signal);
        eventually("it is said", || {
            process
                .stderr()
                .contains(&format!("{name} has no meaning"))
                .then_some(())
        });
    }
    let id = process.pid().as_raw_nonzero().to_string();
    for number in ["34", "64"] {
        let told = Command::new("kill")
            .args([&format!("-{number}"), &id])
            .status()
            .unwrap();
        assert!(told.success());
        eventually("it is said", || {
            process
                .stderr()
                .contains(&format!("signal {number} has no meaning"))
                .then_some(())
        });
    }
    process.signal(Signal::XFSZ);
    process.signal(Signal::PIPE);
    assert_eq!(http(process.addr("public"), "GET", "/fast", &[], b"").status, 200);
    assert!(process.is_running());
}

#[test]
fn while_the_gateway_starts_only_signals_to_stop_end_it_and_that_is_said() {
    let files = TestFiles::default().with("plugins/world.wasm", large_plugin());
    let config = files.write_config(
        "
        [listener.public]
        address = \"127.0.0.1:0\"
        [plugins]
        directory = \"plugins\"
        store = \"{dir}/store\"
        [[route]]
        name = \"all\"
        path = \"/\"
        chain = [{ plugin = \"world\" }]
        integration = { respond = 200 }
        ",
    );
    let mut child = Command::new(binary())
        .arg("run")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut until = |text: &str| {
        let mut lines = String::new();
        while !lines.contains(text) {
            let read = said.read_line(&mut lines).unwrap();
            assert!(read > 0, "it ends before it says {text:?}: {lines}");
        }
    };
    until("compiling a plugin");
    let pid = Pid::from_child(&child);
    for signal in [Signal::HUP, Signal::USR1, Signal::USR2] {
        kill_process(pid, signal).unwrap();
    }
    until("SIGUSR2 is refused");
    kill_process(pid, Signal::TERM).unwrap();
    until("SIGTERM: stopping before the gateway has started");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
