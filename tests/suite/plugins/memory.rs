//! P3, P4: a guest's memory and stack end at its limits, and the process is none the worse for it.

use gatewright_tests::neighbour::Neighbour;
use gatewright_tests::{RawClient, TestFiles, TestProcess, http};

use super::setup::{Crowd, HOOKS, Kinds, PATIENT, base, code, heavy, route};
use crate::memory::{peak_bytes, resident_bytes};

const MIB: usize = 1 << 20;

#[test]
fn p3_memory_ends_at_its_limit_in_every_hook() {
    let kinds = Kinds::start("grows-memory", PATIENT, "");
    for hook in HOOKS {
        for mode in ["", "at-once"] {
            let asked = kinds.ask(hook, mode);
            asked.assert_failed(hook, "grows-memory", 500, code(hook, "PLUGIN_FAULT"));
            assert!(
                asked.record["cause"].as_str().unwrap().contains("`memory`"),
                "{asked:?}"
            );
            kinds.assert_works();
        }
        let within = kinds.ask(hook, "touch-limit");
        assert_eq!(within.response.status, 200, "{hook}: {within:?}");
    }
    assert_eq!(kinds.metric("traps_total", "reason=\"memory\""), 8.0);
    let high_water = kinds.metric("memory_high_water_bytes", "route=\"integration-below\"") as usize;
    assert!((12 * MIB..=16 * MIB).contains(&high_water), "{high_water}");
    assert_eq!(kinds.metric("instances", ""), 0.0);
}

/// What a new instance costs depends on its memory.
#[test]
fn an_authorizer_in_rust_has_two_pages_and_an_ordinary_call_needs_no_more() {
    const PAGE: f64 = 65_536.0;
    let chain = "{ plugin = \"decides\" }";
    let gateway = TestFiles::default().with_guests(&["decides"]).start(
        &[
            base(),
            format!("[plugin.decides]\n{PATIENT}\n"),
            route("asked", chain, "respond = 200"),
        ]
        .concat(),
    );
    let answer = http(gateway.addr("public"), "GET", "/asked", &[("x-key", "alice")], b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    let most = "gatewright_plugin_memory_high_water_bytes{plugin=\"decides\",route=\"asked\"}";
    assert_eq!(gateway.metric(most), 2.0 * PAGE);
}

#[test]
fn p3_many_memory_bombs_at_once_cost_what_their_places_cost() {
    let _heavy = heavy();
    // Places times memory is what plugins can take: 16 times 16 MiB.
    let limits = format!("[plugin.grows-memory]\n{PATIENT}\nconcurrency = 16\nqueue_timeout = \"10s\"\n");
    let config = [base(), limits, route("bomb", "", "plugin = \"grows-memory\"")].concat();
    let process = TestProcess::start_in(TestFiles::default().with_guests(&["grows-memory"]), &config, &[]).unwrap();
    let before = resident_bytes(process.pid());
    let neighbour = Neighbour::at(process.addr("public"), process.admin(), "/neighbour");
    for round in 0..4 {
        let mut clients: Vec<_> = (0..64).map(|_| RawClient::connect(process.addr("public"))).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            // One in four is good, so that the plugin is not given up.
            let mode = if number % 4 == 0 { "off" } else { "" };
            client.send(gatewright_tests::raw_client::request(
                "GET",
                "/bomb",
                &[("x-mode", mode)],
                b"",
            ));
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let answer = client.read_response();
            let rested = answer.error() == Some("PLUGIN_UNAVAILABLE");
            let expected = if number % 4 == 0 { 200 } else { 500 };
            assert!(
                answer.status == expected || rested,
                "round {round}, {number}: {answer:?}"
            );
        }
    }
    let latencies = neighbour.stop();
    let (peak, after) = (peak_bytes(process.pid()), resident_bytes(process.pid()));
    eprintln!(
        "measured, P3, 64 memory bombs at once in 16 places of 16 MiB: resident before {} MiB, at most {} MiB, after {} MiB",
        before / MIB,
        peak / MIB,
        after / MIB
    );
    assert!(peak < before + (16 * 16 + 64) * MIB, "{} MiB", peak / MIB);
    // What stays are the warm pages of the pool: at most half a MiB for each place that was used.
    assert!(after < before + 64 * MIB, "{} MiB", after / MIB);
    latencies.assert_below(std::time::Duration::from_millis(150), "P3, memory bombs");
}

#[test]
fn p4_recursion_without_end_is_a_trap_in_every_hook() {
    let kinds = Kinds::start("recurses", PATIENT, "");
    for hook in HOOKS {
        for mode in ["", "frames"] {
            let asked = kinds.ask(hook, mode);
            asked.assert_failed(hook, "recurses", 500, code(hook, "PLUGIN_FAULT"));
            kinds.assert_works();
        }
    }
    // The stack of WebAssembly overflows; the one in linear memory runs below address zero.
    let (stack, fault) = (
        kinds.metric("traps_total", "reason=\"stack\""),
        kinds.metric("traps_total", "reason=\"fault\""),
    );
    assert_eq!(stack + fault, 8.0);
    assert!(stack >= 4.0, "{stack}");
}

#[test]
fn p4_recursions_at_once_do_not_abort_the_process() {
    let kinds = Kinds::start("recurses", &format!("{PATIENT}\nqueue_timeout = \"10s\""), "");
    let path = kinds.path("integration");
    for answer in Crowd::send(&kinds.gateway, 40, &path, &[]).answers() {
        let expected = [(500, Some("PLUGIN_FAULT")), (503, Some("PLUGIN_UNAVAILABLE"))];
        assert!(expected.contains(&(answer.status, answer.error())), "{answer:?}");
    }
}
