//! P19: what takes long to compile is compiled aside, and what is too large is not even read.

use std::time::Duration;

use gatewright_tests::neighbour::Neighbour;
use gatewright_tests::{TestFiles, guests, http};

use super::setup::{PATIENT, base, base_with, heavy, route};

const FUNCTIONS: usize = 100_000;

/// A section of a component with a core module of as many functions, which nobody instantiates.
fn core_module_of(functions: usize) -> Vec<u8> {
    let mut text = String::from("(module (memory 1)");
    for number in 0..functions {
        text.push_str(&format!(
            "(func (param i32) (result i32) (i32.add (i32.load (local.get 0)) (i32.mul (local.get 0) (i32.const {number}))))"
        ));
    }
    text.push(')');
    let module = wat::parse_str(text).unwrap();
    let mut section = vec![1];
    let mut length = module.len();
    while length >= 0x80 {
        section.push(0x80 | u8::try_from(length & 0x7f).unwrap());
        length >>= 7;
    }
    section.push(u8::try_from(length).unwrap());
    section.extend(module);
    section
}

#[test]
fn p19_a_plugin_of_a_hundred_thousand_functions_is_compiled_aside() {
    let _heavy = heavy();
    let limits = format!("[plugin.world]\n{PATIENT}\n");
    let config = [base(), limits, route("all", "{ plugin = \"world\" }", "respond = 200")];
    let mut component = guests::guest("reads-the-world.wasip2");
    let gateway = TestFiles::default()
        .with("plugins/world.wasm", &component)
        .start(&config.concat());
    component.extend(core_module_of(FUNCTIONS));
    let compiled = gateway.metric("gatewright_plugin_compile_seconds_total");
    gateway.write("plugins/world.wasm", component);
    let neighbour = Neighbour::start(&gateway, "public", "/neighbour");
    // Longer than the deadline of most things: the compiler has low priority, and the machine has more to do.
    let generation = gateway.reload().unwrap();
    let latencies = neighbour.stop();
    let took = gateway.metric("gatewright_plugin_compile_seconds_total") - compiled;
    assert!(generation > 1 && took > 0.5, "{took} s");
    latencies.assert_below(
        Duration::from_millis(150),
        &format!("P19, {FUNCTIONS} functions compiled in {took:.1} s"),
    );
    assert_eq!(http(gateway.addr("public"), "GET", "/all", &[], b"").status, 200);
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
