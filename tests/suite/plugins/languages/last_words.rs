//! A plugin that breaks off says why, in its author's words and with the line of its author's source: in the log, in
//! `plugin test`, on the admin address and in recordings.

use std::path::Path;

use gatewright_tests::{TestFiles, http};

use super::{gatewright, succeeded};

/// What an authorizer does for each value of `authorization`, and what is said of it.
const SCRIPTS: [(&str, &str, &[&str]); 7] = [
    (
        "throw",
        "(null as any).x;",
        &[
            "it said: TypeError: cannot read property",
            "at authorize (plugin.EXT:LINE",
        ],
    ),
    (
        "reference",
        "(globalThis as any).nothing.there();",
        &["it said: TypeError: ", "(plugin.EXT:LINE"],
    ),
    (
        "promise",
        "return Promise.resolve(1) as any;",
        &["`authorize` returned a Promise: hooks are synchronous"],
    ),
    (
        "shape",
        "return { tag: \"allow\", val: { principal: 5 } } as any;",
        &["`authorize` returned what the gateway cannot take: `val."],
    ),
    (
        "tag",
        "return { tag: \"maybe\" } as any;",
        &["it is object and not { tag } with one of abstain, allow, deny"],
    ),
    (
        "odd",
        "throw { tag: \"odd\" };",
        &["`authorize` threw {\"tag\":\"odd\"}, which is no fault"],
    ),
    (
        "console",
        "(globalThis as any).console.log(\"seen\", { a: 1 }); throw { tag: \"unavailable\", val: \"meant so\" };",
        &["seen {\"a\":1}", "reported `unavailable`: meant so"],
    ),
];

/// Starts an authorizer that breaks off in each of these ways, and returns the text of its script.
fn start(folder: &Path, language: &str, ending: &str) -> String {
    let new = gatewright(folder)
        .args(["plugin", "new", "-l", language, "-k", "authorizer", "breaks"])
        .output();
    succeeded(&new.unwrap());
    let file = folder.join(format!("breaks/plugin.{ending}"));
    let text = std::fs::read_to_string(&file).unwrap();
    let hook = "  authorize({ request }) {\n";
    let hook = if text.contains(hook) {
        hook
    } else {
        text.split_inclusive('\n')
            .find(|line| line.contains("authorize({"))
            .unwrap()
    };
    let mut body = String::from(hook);
    for (word, act, _) in SCRIPTS {
        let act = if ending == "js" {
            act.replace(" as any", "")
        } else {
            act.to_owned()
        };
        body += &format!("    if (header(request, \"authorization\") === \"{word}\") {{\n      {act}\n    }}\n");
    }
    let text = text.replacen(hook, &body, 1);
    std::fs::write(&file, &text).unwrap();
    let mut cases = std::fs::read_to_string(folder.join("breaks/breaks.tests.toml")).unwrap();
    cases.truncate(cases.find("[[case]]").unwrap());
    for (word, _, _) in SCRIPTS {
        cases += &format!(
            "[[case]]\nname = \"{word}\"\nrequest = {{ headers = {{ authorization = \"{word}\" }} }}\nexpect = {{ decision = \"allow\" }}\n"
        );
    }
    std::fs::write(folder.join("breaks/breaks.tests.toml"), cases).unwrap();
    let build = gatewright(folder).args(["plugin", "build", "breaks"]).output().unwrap();
    succeeded(&build);
    text
}

/// The line of the script on which this stands.
fn line(text: &str, act: &str) -> usize {
    text.lines().position(|line| line.contains(act)).unwrap() + 1
}

fn breaks(language: &str, ending: &str) {
    let folder = tempfile::tempdir().unwrap();
    let text = start(folder.path(), language, ending);
    let tested = gatewright(folder.path())
        .args(["plugin", "test", "--patience", "20", "breaks"])
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&tested.stdout),
        String::from_utf8_lossy(&tested.stderr)
    );
    assert_eq!(tested.status.code(), Some(1), "{said}");
    for (word, act, expected) in SCRIPTS {
        let act = if ending == "js" {
            act.replace(" as any", "")
        } else {
            act.to_owned()
        };
        for part in expected {
            let part = part
                .replace("EXT", ending)
                .replace("LINE", &line(&text, &act).to_string());
            assert!(said.contains(&part), "{word}: {part}\n{said}");
        }
    }
    // In a gateway the same words are in the access log.
    let wasm = std::fs::read(folder.path().join("breaks/breaks.wasm")).unwrap();
    let config = std::fs::read_to_string(folder.path().join("breaks/gateway.toml")).unwrap();
    let config = config
        .replace("127.0.0.1:8000", "127.0.0.1:0")
        .replace("127.0.0.1:9901", "127.0.0.1:0");
    let gateway = TestFiles::default()
        .with("breaks.wasm", wasm)
        .start(&config.replace("\"1s\"", "\"10s\""));
    let answer = http(gateway.addr("public"), "GET", "/", &[("authorization", "throw")], b"");
    assert_eq!((answer.status, answer.error()), (500, Some("AUTHORIZER_FAILURE")));
    let record = gateway.wait_for_records(1).pop().unwrap();
    let cause = record["cause"].as_str().unwrap().to_owned();
    let place = format!("(plugin.{ending}:{}", line(&text, "null"));
    assert!(
        cause.contains("it trapped (unreachable): it said: TypeError") && cause.contains(&place),
        "{cause}"
    );
}

#[test]
fn an_exception_in_javascript_is_told_with_its_message_and_its_line() {
    breaks("javascript", "js");
}

#[test]
fn an_exception_in_typescript_is_told_with_the_line_that_was_written() {
    breaks("typescript", "ts");
}

#[test]
fn a_plugin_without_one_of_its_hooks_is_not_built() {
    let folder = tempfile::tempdir().unwrap();
    let new = gatewright(folder.path())
        .args(["plugin", "new", "-l", "javascript", "-k", "authorizer", "lacks"])
        .output();
    succeeded(&new.unwrap());
    let file = folder.path().join("lacks/plugin.js");
    let text = std::fs::read_to_string(&file).unwrap();
    for (from, to, message) in [
        (
            "export const authorizer",
            "export const authoriser",
            "the plugin has no `export const authorizer = { … }`",
        ),
        (
            "  authorize(",
            "  authorise(",
            "`authorizer` of the plugin has no function `authorize`",
        ),
    ] {
        std::fs::write(&file, text.replace(from, to)).unwrap();
        let build = gatewright(folder.path())
            .args(["plugin", "build", "lacks"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&build.stderr).into_owned();
        assert!(build.status.code() == Some(1) && said.contains(message), "{said}");
    }
}
