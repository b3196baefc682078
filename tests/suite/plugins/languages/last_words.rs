//! A plugin that breaks off says why, in its author's words and with the line of its author's source: in the log, in
//! `plugin test`, on the admin address and in recordings.

use std::path::Path;

use gatewright_tests::guests::root;
use gatewright_tests::{TestFiles, eventually, http};
use serde_json::json;

use super::{gatewright, succeeded};

/// What an authorizer does for each value of `x-way`, and what is said of it.
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
    // Recordings keep no `authorization`.
    for file in [&file, &folder.join("breaks/gateway.toml")] {
        let text = std::fs::read_to_string(file).unwrap();
        std::fs::write(file, text.replace("authorization", "x-way")).unwrap();
    }
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
        body += &format!("    if (header(request, \"x-way\") === \"{word}\") {{\n      {act}\n    }}\n");
    }
    let text = text.replacen(hook, &body, 1);
    std::fs::write(&file, &text).unwrap();
    let mut cases = std::fs::read_to_string(folder.join("breaks/breaks.tests.toml")).unwrap();
    cases.truncate(cases.find("[[case]]").unwrap());
    for (word, _, _) in SCRIPTS {
        cases += &format!(
            "[[case]]\nname = \"{word}\"\nrequest = {{ headers = {{ x-way = \"{word}\" }} }}\nexpect = {{ decision = \"allow\" }}\n"
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
    let place = format!("(plugin.{ending}:{}", line(&text, "null"));
    let words = ["it trapped (unreachable): it said: TypeError", &place];
    is_told_everywhere(folder.path(), "throw", &words);
}

/// A gateway, its admin address and its recordings say of a plugin's call that broke off what `plugin test` has said.
fn is_told_everywhere(folder: &Path, way: &str, words: &[&str]) {
    let wasm = std::fs::read(folder.join("breaks/breaks.wasm")).unwrap();
    let config = std::fs::read_to_string(folder.join("breaks/gateway.toml")).unwrap();
    let config = config
        .replace("127.0.0.1:8000", "127.0.0.1:0")
        .replace("127.0.0.1:9901", "127.0.0.1:0")
        .replace("\"1s\"", "\"10s\"");
    let record = "[plugin.breaks.record]\non = [\"trap\"]\nfields = [\"x-way\"]\ndirectory = \"{dir}/recordings\"\n";
    let gateway = TestFiles::default().with("breaks.wasm", wasm).start(&(config + record));
    let answer = http(gateway.addr("public"), "GET", "/", &[("x-way", way)], b"");
    assert_eq!((answer.status, answer.error()), (500, Some("AUTHORIZER_FAILURE")));
    let assert_says = |what: &str, said: &str| {
        for word in words {
            assert!(said.contains(word), "{what}: {word}\n{said}");
        }
    };
    let record = gateway.wait_for_records(1).pop().unwrap();
    assert_says("the access log", record["cause"].as_str().unwrap());
    let plugins = http(gateway.admin(), "GET", "/plugins", &[], b"").json();
    let trap = &plugins["plugins"][0]["runtime"]["last_trap"];
    assert_eq!(
        (&trap["route"], &trap["hook"]),
        (&json!("breaks"), &json!("authorizer")),
        "{plugins}"
    );
    assert_says("/plugins", trap["failure"].as_str().unwrap());
    let recording = eventually("the call is written down", || {
        let mut files = std::fs::read_dir(gateway.dir().join("recordings")).ok()?;
        let file = files.find_map(|file| {
            file.ok()
                .filter(|file| file.file_name().to_string_lossy().ends_with(".json"))
        })?;
        Some(file.path())
    });
    let replayed = gatewright(folder).arg("replay").arg(recording).output().unwrap();
    assert_eq!(replayed.status.code(), Some(0), "{replayed:?}");
    assert_says("replay", &String::from_utf8_lossy(&replayed.stdout));
}

/// A way in which an authorizer breaks off: the value of `x-way` for it, the lines in its source, one of which is told, and what is said.
struct Way {
    word: &'static str,
    act: &'static str,
    told: &'static str,
    said: &'static [&'static str],
}

/// Starts an authorizer that breaks off in these ways before the text `before` of its source, `file`; in what is said, LINE stands for
/// the line that is told. The first way is tried in a gateway, too.
fn breaks_off(language: &str, file: &str, before: &str, ways: &[Way]) {
    let folder = tempfile::tempdir().unwrap();
    let new = ["plugin", "new", "-l", language, "-k", "authorizer", "breaks"];
    succeeded(&gatewright(folder.path()).args(new).output().unwrap());
    let plugin = folder.path().join("breaks");
    // Recordings keep no `authorization`.
    for name in [file, "gateway.toml"] {
        let text = std::fs::read_to_string(plugin.join(name)).unwrap();
        std::fs::write(plugin.join(name), text.replace("authorization", "x-way")).unwrap();
    }
    let source = std::fs::read_to_string(plugin.join(file)).unwrap();
    assert!(source.contains(before), "{source}");
    let acts: String = ways.iter().map(|way| way.act).collect();
    let source = source.replacen(before, &(acts + before), 1);
    std::fs::write(plugin.join(file), &source).unwrap();
    let cases = std::fs::read_to_string(plugin.join("breaks.tests.toml")).unwrap();
    let (head, _) = cases.split_once("[[case]]").unwrap();
    let case = |way: &Way| {
        format!(
            "[[case]]\nname = \"{0}\"\nrequest = {{ headers = {{ x-way = \"{0}\" }} }}\nexpect = {{ decision = \"allow\" }}\n",
            way.word
        )
    };
    let cases: String = ways.iter().map(case).collect();
    std::fs::write(plugin.join("breaks.tests.toml"), head.to_owned() + &cases).unwrap();
    let mut build = gatewright(folder.path());
    build
        .args(["plugin", "build", "breaks", "--target-dir"])
        .arg(root().join("target/guests"));
    succeeded(&build.output().unwrap());
    let tested = gatewright(folder.path())
        .args(["plugin", "test", "--patience", "20", "breaks"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&tested.stdout).into_owned();
    assert_eq!(tested.status.code(), Some(1), "{said}");
    let words = |way: &Way| -> Vec<String> {
        let line = line(&source, way.told).to_string();
        way.said.iter().map(|word| word.replace("LINE", &line)).collect()
    };
    for way in ways {
        let (_, account) = said.split_once(&format!("FAIL  {} ", way.word)).unwrap();
        let account = account.split("FAIL  ").next().unwrap();
        for word in words(way) {
            assert!(account.contains(&word), "{}: {word}\n{said}", way.word);
        }
    }
    let words = words(&ways[0]);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    is_told_everywhere(folder.path(), ways[0].word, &words);
}

#[test]
fn a_panic_in_rust_is_told_with_its_message_and_its_line() {
    let ways = [
        Way {
            word: "index",
            act: "        if request.header(\"x-way\") == Some(\"index\") {\n            \
                  let none = request.header(\"x-way\").map(|way| way.bytes().filter(u8::is_ascii_digit).collect::<Vec<_>>());\n            \
                  let _ = std::hint::black_box(none.unwrap_or_default()[5]);\n        }\n",
            told: "black_box",
            said: &[
                "panicked at src/lib.rs:LINE:",
                "index out of bounds: the len is 0 but the index is 5",
            ],
        },
        Way {
            word: "panic",
            act: "        if request.header(\"x-way\") == Some(\"panic\") {\n            panic!(\"asked to\");\n        }\n",
            told: "panic!(",
            said: &["panicked at src/lib.rs:LINE:", "asked to"],
        },
    ];
    breaks_off("rust", "src/lib.rs", "        let said = request", &ways);
}

#[test]
fn a_panic_in_go_is_told_with_its_message_and_its_line() {
    let ways = [
        Way {
            word: "index",
            act: "\tif said == \"index\" {\n\t\tvar list []int\n\t\tsaid = string(rune(list[len(said)]))\n\t}\n",
            told: "list[len(said)]",
            said: &[
                "panic: runtime error: index out of range [5] with length 0",
                "main.go:LINE ",
            ],
        },
        Way {
            word: "nil",
            act: "\tif said == \"nil\" {\n\t\tvar nothing *string\n\t\tsaid = *nothing\n\t}\n",
            told: "*nothing",
            said: &[
                "panic: runtime error: invalid memory address or nil pointer dereference",
                "main.go:",
            ],
        },
        Way {
            word: "panic",
            act: "\tif said == \"panic\" {\n\t\tprintln(\"before\")\n\t\tpanic(\"asked to\")\n\t}\n",
            told: "panic(\"asked",
            said: &["it said: panic: asked to", "main.go:LINE "],
        },
    ];
    breaks_off("go", "main.go", "\t// Takes as long", &ways);
}

#[test]
fn an_exception_in_python_is_told_with_its_message_and_its_line() {
    let ways = [
        Way {
            word: "index",
            act: "        if said == \"index\":\n            [][len(said)]\n",
            told: "[][len(said)]",
            said: &[
                "app.py\", line LINE, in authorize",
                "IndexError: list index out of range",
            ],
        },
        Way {
            word: "deep",
            act: "        if said == \"deep\":\n            sorted([1, 2], key=lambda one: max(map(lambda two: two / 0, [one])))\n",
            told: "two / 0",
            said: &[
                "app.py\", line LINE, in authorize",
                "ZeroDivisionError: division by zero",
            ],
        },
    ];
    breaks_off("python", "app.py", "        # Takes as long", &ways);
}

#[test]
fn what_ends_a_call_in_c_is_told_with_its_function_and_an_assertion_with_its_line() {
    let ways = [
        Way {
            word: "assert",
            act: "  const gw_bytes *way = gw_header(&input->request.fields, \"x-way\");\n  assert(!way || way->ptr[0] != 'a');\n",
            told: "assert(",
            said: &[
                "it said: Assertion failed: !way || way->ptr[0] != 'a' (plugin.c: exports_gatewright_plugin_authorizer_authorize: LINE)",
            ],
        },
        Way {
            word: "nowhere",
            act: "  if (way && way->ptr[0] == 'n') *(volatile int *)0x7fff0000 = 1;\n",
            told: "0x7fff0000",
            said: &["it trapped (fault)", "!exports_gatewright_plugin_authorizer_authorize"],
        },
    ];
    breaks_off("c", "plugin.c", "  if (is_word(", &ways);
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
