//! Unix domain sockets, and their files.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

use gatewright_tests::{RawClient, Signal, TestFiles, TestGateway, TestProcess, eventually};

const CONFIG: &str = r#"
    [listener.local]
    address = "unix:{dir}/gateway.sock"
    [[route]]
    name = "fast"
    path = "/fast"
    integration = { respond = 200, body = "fast" }
"#;

fn status(gateway: &TestGateway) -> u16 {
    RawClient::connect_unix(&gateway.dir().join("gateway.sock"))
        .request("GET", "/fast", &[], b"")
        .status
}

#[test]
fn a_unix_socket_serves_and_its_file_is_gone_at_the_end() {
    let gateway = TestGateway::start(CONFIG);
    assert_eq!(status(&gateway), 200);
    let record = gateway.wait_for_records(1).remove(0);
    assert_eq!(record["listener"], "local");
    let directory = gateway.stop();
    assert!(!directory.path().join("gateway.sock").exists());
}

#[test]
fn x12_the_socket_of_a_process_that_is_gone_is_replaced() {
    let files = TestFiles::default();
    // Dropping the listener leaves its file, as a kill does.
    drop(UnixListener::bind(files.dir().join("gateway.sock")).unwrap());
    assert!(files.dir().join("gateway.sock").exists());
    let gateway = files.start(CONFIG);
    assert_eq!(status(&gateway), 200);
}

#[test]
fn x12_a_socket_that_somebody_answers_on_is_left_alone() {
    let files = TestFiles::default();
    let other = UnixListener::bind(files.dir().join("gateway.sock")).unwrap();
    let error = files.try_start(CONFIG).err().unwrap();
    assert!(error.contains("listener `local`: cannot listen on unix:"), "{error}");
    drop(other);
}

#[test]
fn x12_a_file_that_is_no_socket_is_left_alone() {
    let files = TestFiles::default().with("gateway.sock", "precious");
    let path = files.dir().join("gateway.sock");
    let (kept, place) = (std::fs::read(&path).unwrap(), path.display().to_string());
    let error = files.try_start(CONFIG).err().unwrap();
    assert!(
        error.contains("not a socket is in the way") && error.contains(&place),
        "{error}"
    );
    assert_eq!(kept, b"precious");
}

#[test]
fn a_unix_listener_that_a_reload_removes_takes_its_file_along() {
    let gateway = TestGateway::start(CONFIG);
    assert_eq!(status(&gateway), 200);
    gateway.rewrite_config(&CONFIG.replace("gateway.sock", "other.sock"));
    eventually("the other socket is there", || {
        gateway.dir().join("other.sock").exists().then_some(())
    });
    eventually("the first one is gone", || {
        (!gateway.dir().join("gateway.sock").exists()).then_some(())
    });
    let response = RawClient::connect_unix(&gateway.dir().join("other.sock")).request("GET", "/fast", &[], b"");
    assert_eq!(response.status, 200);
}

#[test]
fn a_unix_socket_has_the_mode_that_the_configuration_says_and_is_said_to_be_listened_on() {
    let config = |mode: &str| CONFIG.replace("gateway.sock\"\n", &format!("gateway.sock\"\nmode = \"{mode}\"\n"));
    let process = TestProcess::start(&config("0606"));
    let socket = process.dir().join("gateway.sock");
    let mode = || std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o606);
    let lines = process.messages("listening");
    let address = format!("unix:{}", socket.display());
    assert!(
        matches!(lines.as_slice(), [line] if line["fields"]["listener"] == "local" && line["fields"]["address"] == *address),
        "{lines:?}"
    );
    // A reload changes it, and the socket goes on.
    let file = process.dir().join("gateway.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("0606", "0o660")).unwrap();
    process.signal(Signal::HUP);
    eventually("it has another mode", || (mode() == 0o660).then_some(()));
    assert_eq!(
        RawClient::connect_unix(&socket)
            .request("GET", "/fast", &[], b"")
            .status,
        200
    );
}
