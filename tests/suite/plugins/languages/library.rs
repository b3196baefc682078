//! What each language has: its library, the same wherever it is copied to, and its page.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gatewright_tests::guests::root;

const LANGUAGES: [&str; 6] = ["c", "go", "javascript", "python", "rust", "typescript"];

#[test]
fn teaching_plugins_carry_the_library_of_their_language_as_it_is() {
    let mut compared = 0;
    for (plugin, language, place) in [
        ("signed-link", "python", ""),
        ("ip-allow-list", "javascript", ""),
        ("security-headers", "javascript", ""),
        ("tidy-query", "c", ""),
        ("identicon", "go", "gatewright"),
    ] {
        let library = root().join("sdk").join(language).join("package");
        for file in below(&library) {
            let name = file.strip_prefix(&library).unwrap();
            let copy = root().join("plugins").join(plugin).join(place).join(name);
            assert_eq!(
                std::fs::read(&file).unwrap(),
                std::fs::read(&copy).unwrap_or_default(),
                "{}",
                copy.display()
            );
            compared += 1;
        }
    }
    assert!(compared > 10, "{compared}");
}

#[test]
fn every_language_has_its_page() {
    let index = std::fs::read_to_string(root().join("docs/plugins/README.md")).unwrap();
    let pages: BTreeSet<_> = below(&root().join("docs/plugins"))
        .into_iter()
        .map(|page| page.file_stem().unwrap().to_owned())
        .collect();
    for language in LANGUAGES {
        assert!(pages.contains(std::ffi::OsStr::new(language)), "{language} has no page");
        assert!(
            index.contains(&format!("({language}.md)")),
            "{language} is not in the index"
        );
    }
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] })
        .collect()
}
