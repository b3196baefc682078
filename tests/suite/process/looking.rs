//! Commands that only look: `check`, and `explain` without `--online`. They leave nothing behind, and ask nobody.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use gatewright_tests::process::binary;
use gatewright_tests::redis::RedisServer;
use gatewright_tests::{Origin, TestFiles, TestProcess, http};

/// Everything in a configuration that a gateway writes or sends when it serves.
fn config(origin: &Origin, redis: &RedisServer) -> String {
    format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"
        [state]
        snapshot = "{{dir}}/quotas"
        [response_cache.disk]
        directory = "{{dir}}/responses"
        [redis]
        {redis}
        [plugins]
        directory = "plugins"
        store = "{{dir}}/store"
        versions = "{{dir}}/versions"
        [plugin.uses-services]
        time = "10s"
        grants = {{ http = ["{url}"], kv = ["values"] }}
        record = {{ sample = 1, directory = "{{dir}}/recordings" }}
        [kv.values]
        scope = "cluster"
        [upstream.app]
        targets = [{{ url = "{url}" }}]
        [[route]]
        name = "limited"
        path = "/limited"
        chain = [
            {{ use = "throttle", rate = "1/h", burst = 2, by = "route", scope = "cluster" }},
            {{ use = "concurrency", limit = 2, by = "route", scope = "cluster" }},
            {{ use = "quota", limit = 5, period = "month", by = "route" }},
            {{ use = "quota", limit = 5, period = "month", by = "client", scope = "cluster" }},
        ]
        integration = {{ http = "app" }}
        [[route]]
        name = "asked"
        path = "/asked"
        chain = [{{ use = "forward-auth", upstream = "app" }}]
        integration = {{ respond = 200 }}
        [[route]]
        name = "invoked"
        path = "/invoked"
        chain = [{{ use = "lambda-authorizer", upstream = "app", identity = ["client"] }}]
        integration = {{ respond = 200 }}
        [[route]]
        name = "services"
        path = "/services"
        integration = {{ plugin = "uses-services" }}
        "#,
        url = origin.url(),
        redis = redis.keys(),
    )
}

fn run(arguments: &[&str], config: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(binary());
    match arguments.first() {
        Some(&"explain") => command.args(arguments).arg("--config").arg(config),
        _ => command.args(arguments).arg(config),
    };
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout) + &text(&output.stderr);
    (output.status.code(), said)
}

/// Everything in a folder: when it was changed last, and what is in it.
fn everything(folder: &Path) -> BTreeMap<PathBuf, (SystemTime, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let content = fs::read(&path).unwrap_or_default();
            if metadata.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path, (metadata.modified().unwrap(), content));
        }
    }
    found
}

const LOOKING: [&[&str]; 6] = [
    &["check"],
    &["check", "--explain", "limited"],
    &["explain", "GET", "/limited"],
    &["explain", "GET", "/asked"],
    &["explain", "GET", "/invoked"],
    &["explain", "GET", "/services"],
];

#[test]
fn check_and_offline_explain_leave_no_file_spend_no_limit_and_ask_nobody() {
    let (origin, redis) = (Origin::saying("hello"), RedisServer::start());
    let config = config(&origin, &redis);
    let files = TestFiles::default().with_guests(&["uses-services"]);
    let file = files.write_config(&config);
    let look = |when: &str, folder: &Path| {
        let (before, keys) = (everything(folder), redis.ask(&["DBSIZE"]));
        let hits = origin.hits();
        for arguments in LOOKING {
            let (status, said) = run(arguments, &folder.join("gateway.toml"));
            assert_eq!(status, Some(0), "{when}, {arguments:?}: {said}");
        }
        assert!(everything(folder) == before, "{when}: files");
        assert_eq!(redis.ask(&["DBSIZE"]), keys, "{when}: shared state");
        assert_eq!(origin.hits(), hits, "{when}: requests");
    };
    look("before a gateway has run", file.parent().unwrap());

    let process = TestProcess::start_in(files, &config, &[]).unwrap();
    assert_eq!(http(process.addr("public"), "GET", "/limited", &[], b"").status, 200);
    gatewright_tests::eventually("what was spent is written down", || {
        let quotas = fs::read_to_string(process.dir().join("quotas")).unwrap_or_default();
        quotas.starts_with("gatewright quotas 1 2").then_some(())
    });
    look("beside a gateway that runs", process.dir());
    // What the gateway has written down is what is shown.
    let explain = ["explain", "GET", "/limited", "--format", "json"];
    let (_, said) = run(&explain, &process.dir().join("gateway.toml"));
    assert!(said.contains("\"remaining\": 3"), "{said}");
}

#[test]
fn a_store_that_is_another_user_s_is_no_reason_not_to_serve() {
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: only root can give files to others");
        return;
    }
    let files = TestFiles::default().with_guests(&["echo-body"]);
    let config = "
        [listener.public]
        address = \"127.0.0.1:0\"
        [plugins]
        directory = \"plugins\"
        store = \"{dir}/store\"
        [plugin.echo-body]
        time = \"10s\"
        [[route]]
        name = \"echo\"
        path = \"/\"
        integration = { plugin = \"echo-body\" }
    ";
    files.check(config).unwrap();
    let store = files.dir().join("store");
    assert!(!store.exists());
    fs::create_dir(&store).unwrap();
    chown(&store, Some(65_534), Some(65_534)).unwrap();
    files.check(config).unwrap();
    let process = TestProcess::start_in(files, config, &[]).unwrap();
    assert_eq!(http(process.addr("public"), "POST", "/", &[], b"here").text(), "here");
    let said = process.stderr();
    assert!(
        said.contains("cannot use the compiled-code store") && said.contains("belongs to user 65534"),
        "{said}"
    );
    assert_eq!(fs::read_dir(&store).unwrap().count(), 0, "nothing is put there");
    assert_eq!(fs::metadata(&store).unwrap().uid(), 65_534);
}
