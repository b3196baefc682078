//! The `basic` stage end to end: who passes, who is asked again, and that guessing has an end.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_tests::process::binary;
use gatewright_tests::{Origin, RawResponse, TestFiles, TestGateway, http};

/// `htpasswd -nbB myName myPassword`, as its documentation has it.
const ALICE: &str = "alice:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n";

fn gateway(origin: &Origin, users: &str, settings: &str) -> TestGateway {
    TestFiles::default().with("users.htpasswd", users).start(&format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"

        [upstream.app]
        targets = [{{ url = "{}" }}]

        [[route]]
        name = "all"
        path = "/{{rest+}}"
        chain = [{{ use = "basic", users = "users.htpasswd"{settings} }}]
        integration = {{ http = "app", headers = {{ x-user = "{{auth.principal}}" }} }}
        "#,
        origin.url()
    ))
}

fn ask(gateway: &TestGateway, name: &str, password: &str) -> RawResponse {
    let value = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
    http(gateway.addr("public"), "GET", "/a", &[("authorization", &value)], b"")
}

/// The line that `gatewright password` makes for a user.
fn hashed(name: &str, password: &str) -> String {
    let mut command = Command::new(binary());
    command
        .args(["password", "--stdin", name])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn users_of_htpasswd_and_of_the_gateways_own_command_pass_with_their_passwords() {
    let origin = Origin::saying("hello");
    let bob = hashed("bob", "pässword:with colon\n");
    assert!(bob.starts_with("bob:$argon2id$v=19$m=19456,t=2,p=1$"), "{bob}");
    let gateway = gateway(&origin, &format!("{ALICE}{bob}"), "");
    for _ in 0..2 {
        assert_eq!(ask(&gateway, "alice", "myPassword").status, 200);
        assert_eq!(ask(&gateway, "bob", "pässword:with colon").status, 200);
    }
    for request in origin.requests() {
        assert!(!request.headers.contains_key("authorization"), "{request:?}");
    }
    assert_eq!(origin.requests()[3].headers["x-user"], "bob");
    let record = gateway.wait_for_records(4).remove(0);
    assert_eq!(record["principal"], "alice");
}

#[test]
fn whoever_proves_nothing_is_asked_for_name_and_password_and_is_not_told_which_is_wrong() {
    let origin = Origin::saying("hello");
    let gateway = gateway(&origin, ALICE, ", realm = \"Orders, 2nd floor\"");
    let refused = [
        http(gateway.addr("public"), "GET", "/a", &[], b""),
        http(
            gateway.addr("public"),
            "GET",
            "/a",
            &[("authorization", "Bearer x")],
            b"",
        ),
        ask(&gateway, "alice", "mypassword"),
        ask(&gateway, "alice", ""),
        ask(&gateway, "Alice", "myPassword"),
        ask(&gateway, "nobody", "myPassword"),
        ask(&gateway, "", ""),
    ];
    for response in &refused {
        assert_eq!((response.status, response.error()), (401, Some("UNAUTHORIZED")));
        let challenge = response.header("www-authenticate");
        assert_eq!(challenge, Some("Basic realm=\"Orders, 2nd floor\", charset=\"UTF-8\""));
    }
    let bodies: Vec<_> = refused[2..].iter().map(RawResponse::text).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    let records = gateway.wait_for_records(refused.len());
    assert_eq!(records[2]["cause"], records[5]["cause"]);
    assert_eq!(origin.hits(), 0);
}

#[test]
fn guessing_has_an_end_for_an_address_and_a_known_password_passes_all_the_same() {
    let origin = Origin::saying("hello");
    let gateway = gateway(&origin, ALICE, ", attempts = \"3/d\"");
    assert_eq!(ask(&gateway, "alice", "myPassword").status, 200);
    assert_eq!(ask(&gateway, "alice", "wrong").status, 401);
    assert_eq!(ask(&gateway, "nobody", "wrong").status, 401);
    let refused = ask(&gateway, "alice", "wrong");
    assert_eq!((refused.status, refused.error()), (429, Some("THROTTLED")));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(
        ask(&gateway, "alice", "myPassword").status,
        200,
        "it was right a moment ago"
    );
}

#[test]
fn a_password_that_was_changed_is_good_no_more_at_once() {
    let origin = Origin::saying("hello");
    let gateway = gateway(&origin, ALICE, ", forward = true");
    assert_eq!(ask(&gateway, "alice", "myPassword").status, 200);
    assert!(origin.only_request().headers.contains_key("authorization"));
    gateway.write("users.htpasswd", hashed("alice", "another"));
    gateway.reload().unwrap();
    assert_eq!(ask(&gateway, "alice", "myPassword").status, 401);
    assert_eq!(ask(&gateway, "alice", "another").status, 200);
    gateway.write("users.htpasswd", "alice:another\n");
    let refused = gateway.reload().unwrap_err();
    assert!(refused.contains("users.htpasswd:1:"), "{refused}");
    assert!(!refused.contains("another"), "{refused}");
    assert_eq!(ask(&gateway, "alice", "another").status, 200);
}

#[test]
fn what_remembers_nothing_verifies_every_time() {
    let origin = Origin::saying("hello");
    let gateway = gateway(&origin, ALICE, ", remember = \"0s\", attempts = \"2/d\"");
    let statuses: Vec<_> = (0..3).map(|_| ask(&gateway, "alice", "myPassword").status).collect();
    assert_eq!(statuses, [200, 200, 429]);
}
