//! `secrets`: values that are read when the plugin is loaded, by the names that it is granted.

use gatewright_tests::{TestFiles, TestProcess, eventually, http};
use serde_json::{Value, json};

use super::{GUEST, ask, calls, config, error, files, ok};

const SECRETS: &str = "[secrets]\nTENANT_KEY = \"file:tenant.key\"\nOTHER = \"file:tenant.key\"\n";
const GRANT: &str = "grants = { secrets = [\"TENANT_KEY\"] }";

fn get(name: &str) -> Value {
    json!({ "call": "secret", "name": name })
}

fn with_key() -> TestFiles {
    files().with("tenant.key", "hunter2\n")
}

#[test]
fn a_plugin_reads_the_secrets_that_it_is_granted_and_no_others() {
    let gateway = with_key().start(&config(GRANT, SECRETS));
    assert_eq!(ask(&gateway, &get("TENANT_KEY")), ok("hunter2"));
    for name in ["OTHER", "PATH", "", "tenant_key", "file:tenant.key"] {
        assert_eq!(ask(&gateway, &get(name)), error("NotGranted"), "{name}");
    }
    assert_eq!(calls(&gateway, "secrets", "ok"), 1.0);
    assert_eq!(calls(&gateway, "secrets", "refused"), 5.0);
}

#[test]
fn a_secret_that_is_not_there_is_an_error_at_load_and_the_last_good_state_serves() {
    let missing = files()
        .try_start(&config(GRANT, SECRETS))
        .err()
        .expect("the secret is missing");
    let line = config(GRANT, SECRETS)
        .lines()
        .position(|line| line.starts_with("TENANT_KEY"));
    let place = format!("gateway.toml:{}:14: secrets.TENANT_KEY: ", line.unwrap() + 1);
    assert!(missing.contains(&place), "{missing}");
    assert!(
        missing.contains("plugin `uses-services`") && missing.contains("tenant.key"),
        "{missing}"
    );

    let gateway = with_key().start(&config(GRANT, SECRETS));
    std::fs::remove_file(gateway.dir().join("tenant.key")).unwrap();
    let refused = gateway.reload().unwrap_err();
    assert!(refused.contains("secrets.TENANT_KEY"), "{refused}");
    assert_eq!(ask(&gateway, &get("TENANT_KEY")), ok("hunter2"));
    for wrong in [&b""[..], b"\xff\xfe", &[b'x'; 70_000]] {
        gateway.write("tenant.key", wrong);
        gateway.reload().unwrap_err();
    }
    assert_eq!(ask(&gateway, &get("TENANT_KEY")), ok("hunter2"));
}

#[test]
fn a_secret_that_changes_is_seen_without_a_reload_being_asked_for() {
    let gateway = with_key().start(&config(GRANT, SECRETS));
    assert_eq!(ask(&gateway, &get("TENANT_KEY")), ok("hunter2"));
    gateway.write("tenant.key", "correct horse");
    eventually("the new secret", || {
        (ask(&gateway, &get("TENANT_KEY")) == ok("correct horse")).then_some(())
    });
}

#[test]
fn a_secret_is_in_no_log_and_what_was_asked_for_without_a_grant_is() {
    let config = config(GRANT, &format!("{SECRETS}FROM_OUTSIDE = \"env:SOME_SECRET\"\n"));
    let config = config.replace("[\"TENANT_KEY\"]", "[\"TENANT_KEY\", \"FROM_OUTSIDE\"]");
    let process = TestProcess::start_in(
        with_key(),
        &config,
        &[("SOME_SECRET", "s3same"), ("GATEWRIGHT_LOG", "trace")],
    )
    .unwrap();
    let ask = |name| {
        let call = get(name).to_string();
        http(
            process.addr("public"),
            "POST",
            &format!("/{GUEST}"),
            &[],
            call.as_bytes(),
        )
        .json()
    };
    assert_eq!(ask("TENANT_KEY"), ok("hunter2"));
    assert_eq!(ask("FROM_OUTSIDE"), ok("s3same"));
    assert_eq!(ask("some\nthing"), error("NotGranted"));
    let log = eventually("a line about it", || {
        Some(process.stderr()).filter(|log| log.contains("it is not granted"))
    });
    let line = log.lines().find(|line| line.contains("it is not granted")).unwrap();
    assert!(
        line.contains(r"some\\\\nthing") || line.contains(r"some\\nthing"),
        "{line}"
    );
    assert!(
        line.contains("grants") && line.contains("[plugin.uses-services]"),
        "{line}"
    );
    let plugins = http(process.admin(), "GET", "/plugins", &[], b"").text();
    for secret in ["hunter2", "s3same"] {
        assert!(!log.contains(secret) && !plugins.contains(secret));
    }
}
