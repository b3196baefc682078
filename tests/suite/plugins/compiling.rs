//! P19: what takes long to compile is compiled aside, and what is too large is not even read.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use gatewright_tests::neighbour::Neighbour;
use gatewright_tests::{Signal, TestFiles, TestProcess, eventually, guests, http};

use super::setup::{PATIENT, base_with, heavy, route};
use crate::memory::{children, cpu_time, is_alive};

/// Seconds of work for the compiler, and nothing that it is made for.
const FUNCTIONS: usize = 40_000;

/// A plugin with a core module of so many functions in it, which nobody instantiates.
pub(crate) fn large_plugin() -> &'static [u8] {
    static PLUGIN: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut text = String::from("(module (memory 1)");
        for number in 0..FUNCTIONS {
            text.push_str(&format!(
                "(func (param i32) (result i32) (i32.add (i32.load (local.get 0)) (i32.mul (local.get 0) (i32.const {number}))))"
            ));
        }
        text.push(')');
        let mut component = guests::guest("reads-the-world.wasip2");
        push_core_module(&mut component, &wat::parse_str(text).unwrap());
        component
    });
    &PLUGIN
}

/// One more section, with its length as an unsigned LEB128 number.
fn push_core_module(component: &mut Vec<u8>, module: &[u8]) {
    component.push(1);
    let mut length = module.len();
    while length >= 0x80 {
        component.push(0x80 | u8::try_from(length & 0x7f).unwrap());
        length >>= 7;
    }
    component.push(u8::try_from(length).unwrap());
    component.extend(module);
}

/// A configuration with the plugin `world`, which is small to begin with, and a store that has nothing of the large one.
fn world() -> (TestFiles, String) {
    let limits = format!("[plugin.world]\n{PATIENT}\n");
    let config = [
        base_with(""),
        limits,
        route("all", "{ plugin = \"world\" }", "respond = 200"),
    ];
    let small = guests::guest("reads-the-world.wasip2");
    (TestFiles::default().with("plugins/world.wasm", small), config.concat())
}

#[test]
fn p19_a_plugin_of_very_many_functions_is_compiled_aside() {
    let _heavy = heavy();
    let (files, config) = world();
    let gateway = files.start(&config);
    let compiled = gateway.metric("gatewright_plugin_compile_seconds_total");
    gateway.write("plugins/world.wasm", large_plugin());
    let neighbour = Neighbour::start(&gateway, "public", "/neighbour");
    // Not bound by the harness's deadline: the compiler has low priority, and the machine has more to do.
    let generation = gateway.reload().unwrap();
    let latencies = neighbour.stop();
    let took = gateway.metric("gatewright_plugin_compile_seconds_total") - compiled;
    assert!(generation > 1 && took > 0.5, "{took} s");
    let what = format!("P19, {FUNCTIONS} functions compiled in {took:.1} s");
    latencies.assert_below(Duration::from_millis(150), &what);
    assert_eq!(http(gateway.addr("public"), "GET", "/all", &[], b"").status, 200);
}

#[test]
fn p19_a_gateway_that_compiles_can_be_stopped() {
    let _heavy = heavy();
    let (files, config) = world();
    let mut process = TestProcess::start_in(files, &config, &[]).unwrap();
    std::fs::write(process.dir().join("plugins/world.wasm"), large_plugin()).unwrap();
    let compiler = eventually("it compiles", || {
        let compiling = children(process.pid());
        compiling
            .into_iter()
            .find(|child| cpu_time(*child) >= Duration::from_millis(300))
    });
    process.signal(Signal::TERM);
    let told = Instant::now();
    assert!(process.wait().success(), "{}", process.stderr());
    eventually("the compiler is gone", || (!is_alive(compiler)).then_some(()));
    assert!(told.elapsed() < Duration::from_secs(4), "{:?}", told.elapsed());
}

#[test]
fn p19_a_file_that_is_too_large_is_not_read() {
    let config =
        |limit: &str| base_with(&format!("file_bytes = \"{limit}\"")) + &route("all", "", "plugin = \"echo-body\"");
    let bytes = guests::guest("echo-body").len();
    let limit = format!("{}B", bytes - 1);
    let message = TestFiles::default()
        .with_guests(&["echo-body"])
        .try_start(&config(&limit))
        .err()
        .expect("too large");
    assert!(
        message.contains(&format!("larger than {} bytes; raise `file_bytes`", bytes - 1)),
        "{message}"
    );

    let gateway = TestFiles::default()
        .with_guests(&["echo-body"])
        .start(&config(&format!("{bytes}B")));
    let file = std::fs::File::options()
        .append(true)
        .open(gateway.dir().join("plugins/echo-body.wasm"))
        .unwrap();
    // A hundred MiB, of which the disk has none.
    file.set_len(100 << 20).unwrap();
    let message = gateway.reload().unwrap_err();
    assert!(message.contains("raise `file_bytes`"), "{message}");
    assert_eq!(
        http(gateway.addr("public"), "POST", "/all", &[], b"still").text(),
        "still"
    );
}
