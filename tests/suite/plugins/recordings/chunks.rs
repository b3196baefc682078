//! What went through a filter in a recorded exchange, and what came out of it.

use gatewright_tests::{Origin, TestFiles, TestGateway, empty, http};
use http::Response;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::{gatewright, recording, stdout};
use crate::plugins::setup::{PATIENT, base, route, upstream};

const GUEST: &str = "filters-body";

/// A gateway whose plugin filters requests, in this mode, and what is written down of it.
fn start(origin: &Origin, mode: &str, record: &str) -> TestGateway {
    let limits =
        format!("[plugin.{GUEST}]\n{PATIENT}\n[plugin.{GUEST}.record]\ndirectory = \"{{dir}}/recordings\"\n{record}\n");
    let stage = format!("{{ plugin = \"{GUEST}\", config = {{ mode = \"{mode}\", only = \"requests\" }} }}");
    let config = [
        base(),
        upstream(origin),
        limits,
        route("stage", &stage, "http = \"app\""),
    ]
    .concat();
    TestFiles::default().with_guests(&[GUEST]).start(&config)
}

/// Takes everything, and answers without a body, which is nothing for a filter.
fn origin() -> Origin {
    Origin::start(|request| async {
        let _ = request.into_body().collect().await;
        Response::new(empty())
    })
}

/// Longer than a chunk may be.
fn body() -> String {
    "abcdefgh".repeat(20_000)
}

fn texts(recorded: &Value, which: &str) -> Vec<String> {
    let chunks = recorded["chunks"].as_array().unwrap().iter();
    let texts = chunks.filter_map(|chunk| chunk[which]["text"].as_str());
    texts.map(str::to_owned).collect()
}

/// What `replay` and, with the case that it writes, `plugin test` say.
fn again(gateway: &TestGateway, recorded: &Value) -> (Option<i32>, String, Option<i32>, String) {
    let (file, case) = (gateway.dir().join("recording"), gateway.dir().join("recorded.toml"));
    let _ = std::fs::remove_file(&case);
    std::fs::write(&file, recorded.to_string()).unwrap();
    let replayed = gatewright(&["replay", "--case"], &[&case, &file]);
    let wasm = gateway.dir().join(format!("plugins/{GUEST}.wasm"));
    let tested = gatewright(&["plugin", "test", wasm.to_str().unwrap(), "--cases"], &[&case]);
    (
        replayed.status.code(),
        stdout(&replayed),
        tested.status.code(),
        stdout(&tested),
    )
}

#[test]
fn chunks_of_a_filter_are_written_down_with_what_came_out_and_pushed_again() {
    let origin = origin();
    let gateway = start(&origin, "", "sample = 1\nbodies = true");
    let sent = body();
    assert_eq!(
        http(gateway.addr("public"), "POST", "/stage", &[], sent.as_bytes()).status,
        200
    );
    let (_, mut recorded) = recording(&gateway);
    assert_eq!(
        (&recorded["hook"], &recorded["outcome"]),
        (&json!("body-filter"), &json!("ok"))
    );
    let (given, returned) = (texts(&recorded, "given"), texts(&recorded, "returned"));
    assert!(given.len() >= 3, "{} chunks", given.len());
    assert_eq!((given.concat(), returned.concat()), (sent.clone(), sent.to_uppercase()));
    let end = recorded["chunks"].as_array().unwrap().last().unwrap();
    assert_eq!(end["given"], Value::Null, "the end of the body is one of its calls");
    let (replayed, said, tested, told) = again(&gateway, &recorded);
    assert!(replayed == Some(0) && said.contains("\nreproduced"), "{said}");
    assert_eq!(tested, Some(0), "{told}");
    // What came out is compared.
    recorded["chunks"][1]["returned"] = json!({ "text": "something else" });
    let (replayed, said, tested, told) = again(&gateway, &recorded);
    assert!(replayed == Some(1) && said.contains("not reproduced"), "{said}");
    assert_eq!(tested, Some(1), "{told}");
}

#[test]
fn a_filter_that_traps_is_reproduced_by_the_lengths_of_its_chunks_alone() {
    let origin = origin();
    let gateway = start(&origin, "trap", "on = [\"trap\"]");
    let broken = http(gateway.addr("public"), "POST", "/stage", &[], body().as_bytes());
    assert_eq!(
        (broken.status, broken.error()),
        (500, Some("PLUGIN_FAULT")),
        "{broken:?}"
    );
    let (_, recorded) = recording(&gateway);
    let chunks = recorded["chunks"].as_array().unwrap();
    assert_eq!(chunks.len(), 2, "{recorded:#}");
    assert!(chunks[0]["given"]["redacted"].is_u64(), "{recorded:#}");
    assert_eq!(chunks[1]["returned"], Value::Null);
    assert!(!recorded.to_string().contains("abcdefgh"));
    let (replayed, said, tested, told) = again(&gateway, &recorded);
    assert!(
        replayed == Some(0) && said.contains("now:  trap") && said.contains("chunks of the body are redacted"),
        "{said}"
    );
    assert_eq!(tested, Some(0), "{told}");
}
