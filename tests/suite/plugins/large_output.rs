//! P7, P12: what a plugin answers is measured before it is copied, and refused when it is too much or makes no sense.

use gatewright_tests::TestFiles;

use super::setup::{HOOKS, Kinds, PATIENT, base, code, record, route};

/// Enough for guests that make what is refused afterwards.
const ROOMY: &str = "time = \"20s\"\ncpu = \"10s\"\nmemory = \"256MiB\"";

#[test]
fn p7_too_much_output_is_refused_whole_in_every_hook() {
    let kinds = Kinds::start("floods-output", ROOMY, "");
    let everywhere = ["fields", "value", "name", "fault"];
    let here = |hook: &str| match hook {
        "authorizer" => &["attributes", "attribute", "scopes", "principal", "statements"][..],
        "integration" => &["body"],
        _ => &["attributes", "attribute", "body"],
    };
    for hook in HOOKS {
        for mode in everywhere.iter().chain(here(hook)) {
            let asked = kinds.ask(hook, mode);
            asked.assert_failed(hook, "floods-output", 500, code(hook, "PLUGIN_OUTPUT_TOO_LARGE"));
            assert!(
                asked.response.body.len() < 100 && asked.response.headers.len() < 10,
                "{mode}: {asked:?}"
            );
        }
        kinds.assert_works();
    }
    let refused = kinds.metric("calls_total", "outcome=\"output_refused\"");
    assert_eq!(refused, (4 * 4 + 5 + 1 + 2 * 3) as f64);
}

#[test]
fn p7_a_body_within_the_limit_passes_and_one_byte_more_does_not() {
    let limits = format!("{ROOMY}\noutput_bytes = \"2MiB\"\nhost_call_bytes = \"64MiB\"");
    let kinds = Kinds::start("floods-output", &limits, "");
    for (mib, status) in [("1", 200), ("2", 200), ("3", 500), ("20", 500)] {
        let asked = kinds.ask_with("integration", &[("x-mode", "body"), ("x-mib", mib)]);
        assert_eq!(asked.response.status, status, "{mib} MiB");
        let sent = if status == 200 {
            mib.parse::<usize>().unwrap() << 20
        } else {
            asked.response.body.len()
        };
        assert_eq!(asked.response.body.len(), sent);
    }
}

#[test]
fn p12_lies_on_the_level_of_the_abi_are_faults_of_that_call() {
    let lies = [
        "bad-utf8-name",
        "bad-utf8-fault",
        "surrogate",
        "long-body",
        "aliased-fields",
        "many-fields",
        "bad-case",
        "misaligned",
        "beyond",
    ];
    let lying = |mode: &str| {
        route(
            mode,
            "",
            &format!("plugin = \"lies-in-abi\", config = {{ mode = \"{mode}\" }}"),
        )
    };
    let routes: String = lies.iter().chain(&["honest"]).map(|mode| lying(mode)).collect();
    let limits = format!("[plugin.lies-in-abi]\n{PATIENT}\n");
    let gateway = TestFiles::default()
        .with_guests(&["lies-in-abi"])
        .start(&[base(), limits, routes].concat());
    let ask = |mode: &str| gatewright_tests::http(gateway.addr("public"), "GET", &format!("/{mode}"), &[], b"");
    for lie in lies {
        let answer = ask(lie);
        let too_large = lie == "aliased-fields";
        let expected = if too_large {
            "PLUGIN_OUTPUT_TOO_LARGE"
        } else {
            "PLUGIN_FAULT"
        };
        assert_eq!(
            (answer.status, answer.error()),
            (500, Some(expected)),
            "{lie}: {answer:?}"
        );
        let record = record(&gateway, &format!("/{lie}"));
        assert!(
            record["cause"].as_str().unwrap().contains("plugin `lies-in-abi`"),
            "{record}"
        );
        assert_eq!(ask("honest").text(), "correct\n");
    }
}
