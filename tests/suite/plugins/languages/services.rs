//! The example of each language's page that calls every service: it is built as a reader would build it, and passes the cases of
//! the index.

use gatewright_tests::guests::root;

use super::{gatewright, succeeded};

/// The block of a page that begins with this fence.
fn block(page: &str, fence: &str) -> String {
    let text = std::fs::read_to_string(root().join("docs/plugins").join(page)).unwrap();
    let (_, rest) = text
        .split_once(&format!("```{fence}\n"))
        .unwrap_or_else(|| panic!("{page} has no {fence}"));
    rest.split_once("\n```").unwrap().0.to_owned() + "\n"
}

fn calls_every_service(language: &str, file: &str) {
    let folder = tempfile::tempdir().unwrap();
    let new = ["plugin", "new", "-l", language, "-k", "authorizer", "visitors"];
    succeeded(&gatewright(folder.path()).args(new).output().unwrap());
    let plugin = folder.path().join("visitors");
    std::fs::write(
        plugin.join(file),
        block(&format!("{language}.md"), &format!("{language} services")),
    )
    .unwrap();
    std::fs::write(plugin.join("visitors.tests.toml"), block("README.md", "toml cases")).unwrap();
    let mut build = gatewright(folder.path());
    build
        .args(["plugin", "build", "visitors", "--target-dir"])
        .arg(root().join("target/guests"));
    succeeded(&build.output().unwrap());
    let mut test = gatewright(folder.path());
    let tested = succeeded(
        &test
            .args(["plugin", "test", "--patience", "20", "visitors"])
            .output()
            .unwrap(),
    );
    assert!(tested.contains("4 passed, 0 failed"), "{tested}");
}

#[test]
fn the_page_of_c_shows_every_service() {
    calls_every_service("c", "plugin.c");
}

#[test]
fn the_page_of_go_shows_every_service() {
    calls_every_service("go", "main.go");
}

#[test]
fn the_page_of_javascript_shows_every_service() {
    calls_every_service("javascript", "plugin.js");
}

#[test]
fn the_page_of_python_shows_every_service() {
    calls_every_service("python", "app.py");
}

#[test]
fn the_page_of_rust_shows_every_service() {
    calls_every_service("rust", "src/lib.rs");
}

#[test]
fn the_page_of_typescript_shows_every_service() {
    calls_every_service("typescript", "plugin.ts");
}
