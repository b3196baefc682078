//! P2, P17: what is no plugin is refused when it is loaded, with what is wrong with it, and what served goes on.

use std::time::{Duration, Instant};

use gatewright_tests::neighbour::Neighbour;
use gatewright_tests::{TestFiles, TestGateway, guests, http};

use super::setup::{PATIENT, base, heavy, route};

/// A file, and what the refusal says.
type Unfit = (&'static str, &'static [&'static str]);

const GUESTS: [Unfit; 8] = [
    ("loops-in-describe", &["`describe` did not end within 500ms"]),
    ("panics-in-describe", &["cannot describe", "trapped (unreachable)"]),
    ("bad-schema", &["its `config-schema` is not a JSON Schema", "is not "]),
    ("unknown-import", &["cannot link", "acme:warehouse/stock@1.0.0"]),
    (
        "unknown-service",
        &[
            "`services` names `teleport`, which this gateway does not have (it has `kv`, ",
            "a later gateway may have it",
        ],
    ),
    (
        "newer-interface",
        &[
            "it was built for `gatewright:plugin/",
            "@0.2.0`, this gateway speaks `",
            "@0.1.",
        ],
    ),
    (
        "other-world",
        &[
            "a plugin exports `gatewright:plugin/lifecycle@0.1.0`",
            "exports acme:warehouse/robot@1.0.0",
        ],
    ),
    ("echo-body", &["it is no stage; it exports `integration`"]),
];
const TEXTS: [Unfit; 3] = [
    (
        "empty-component",
        &[
            "a plugin exports `gatewright:plugin/lifecycle@0.1.0`",
            "this component exports nothing",
        ],
    ),
    (
        "empty-module",
        &[
            "a plugin exports `gatewright:plugin/lifecycle@0.1.0`",
            "this component exports nothing",
        ],
    ),
    ("grows-at-start", &["plugin `changing`"]),
];

/// A gateway with the plugin `changing` in a chain, which works, and in the file of which other things are put.
fn start() -> TestGateway {
    let limits = format!("[plugin.changing]\n{PATIENT}\n");
    let config = [
        base(),
        limits,
        route(
            "guarded",
            "{ plugin = \"changing\" }",
            "respond = 200, body = \"guarded\"",
        ),
    ];
    let files = TestFiles::default().with("plugins/changing.wasm", guests::guest("version-one"));
    let gateway = files.start(&config.concat());
    assert_serves_version_one(&gateway);
    gateway
}

fn assert_serves_version_one(gateway: &TestGateway) {
    let answer = http(gateway.addr("public"), "GET", "/guarded", &[], b"");
    assert_eq!(
        (answer.status, answer.header("x-response-version")),
        (200, Some("v1")),
        "{answer:?}"
    );
}

/// Replaces the plugin by `bytes`, which must be refused with these words.
fn assert_refused(gateway: &TestGateway, name: &str, bytes: Vec<u8>, words: &[&str]) {
    gateway.write("plugins/changing.wasm", bytes);
    let began = Instant::now();
    let message = gateway.reload().expect_err(name);
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{name}: {:?}",
        began.elapsed()
    );
    let place = ["gateway.toml:", ": route `guarded`: ", "plugin `changing`"];
    for word in place.iter().chain(words) {
        assert!(message.contains(word), "{name}: {word:?} is not in {message:?}");
    }
    // One line for each route that cannot have it, perhaps with a hint.
    let is_said = |line: &str| {
        line.starts_with("  hint: ") || line.contains("gateway.toml:") && line.contains("plugin `changing`")
    };
    assert!(
        message.len() < 2_500 && message.lines().all(is_said),
        "{name}: {message}"
    );
    assert_serves_version_one(gateway);
    // Operators see why.
    let routes = http(gateway.admin(), "GET", "/routes", &[], b"").json();
    assert_eq!(routes["last_refused_reload"]["reason"], message, "{routes}");
    assert!(gateway.metric("gatewright_reloads_total{result=\"refused\"}") >= 1.0);
    assert_eq!(http(gateway.admin(), "GET", "/readyz", &[], b"").status, 200);
}

#[test]
fn p2_p17_what_is_no_plugin_is_refused_with_the_reason_and_the_last_one_serves() {
    let gateway = start();
    for (name, words) in GUESTS {
        assert_refused(&gateway, name, guests::guest(name), words);
    }
    for (name, words) in TEXTS {
        assert_refused(&gateway, name, guests::wat(name), words);
    }
    gateway.write("plugins/changing.wasm", guests::guest("version-two"));
    gateway.reload().unwrap();
    let answer = http(gateway.addr("public"), "GET", "/guarded", &[], b"");
    assert_eq!(answer.header("x-response-version"), Some("v2"));
}

#[test]
fn p17_what_people_drop_into_the_folder_by_mistake_is_called_by_its_name() {
    let gateway = start();
    let mistakes: [(&str, &[u8], &str); 9] = [
        ("nothing", b"", "the file is empty"),
        ("one byte", b"\0", "ends in its header"),
        ("a cut header", b"\0asm\x01\0", "ends in its header"),
        ("text", b"(module)", "WebAssembly text"),
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0", "gzip"),
        ("zip", b"PK\x03\x04aaaaaaaa", "ZIP"),
        ("a program", b"\x7fELF\x02\x01\x01\0", "program or library"),
        ("a web page", b"<!doctype html>", "HTML"),
        ("WebAssembly of the future", b"\0asm\x02\0\0\0", "unknown version"),
    ];
    let component = guests::guest("reads-the-world.wasip2");
    let cut = &component[..component.len() * 3 / 5];
    assert_refused(
        &gateway,
        "a cut component",
        cut.to_vec(),
        &["the file ends in the middle; is it still being copied?"],
    );
    let envoy = guests::text(
        "(module (func (export \"proxy_abi_version_0_2_1\")) (func (export \"proxy_on_context_create\") (param i32 i32)))",
    );
    let words = [
        "it is a proxy-wasm module (ABI 0.2.1)",
        "`gatewright plugin new` starts one",
    ];
    assert_refused(&gateway, "a filter for Envoy", envoy, &words);
    for (name, bytes, word) in mistakes {
        assert_refused(&gateway, name, bytes.to_vec(), &[word]);
    }
}

#[test]
fn p2_a_plugin_that_does_not_come_back_from_describe_costs_a_neighbour_nothing() {
    let _heavy = heavy();
    let gateway = start();
    gateway.write("plugins/changing.wasm", guests::guest("loops-in-describe"));
    let neighbour = Neighbour::start(&gateway, "public", "/neighbour");
    while neighbour.count() < 400 {
        let message = gateway.reload().unwrap_err();
        assert!(message.contains("`describe` did not end"), "{message}");
    }
    neighbour
        .stop()
        .assert_below(Duration::from_millis(150), "P2, loops in describe");
    assert_serves_version_one(&gateway);
}

#[test]
fn p17_the_kind_that_a_route_needs_is_asked_for_by_name() {
    let uses = [
        (
            route("all", "", "plugin = \"decides\""),
            "decides",
            "it is no `integration`; it exports `authorizer`",
        ),
        (
            route("all", "{ plugin = \"echo\" }", "respond = 200"),
            "echo",
            "it is no stage; it exports `integration`",
        ),
        (
            route(
                "all",
                "{ plugin = \"rewrites\", identity = [\"client\"] }",
                "respond = 200",
            ),
            "rewrites",
            "`identity` is for authorizers",
        ),
    ];
    for (route, guest, words) in uses {
        let refused = TestFiles::default().with_guests(&[guest]).try_start(&(base() + &route));
        let message = refused.err().expect(guest);
        assert!(
            message.contains(words) && message.contains("route `all`"),
            "{guest}: {message}"
        );
    }
}

#[test]
fn p17_a_plugin_that_wants_more_memory_than_it_may_have_to_begin_with_is_refused() {
    let config = [
        base(),
        "[plugin.echo]\nmemory = \"64KiB\"\n".to_owned(),
        route("all", "", "plugin = \"echo\""),
    ];
    let message = TestFiles::default()
        .with_guests(&["echo"])
        .try_start(&config.concat())
        .err()
        .expect("too little memory");
    assert!(
        message.contains("bytes of memory") && message.contains("raise `memory`"),
        "{message}"
    );
}

#[test]
fn core_modules_and_components_both_are_plugins() {
    let limits = format!("[plugin.core]\n{PATIENT}\n[plugin.component]\n{PATIENT}\n");
    let routes = route("core", "", "plugin = \"core\"") + &route("component", "", "plugin = \"component\"");
    let (core, component) = (
        guests::guest("reads-the-world"),
        guests::guest("reads-the-world.wasip2"),
    );
    assert_eq!((&core[4..8], &component[4..8]), (&[1, 0, 0, 0][..], &[13, 0, 1, 0][..]));
    let files = TestFiles::default()
        .with("plugins/core.wasm", core)
        .with("plugins/component.wasm", component);
    let gateway = files.start(&[base(), limits, routes].concat());
    for path in ["/core", "/component"] {
        assert_eq!(
            http(gateway.addr("public"), "GET", path, &[], b"").status,
            200,
            "{path}"
        );
    }
}
