//! Plans of chains, and chains of which there is none.

use std::path::{Path, PathBuf};

use gatewright_config::parse;
use gatewright_wasm::{BodyRules, FieldsSummary, NeedsSummary, PluginKind, PluginSummary};

use super::*;

const MIB: u64 = 1 << 20;

fn plugin(name: &str, kinds: &[PluginKind], request_body: bool, response_body: bool) -> PluginSummary {
    let none = || FieldsSummary::Named(Vec::new());
    PluginSummary {
        name: name.to_owned(),
        file: PathBuf::new(),
        declared_name: name.to_owned(),
        version: "1".to_owned(),
        description: String::new(),
        digest: String::new(),
        publisher: None,
        file_bytes: 0,
        kinds: kinds.to_vec(),
        standard: name
            .starts_with("wasi-")
            .then(|| "wasi:http/incoming-handler@0.2.3".to_owned()),
        needs: NeedsSummary {
            parts: Vec::new(),
            request_fields: none(),
            response_fields: none(),
            request_body,
            response_body,
            request_chunks: kinds.contains(&PluginKind::BodyFilter),
            response_chunks: kinds.contains(&PluginKind::BodyFilter),
            bodies: BodyRules::default(),
        },
        services: Vec::new(),
        imports: Vec::new(),
        reusable: false,
        config_schema: None,
        compile_ms: None,
        compiled_bytes: 0,
    }
}

/// The plan of the route `it`, whose keys these are.
fn of(keys: &str, sections: &str) -> Result<BodyPlan, Impossible> {
    use PluginKind::{Authorizer, BodyFilter, Integration, RequestTransform, ResponseTransform};
    let plugins = [
        plugin("decides", &[Authorizer], false, false),
        plugin("signs", &[Authorizer], true, false),
        plugin("rewrites", &[RequestTransform, ResponseTransform], true, true),
        plugin("masks", &[ResponseTransform], false, true),
        plugin("answers", &[Integration], true, false),
        plugin("filters", &[BodyFilter], false, false),
        plugin("wasi-serves", &[Integration], false, false),
    ];
    let text = format!(
        "[listener.public]\naddress = \"127.0.0.1:0\"\n[plugins]\ndirectory = \"plugins\"\n[upstream.app]\n\
         targets = [{{ url = \"http://127.0.0.1:1\" }}]\n{sections}\n[[route]]\nname = \"it\"\npath = \"/\"\n{keys}\n"
    );
    let config = parse(&text, Path::new("gateway.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    plan(&config.routes[0], &config, |name| {
        plugins.iter().find(|plugin| plugin.name == name)
    })
}

const HTTP: &str = "integration = { http = \"app\" }";

fn words(steps: &[BodyStep]) -> Vec<String> {
    steps
        .iter()
        .map(|BodyStep { by, body }| format!("{by} {body}"))
        .collect()
}

#[test]
fn without_plugins_everything_streams_and_nothing_is_held() {
    let plan = of(
        &format!("chain = [{{ use = \"throttle\", rate = \"1/s\" }}]\n{HTTP}"),
        "",
    )
    .unwrap();
    assert_eq!(words(&plan.request), ["http:app streams"]);
    assert_eq!(words(&plan.response), ["http:app streams"]);
    assert_eq!((plan.memory.bytes, plan.request_limit_bytes), (0, 10 * MIB));
    assert_eq!(plan.summary()["request"], "streams");
}

#[test]
fn a_plugin_that_reads_no_body_lets_it_stream() {
    let plan = of(&format!("chain = [{{ plugin = \"decides\" }}]\n{HTTP}"), "").unwrap();
    assert_eq!(words(&plan.request), ["http:app streams"]);
    // Its memory, and what it may hand out.
    assert_eq!((plan.memory.bytes, plan.memory.at.as_str()), (18 * MIB, "decides"));
}

#[test]
fn a_body_is_collected_once_and_the_smallest_limit_counts_from_there() {
    let chain = "chain = [{ plugin = \"signs\", body = \"2MiB\" }, { plugin = \"rewrites\" }]";
    let plan = of(&format!("{chain}\n{HTTP}"), "").unwrap();
    assert_eq!(plan.request.len(), 3);
    assert_eq!(
        plan.request[0].body,
        Handling::Collects {
            most_bytes: 2 * MIB,
            status_above: Some(413)
        }
    );
    assert_eq!(plan.request[2].body, Handling::SendsCollected);
    assert_eq!(plan.memory.bytes, (2 + 16 + 2) * MIB);
    assert!(plan.notes.iter().any(|note| note.contains("413")), "{:?}", plan.notes);
    assert_eq!(plan.summary()["request"], "collected by signs, rewrites");
}

#[test]
fn a_stream_that_is_collected_on_its_way_back_is_worth_a_note() {
    let plan = of(&format!("chain = [{{ plugin = \"masks\" }}]\n{HTTP}"), "").unwrap();
    assert_eq!(
        plan.response[1].body,
        Handling::Collects {
            most_bytes: MIB,
            status_above: Some(502)
        }
    );
    assert!(plan.notes[0].contains("server-sent events"), "{:?}", plan.notes);
    assert_eq!((plan.memory.bytes, plan.memory.at.as_str()), (19 * MIB, "masks"));
}

#[test]
fn what_never_changes_needs_no_surprise() {
    let plan = of(
        "chain = [{ plugin = \"masks\" }]\nintegration = { respond = 200, body = \"abc\" }",
        "",
    )
    .unwrap();
    assert_eq!(
        plan.response[1].body,
        Handling::Collects {
            most_bytes: 3,
            status_above: None
        }
    );
    assert!(plan.notes.is_empty(), "{:?}", plan.notes);
}

#[test]
fn chains_that_cannot_work_are_refused_with_plugin_and_line() {
    let large = "x".repeat(2048);
    let cases = [
        (
            format!("body = \"4MiB\"\nchain = [{{ plugin = \"signs\" }}]\n{HTTP}"),
            "",
            "`signs` reads the whole body",
            12,
        ),
        (
            format!("chain = [{{ plugin = \"masks\", body = \"16MiB\" }}]\n{HTTP}"),
            "",
            "do not fit into its memory of 16MiB",
            11,
        ),
        (
            format!("chain = [{{ plugin = \"signs\" }}]\n{HTTP}"),
            "[plugin.signs]\nmemory = \"1MiB\"",
            "[plugin.signs]",
            12,
        ),
        (
            "body = \"2MiB\"\nintegration = { plugin = \"answers\" }".to_owned(),
            "",
            "`answers` reads the whole body",
            12,
        ),
        (
            format!(
                "chain = [{{ plugin = \"masks\", body = \"1KiB\" }}]\nintegration = {{ respond = 200, body = \"{large}\" }}"
            ),
            "",
            "answers with a body of 2048 bytes",
            11,
        ),
    ];
    for (keys, sections, words, line) in cases {
        let error = of(&keys, sections).unwrap_err();
        assert!(error.reason.contains(words), "{words}: {error}");
        assert_eq!(error.place.line, line, "{error}");
    }
}

#[test]
fn a_filter_lets_bodies_stream_and_has_its_memory_until_they_end() {
    let chain = "chain = [{ plugin = \"filters\" }, { plugin = \"decides\" }]";
    let plan = of(
        &format!("{chain}\n{HTTP}"),
        "[plugin.filters]\noutput_bytes = \"256KiB\"",
    )
    .unwrap();
    let filters = "filters goes through its filter in chunks, at most 256KiB each when they come out";
    assert_eq!(words(&plan.request), [filters, "http:app streams"]);
    assert_eq!(words(&plan.response), ["http:app streams", filters]);
    // The one of the request may still be there while the response comes.
    assert_eq!((plan.memory.bytes, plan.memory.at.as_str()), (36 * MIB, "decides"));
    assert_eq!(plan.summary()["response"], "filtered by filters");
}

#[test]
fn who_collects_after_a_filter_gets_what_it_made_and_the_filter_is_done() {
    let chain = "body = \"1KiB\"\nchain = [{ plugin = \"filters\" }, { plugin = \"signs\", body = \"1MiB\" }]";
    let sections = "[plugin.filters]\noutput_bytes = \"1KiB\"\n[plugin.signs]\nmemory = \"32MiB\"";
    let plan = of(&format!("{chain}\nintegration = {{ respond = 200 }}"), sections).unwrap();
    assert_eq!(
        plan.request[1].body,
        Handling::Collects {
            most_bytes: 3 << 10,
            status_above: None
        }
    );
    assert_eq!(
        (plan.memory.bytes, plan.memory.at.as_str()),
        ((3 << 10) + 34 * MIB, "signs")
    );
    assert_eq!(plan.summary()["request"], "filtered by filters; collected by signs");
}

#[test]
fn a_standard_component_streams_and_is_there_until_the_response_ends() {
    let chain = "chain = [{ plugin = \"masks\" }, { plugin = \"filters\" }]";
    let plan = of(&format!("{chain}\nintegration = {{ plugin = \"wasi-serves\" }}"), "").unwrap();
    assert_eq!(words(&plan.request)[1..], ["wasi-serves streams"]);
    assert_eq!(words(&plan.response)[..1], ["wasi-serves streams"]);
    // Two filters, it, and the body that waits.
    assert_eq!(
        (plan.memory.bytes, plan.memory.at.as_str()),
        ((18 + 18 + 18 + 1) * MIB, "masks")
    );
}

#[test]
fn a_plugin_that_is_not_loaded_holds_nothing() {
    let plan = of(&format!("chain = [{{ plugin = \"gone\" }}]\n{HTTP}"), "").unwrap();
    assert_eq!(plan.memory.bytes, 0);
}

#[test]
fn a_waf_looks_into_a_body_that_goes_on_as_it_came() {
    let plan = of(&format!("chain = [{{ use = \"waf\" }}]\n{HTTP}"), "").unwrap();
    assert_eq!(
        words(&plan.request),
        ["waf looks into the first 64KiB; 413 above", "http:app streams"]
    );
    assert_eq!((plan.memory.bytes, plan.memory.at.as_str()), (128 << 10, "waf"));
    assert_eq!(plan.summary()["request"], "inspected by waf");
    let chain = "chain = [{ use = \"waf\", larger = \"inspect-start\", body = \"1KiB\" }]";
    let plan = of(&format!("{chain}\n{HTTP}"), "").unwrap();
    assert_eq!(
        words(&plan.request)[0],
        "waf looks into the first 1KiB; the rest streams"
    );
    let plan = of(&format!("chain = [{{ use = \"waf\", body = \"0B\" }}]\n{HTTP}"), "").unwrap();
    assert_eq!(words(&plan.request), ["http:app streams"]);
}
