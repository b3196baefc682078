//! Rules of the tree: how files begin and are named, where links lead, and who may know whom.

use std::collections::BTreeSet;
use std::path::Path;

use gatewright_tests::guests::root;

use super::markdown::{Page, files};

/// Folders with sources of ours.
const SOURCES: [&str; 7] = ["bench", "config", "host", "plugins", "sdk", "tests", "xtask"];

#[test]
fn every_source_file_says_first_what_it_is() {
    for folder in SOURCES {
        for file in files(&root().join(folder), ".rs") {
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(text.starts_with("//!"), "{} does not begin with `//!`", file.display());
        }
    }
}

#[test]
fn no_file_is_called_mod_rs() {
    for folder in SOURCES {
        let named = files(&root().join(folder), "mod.rs")
            .into_iter()
            .find(|file| file.ends_with("mod.rs"));
        assert_eq!(named, None, "write `name.rs` beside `name/`");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for page in Page::all() {
        for (line, target) in &page.links {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let folder = Path::new(&page.file).parent().unwrap();
            let path = if file.is_empty() {
                page.file.clone().into()
            } else {
                folder.join(file)
            };
            let there = root().join(&path).exists();
            let anchored = anchor.is_empty() || there && page_at(&path).anchors().iter().any(|known| known == anchor);
            if !there || !anchored {
                wrong.push(format!("{}:{line}: {target}", page.file));
            }
        }
    }
    assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
}

/// A page by a path that may have `..` in it.
fn page_at(path: &Path) -> Page {
    let whole = root().join(path).canonicalize().unwrap();
    Page::read(whole.strip_prefix(root()).unwrap().to_str().unwrap())
}

#[test]
fn every_file_and_function_that_a_page_for_developers_names_is_there() {
    let sources: Vec<_> = ["config", "host"]
        .iter()
        .flat_map(|folder| files(&root().join(folder), ".rs"))
        .collect();
    let sources: Vec<_> = sources
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let mut missing = Vec::new();
    for page in Page::all().into_iter().filter(|page| for_developers(&page.file)) {
        for (line, name) in &page.codes {
            let imagined = name.contains(' ') || IMAGINED.iter().any(|known| name.contains(known));
            if !imagined && !is_there(name, &sources) {
                missing.push(format!("{}:{line}: {name}", page.file));
            }
        }
    }
    assert!(missing.is_empty(), "named and not there:\n{}", missing.join("\n"));
}

/// Whether there is such a file or function; true of anything else.
fn is_there(name: &str, sources: &[String]) -> bool {
    if name.ends_with(".rs") || name.ends_with(".wit") {
        return PLACES.iter().any(|place| root().join(place).join(name).is_file());
    }
    let function = name
        .rsplit_once("::")
        .map_or("", |(_, last)| last.split('(').next().unwrap_or_default());
    !function.starts_with(|c: char| c.is_ascii_lowercase())
        || sources.iter().any(|text| text.contains(&format!("fn {function}")))
}

/// Examples of what could be added, and of how files are named.
const IMAGINED: [&str; 5] = ["cors", "redirect", "ruby", "name.rs", "mod.rs"];
/// Where a page may leave off the beginning of a path.
const PLACES: [&str; 5] = [
    "",
    "host/authoring/src",
    "host/server/src",
    "host/wasm/src",
    "config/src",
];

fn for_developers(file: &str) -> bool {
    file == "CONTRIBUTING.md" || file == "docs/ARCHITECTURE.md" || file.starts_with("docs/decisions/")
}

#[test]
fn the_pages_name_no_place_of_one_machine() {
    for page in Page::all() {
        let text = std::fs::read_to_string(root().join(&page.file)).unwrap();
        for place in ["/home/", "/root/", "/work/", "/Users/"] {
            assert!(!text.contains(place), "{} names {place}", page.file);
        }
    }
}

#[test]
fn the_core_knows_nothing_of_ours_and_the_configuration_only_the_core() {
    let ours = |member: &str| -> BTreeSet<String> {
        let all = dependencies(member).into_iter();
        all.filter(|name| name.starts_with("gatewright")).collect()
    };
    assert_eq!(ours("host/core"), BTreeSet::new());
    // The one normal form of paths is the core's (docs/decisions/0008).
    assert_eq!(ours("config"), BTreeSet::from(["gatewright-core".to_owned()]));
    assert_eq!(ours("host/seclang"), BTreeSet::new());
    let wasm: BTreeSet<_> = dependencies("host/wasm")
        .into_iter()
        .filter(|name| name.starts_with("gatewright"))
        .collect();
    assert_eq!(
        wasm,
        BTreeSet::from(["gatewright-config".to_owned(), "gatewright-core".to_owned()])
    );
    let sdk = dependencies("sdk");
    assert!(
        !sdk.iter().any(|name| name.starts_with("gatewright")),
        "the SDK knows only `wit/`: {sdk:?}"
    );
}

#[test]
fn only_gatewright_wasm_names_wasmtime() {
    let manifests = files(&root(), "Cargo.toml");
    for manifest in manifests
        .iter()
        .filter_map(|file| file.strip_prefix(root()).ok()?.parent())
    {
        if manifest == Path::new("host/wasm") || manifest == Path::new("") {
            continue;
        }
        // Components are made of modules where plugins are built, too; nothing runs there.
        let makes_components = manifest == Path::new("host/authoring");
        let engine = |name: &&String| name.starts_with("wasmtime") || *name == "wit-component" && !makes_components;
        let named = dependencies(manifest.to_str().unwrap());
        assert_eq!(named.iter().find(engine), None, "{}", manifest.display());
    }
}

/// Names in the tables of dependencies of a crate's manifest, those for tests included.
fn dependencies(member: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join(member).join("Cargo.toml")).unwrap();
    let mut inside = false;
    let mut names = BTreeSet::new();
    for line in text.lines() {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            inside = table.ends_with("dependencies");
            // `[dependencies.name]`
            names.extend(table.split_once("dependencies.").map(|(_, name)| name.to_owned()));
        } else if inside && let Some((key, _)) = line.split_once('=') {
            let name = key.trim().split('.').next().unwrap_or_default();
            if !name.is_empty() && !name.starts_with('#') {
                names.insert(name.to_owned());
            }
        }
    }
    names
}
