//! The text of the interface, compared with the frozen one.

use std::fs;
use std::path::Path;

use gatewright_tests::guests::root;

use super::shapes::Shapes;
use super::{VERSION, folder};

const ADVICE: &str = "plugins that were built before would not load. Give what is new a name of its own beside the old \
    one, or leave it for the next version: docs/plugins/compatibility.md";

/// Everything that plugins for `frozen` would stumble over in `now`.
fn broken(frozen: &Shapes, now: &Shapes) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, items) in &frozen.interfaces {
        let Some(present) = now.interfaces.get(name) else {
            broken.push(format!("the interface `{name}` is gone: {ADVICE}"));
            continue;
        };
        for (item, shape) in items {
            match present.get(item) {
                None => broken.push(format!("`{name}`: the {item} is gone: {ADVICE}")),
                Some(other) if other != shape => {
                    broken.push(format!(
                        "`{name}`: the {item} was\n  {shape}\nand is\n  {other}\n{ADVICE}"
                    ));
                }
                Some(_) => {}
            }
        }
        if frozen.exported.contains(name) {
            let added = present.keys().filter(|item| !items.contains_key(*item));
            let added =
                added.map(|item| format!("`{name}`: the {item} is new, and plugins export this interface: {ADVICE}"));
            broken.extend(added);
        }
    }
    broken
}

#[test]
fn the_interface_has_everything_that_was_frozen_and_nothing_else_that_plugins_must_export() {
    let (frozen, now) = (Shapes::of(&folder().join("wit")), Shapes::of(&root().join("wit")));
    assert!(now.version.starts_with(&format!("{VERSION}.")), "{}", now.version);
    assert!(
        frozen.interfaces.len() >= 16 && frozen.exported.len() >= 6,
        "nothing was compared"
    );
    let broken = broken(&frozen, &now);
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

/// What is said of the frozen interface when texts in its files are replaced.
fn after(changes: &[(&str, &str, &str)]) -> Vec<String> {
    let changed = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder().join("wit")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), changed.path().join(entry.file_name())).unwrap();
    }
    for (file, from, to) in changes {
        replace(&changed.path().join(file), from, to);
    }
    broken(&Shapes::of(&folder().join("wit")), &Shapes::of(changed.path()))
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from:?} is not in {}", file.display());
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn what_would_break_plugins_is_named() {
    for (file, from, to, named) in [
        (
            "types.wit",
            "    status: u16,",
            "    status: u32,",
            "`types`: the type response-head was",
        ),
        (
            "types.wit",
            "    truth(bool),",
            "    truth(bool),\n    date(string),",
            "the type value was",
        ),
        (
            "types.wit",
            "http2, http3 }",
            "http2, http3, http4 }",
            "the type http-version was",
        ),
        (
            "types.wit",
            "type millis = u32;",
            "type millis = u64;",
            "the type millis was",
        ),
        (
            "lifecycle.wit",
            "    trace-parent,\n",
            "    trace-parent,\n    stage,\n",
            "`lifecycle`: the type part was",
        ),
        (
            "lifecycle.wit",
            "    needs: needs,",
            "    needs: needs,\n    licence: string,",
            "the type plugin-info was",
        ),
        (
            "lifecycle.wit",
            "  describe: func()",
            "  stop: func();\n  describe: func()",
            "`lifecycle`: the function stop is new",
        ),
        (
            "authorizer.wit",
            "  enum effect {",
            "  type reason = string;\n  enum effect {",
            "`authorizer`: the type reason is new",
        ),
        (
            "body-filter.wit",
            "    finish: func()",
            "    flush: func();\n    finish: func()",
            "[method]filter.flush is new",
        ),
        (
            "kv.wit",
            "ttl: option<millis>) -> result<u64",
            "ttl: millis) -> result<u64",
            "`kv`: the function set was",
        ),
        (
            "clock.wit",
            "  unix-nanos: func() -> u64;",
            "",
            "`clock`: the function unix-nanos is gone",
        ),
    ] {
        let broken = after(&[(file, from, to)]);
        assert!(
            broken.len() == 1 && broken[0].contains(named),
            "{file}, {to:?}: {broken:?}"
        );
    }
    let gone = after(&[
        ("random.wit", "interface random", "interface chance"),
        ("worlds.wit", "import random", "import chance"),
    ]);
    assert!(
        gone.len() == 1 && gone[0].contains("the interface `random` is gone"),
        "{gone:?}"
    );
}

#[test]
fn what_plugins_import_may_grow() {
    for (file, from, to) in [
        (
            "kv.wit",
            "  /// Deleting what",
            "  keys: func(store: string) -> list<string>;\n\n  /// Deleting what",
        ),
        (
            "kv.wit",
            "  record entry {",
            "  record range { first: string, last: string }\n\n  record entry {",
        ),
        (
            "types.wit",
            "  enum scheme {",
            "  record message { text: bool, body: list<u8> }\n\n  enum scheme {",
        ),
        (
            "clock.wit",
            "/// The time. Always granted.",
            "interface queue { push: func(item: string); }\n\n/// The time.",
        ),
        ("random.wit", "/// Random numbers", "/// Other words for random numbers"),
    ] {
        assert_eq!(after(&[(file, from, to)]), [""; 0], "{file}, {to:?}");
    }
}
