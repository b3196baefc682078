//! P19: the compiler is a child. What it takes is bounded, what it breaks is itself, and nothing of it stays.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gatewright_tests::process::binary;
use gatewright_tests::{Origin, Signal, TestFiles, TestProcess, eventually, guests, http};
use rustix::process::Pid;

use super::compiling::large_plugin;
use super::setup::{PATIENT, base, base_with, heavy, route};
use super::teaching;
use crate::memory::{children, cpu_time, is_alive, open_file_names, resident_bytes};

const MIB: usize = 1 << 20;

/// A gateway with the plugin `world`, small and in the store already, that may compile with these further lines of
/// `[plugins]`.
struct World {
    process: TestProcess,
}

impl World {
    fn start(limits: &str) -> Self {
        let config = |limits: &str| {
            [
                base_with(&format!("store = \"{{dir}}/store\"\n{limits}")),
                format!("[plugin.world]\n{PATIENT}\n"),
                route("all", "{ plugin = \"world\" }", "respond = 200"),
            ]
            .concat()
        };
        let files = TestFiles::default().with("plugins/world.wasm", guests::guest("reads-the-world.wasip2"));
        let files = TestProcess::start_in(files, &config(""), &[]).unwrap().kill();
        Self {
            process: TestProcess::start_in(files, &config(limits), &[]).unwrap(),
        }
    }

    /// Puts a file in the plugin's place, and waits until the gateway has noticed and refused it; why.
    fn refuse(&self, bytes: &[u8]) -> String {
        let count = self.refusals().len();
        self.replace(bytes);
        eventually("it is refused", || self.refusals().into_iter().nth(count))
    }

    fn replace(&self, bytes: &[u8]) {
        let (plugin, part) = (self.file(), self.process.dir().join("part"));
        fs::write(&part, bytes).unwrap();
        fs::rename(part, plugin).unwrap();
    }

    fn file(&self) -> std::path::PathBuf {
        self.process.dir().join("plugins/world.wasm")
    }

    fn refusals(&self) -> Vec<String> {
        let stderr = self.process.stderr();
        let refused = stderr.lines().filter(|line| line.contains("reload refused"));
        refused.map(str::to_owned).collect()
    }

    /// The child that compiles, when it has its job and works at it.
    fn compiler(&self) -> Pid {
        eventually("it compiles", || {
            children(self.process.pid())
                .into_iter()
                .find(|child| cpu_time(*child) >= Duration::from_millis(300))
        })
    }

    fn assert_serves(&self) {
        assert_eq!(http(self.process.addr("public"), "GET", "/all", &[], b"").status, 200);
        assert_eq!(children(self.process.pid()), [], "a child is left over");
    }
}

#[test]
fn p19_after_a_cold_start_a_gateway_is_no_larger_than_after_a_warm_one() {
    let _heavy = heavy();
    let origin = Origin::saying("hello");
    let store = tempfile::tempdir().unwrap();
    let config = teaching::config(&origin.url()).replace(
        "[plugins]",
        &format!("[plugins]\nstore = \"{}/store\"", store.path().display()),
    );
    let start = |source: &str| {
        let process = TestProcess::start_in(teaching::files(), &config, &[]).unwrap();
        let metrics = http(process.admin(), "GET", "/metrics", &[], b"").text();
        let loads = format!("gatewright_plugin_loads_total{{source=\"{source}\"}} 3");
        assert!(metrics.contains(&loads), "{metrics}");
        resident_bytes(process.pid())
    };
    let (cold, warm) = (start("compiler"), start("store"));
    eprintln!(
        "measured, P19, resident with the teaching plugins: cold {} MiB, warm {} MiB",
        cold / MIB,
        warm / MIB
    );
    // The compiler takes 30 MiB for these plugins.
    assert!(
        cold < warm + 10 * MIB,
        "cold {} MiB, warm {} MiB",
        cold / MIB,
        warm / MIB
    );
}

#[test]
fn p19_what_takes_too_long_to_compile_is_refused_and_the_version_before_serves() {
    let _heavy = heavy();
    let world = World::start("compile_time = \"200ms\"");
    let message = world.refuse(large_plugin());
    assert!(
        message.contains("takes longer than 200ms; raise `compile_time` under `[plugins]`"),
        "{message}"
    );
    world.assert_serves();
}

#[test]
fn p19_what_takes_too_much_memory_to_compile_is_refused_and_the_version_before_serves() {
    let _heavy = heavy();
    for limit in ["1MiB", "64MiB"] {
        let world = World::start(&format!("compile_memory = \"{limit}\""));
        let message = world.refuse(large_plugin());
        let expected = format!("takes more than {limit} of memory; raise `compile_memory` under `[plugins]`");
        assert!(message.contains(&expected), "{message}");
        world.assert_serves();
    }
}

#[test]
fn p19_a_compiler_that_is_killed_is_one_error_and_the_next_one_works() {
    let _heavy = heavy();
    let world = World::start("");
    world.replace(large_plugin());
    rustix::process::kill_process(world.compiler(), Signal::KILL).unwrap();
    let message = eventually("it is refused", || world.refusals().into_iter().next());
    assert!(message.contains("the compiler was killed"), "{message}");
    world.assert_serves();
    world.replace(&guests::guest("echo-body"));
    // The file is another plugin now, which has to be compiled and does not fit the route.
    let message = eventually("it is refused", || world.refusals().into_iter().nth(1));
    assert!(message.contains("no stage"), "{message}");
    world.assert_serves();
}

#[test]
fn p19_a_compiler_has_nothing_of_the_gateway_and_goes_with_it() {
    let _heavy = heavy();
    let mut world = World::start("");
    world.replace(large_plugin());
    let (gateway, compiler) = (world.process.pid(), world.compiler());
    // Whoever runs the tests may have left files open for every process.
    let ours = open_file_names(rustix::process::getpid());
    let more: Vec<_> = open_file_names(compiler)
        .into_iter()
        .filter(|file| !ours.contains(file))
        .collect();
    assert_eq!(more.len(), 3, "its job, its code, its answer: {more:?}");
    let environment = fs::read_to_string(format!("/proc/{}/environ", compiler.as_raw_nonzero())).unwrap();
    assert!(!environment.contains("PATH="), "{environment:?}");
    let niceness = |pid| rustix::process::getpriority_process(Some(pid)).unwrap();
    assert_eq!(niceness(compiler), (niceness(gateway) + 10).min(19));
    let score = fs::read_to_string(format!("/proc/{}/oom_score_adj", compiler.as_raw_nonzero())).unwrap();
    assert_eq!(score.trim(), "1000");
    world.process.signal(Signal::KILL);
    let killed = Instant::now();
    world.process.wait();
    eventually("it is gone", || (!is_alive(compiler)).then_some(()));
    // It would have had work for longer.
    assert!(killed.elapsed() < Duration::from_secs(2), "{:?}", killed.elapsed());
}

#[test]
fn p19_without_a_store_what_a_child_has_compiled_is_used_all_the_same() {
    let config = [
        base_with("store = \"/proc/gatewright/store\""),
        format!("[plugin.echo-body]\n{PATIENT}\n"),
        route("all", "", "plugin = \"echo-body\""),
    ];
    let files = TestFiles::default().with_guests(&["echo-body"]);
    let process = TestProcess::start_in(files, &config.concat(), &[]).unwrap();
    assert_eq!(
        http(process.addr("public"), "POST", "/all", &[], b"mapped").text(),
        "mapped"
    );
    assert!(
        process.stderr().contains("cannot use the compiled-code store"),
        "{}",
        process.stderr()
    );
}

#[test]
fn p19_a_child_refuses_what_this_process_would_in_the_same_words() {
    let echo = guests::guest("echo");
    let bad: [(&str, &[u8]); 4] = [
        ("cut", &echo[..echo.len() / 2]),
        ("a module that ends in a section", b"\0asm\x01\0\0\0\x01\x05\x01"),
        ("a module that is invalid", b"\0asm\x01\0\0\0\xff\x00"),
        ("a component that is invalid", b"\0asm\x0d\0\x01\0\xff\x00"),
    ];
    for (what, bytes) in bad {
        let config = base() + &route("all", "", "plugin = \"bad\"");
        let files = || TestFiles::default().with("plugins/bad.wasm", bytes);
        let reason = |message: &str| {
            let (_, reason) = message.split_once("bad.wasm): ").expect(message);
            reason.trim_end().to_owned()
        };
        let here = files().try_start(&config).err().expect(what);
        let there = files().check(&config).expect_err(what);
        assert_eq!(reason(&there), reason(&here), "{what}");
    }
}

#[test]
fn the_command_that_compiles_is_not_for_people() {
    let run = |argument: &str| {
        let mut command = std::process::Command::new(binary());
        command
            .arg(argument)
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap()
    };
    let output = run("compile-plugin");
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("for the gateway itself"), "{message}");
    let help = String::from_utf8(run("--help").stdout).unwrap();
    assert!(help.contains("plugin") && !help.contains("compile-plugin"), "{help}");
}

/// Two plugins that take seconds to compile, and a store that has neither.
fn two_large() -> (TestFiles, String) {
    let other = {
        // A custom section, so that it is another file.
        let mut bytes = large_plugin().to_vec();
        bytes.extend([0, 2, 1, b'x']);
        bytes
    };
    let files = TestFiles::default()
        .with("plugins/one.wasm", large_plugin())
        .with("plugins/two.wasm", other);
    let config = [
        base_with("store = \"{dir}/store\""),
        format!("[plugin.one]\n{PATIENT}\n[plugin.two]\n{PATIENT}\n"),
        route("one", "{ plugin = \"one\" }", "respond = 200"),
        route("two", "{ plugin = \"two\" }", "respond = 200"),
    ];
    (files, config.concat())
}

#[test]
fn plugins_are_compiled_side_by_side_and_a_gateway_says_when_each_begins_and_ends() {
    let _heavy = heavy();
    let (files, config) = two_large();
    let process = TestProcess::start_in(files, &config, &[]).unwrap();
    let log = process.stderr();
    let places = |message: &str| {
        let lines = log.lines().enumerate();
        let mut found: Vec<_> = lines
            .filter_map(|(place, line)| Some((place, serde_json::from_str::<serde_json::Value>(line).ok()?)))
            .filter(|(_, line)| line["fields"]["message"] == message)
            .map(|(place, line)| (line["fields"]["plugin"].as_str().unwrap().to_owned(), place))
            .collect();
        found.sort();
        found
    };
    let (begun, ended) = (places("compiling a plugin"), places("plugin compiled"));
    let names = |found: &[(String, usize)]| found.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&begun), ["one", "two"], "{log}");
    assert_eq!(names(&ended), ["one", "two"], "{log}");
    let last_begun = begun.iter().map(|(_, place)| place).max();
    let first_ended = ended.iter().map(|(_, place)| place).min();
    assert!(last_begun < first_ended, "one after the other: {log}");
    for path in ["/one", "/two"] {
        assert_eq!(http(process.addr("public"), "GET", path, &[], b"").status, 200);
    }
}

#[test]
fn a_terminal_shows_what_is_compiled_and_for_how_long_and_a_file_only_lines() {
    let _heavy = heavy();
    let (files, config) = two_large();
    let file = files.write_config(&config);
    let terminal = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
    let mut check = Command::new("python3");
    check.args(["-c", terminal]).arg(binary()).arg("check").arg(&file);
    let shown = check.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.status.success(), "{text}");
    let lines = |text: &str| {
        for plugin in ["one", "two"] {
            assert!(text.contains(&format!("compiling plugin `{plugin}` (")), "{text}");
            assert!(text.contains(&format!("compiled plugin `{plugin}` in ")), "{text}");
        }
    };
    lines(&text);
    let both = [
        "\r\u{1b}[2Kcompiling one 0 s, two 0 s",
        "\r\u{1b}[2Kcompiling two 0 s, one 0 s",
    ];
    assert!(both.iter().any(|line| text.contains(line)), "{text:?}");
    let check = Command::new(binary()).arg("check").arg(&file).output().unwrap();
    let text = String::from_utf8_lossy(&check.stderr).into_owned();
    assert!(check.status.success() && !text.contains('\u{1b}'), "{text:?}");
    lines(&text);
}

#[test]
fn what_a_test_of_a_plugin_has_compiled_the_next_one_does_not_compile_again() {
    let files = TestFiles::default()
        .with("plugin.wasm", guests::guest("version-one"))
        .with("cases.toml", "[[case]]\nname = \"any\"\nexpect = { status = 200 }\n");
    let compiles = |home: &str| {
        let test = Command::new(binary())
            .current_dir(files.dir())
            .args(["plugin", "test", "plugin.wasm", "--cases", "cases.toml"])
            .env("XDG_CACHE_HOME", files.dir().join(home))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&test.stderr).into_owned();
        assert!(test.status.code().is_some_and(|code| code < 2), "{text}");
        text.contains("compiling plugin `plugin`")
    };
    assert_eq!(["a", "a", "b"].map(compiles), [true, false, true]);
}
