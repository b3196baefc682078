//! Usage plans end to end: what holders of keys may use, what operators see of it, and how they correct it.

use std::process::Command;

use gatewright_tests::process::binary;
use gatewright_tests::redis::RedisServer;
use gatewright_tests::{RawResponse, TestFiles, TestGateway, http};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

fn key(name: &str, more: &str) -> String {
    let hash: String = Sha256::digest(name).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("[[key]]\nname = \"{name}\"\nsha256 = \"{hash}\"\n{more}\n")
}

fn config(plans: &str, stage: &str) -> String {
    let route = |name: &str| {
        format!(
            r#"
        [[route]]
        name = "{name}"
        path = "/{name}"
        chain = [{{ use = "api-key", keys = "keys.toml" }}, {{ use = "usage-plan"{stage} }}]
        integration = {{ respond = 200, body = "in" }}
        "#
        )
    };
    format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"

        [admin]
        address = "127.0.0.1:0"

        {plans}
        {}
        {}
        "#,
        route("one"),
        route("two")
    )
}

fn keys() -> TestFiles {
    let keys = [
        key("a", "usage_plans = [\"gold\"]"),
        key("b", "usage_plans = [\"gold\"]"),
        key("none", ""),
    ];
    TestFiles::default().with("keys.toml", keys.concat())
}

fn ask(gateway: &TestGateway, path: &str, key: &str) -> RawResponse {
    http(gateway.addr("public"), "GET", path, &[("x-api-key", key)], b"")
}

fn admin(gateway: &TestGateway, method: &str, path: &str, body: &str) -> (u16, Value) {
    let response = http(gateway.admin(), method, path, &[], body.as_bytes());
    (response.status, serde_json::from_str(&response.text()).unwrap())
}

#[test]
fn a_quota_is_of_each_key_over_all_routes_of_its_plan() {
    let plans = "[usage_plan.gold]\nquota = { limit = 3, period = \"month\" }";
    let gateway = keys().start(&config(plans, ""));
    for path in ["/one", "/two", "/one"] {
        assert_eq!(ask(&gateway, path, "a").status, 200);
    }
    let refused = ask(&gateway, "/two", "a");
    assert_eq!((refused.status, refused.error()), (429, Some("QUOTA_EXCEEDED")));
    assert_eq!(ask(&gateway, "/two", "b").status, 200, "another key has its own");
    let refused = ask(&gateway, "/one", "none");
    assert_eq!((refused.status, refused.error()), (403, Some("INVALID_API_KEY")));
    let records = gateway.wait_for_records(6);
    assert_eq!(
        (&records[0]["api_key"], &records[0]["limit_remaining"]),
        (&"a".into(), &2.into())
    );
}

#[test]
fn a_route_has_its_own_rate_and_what_comes_too_fast_uses_nothing_up() {
    let plans = r#"
        [usage_plan.gold]
        throttle = { rate = "2/h" }
        route_throttle = { two = { rate = "1/h" } }
        quota = { limit = 100, period = "month" }
    "#;
    let gateway = keys().start(&config(plans, ""));
    let statuses = |path: &str| [(); 3].map(|()| ask(&gateway, path, "a").status);
    assert_eq!(statuses("/two"), [200, 429, 429]);
    assert_eq!(statuses("/one"), [200, 200, 429]);
    let (_, usage) = admin(&gateway, "GET", "/usage/gold?key=a", "");
    assert_eq!(
        (&usage["keys"][0]["used"], &usage["keys"][0]["remaining"]),
        (&3.into(), &97.into())
    );
}

#[test]
fn whoever_has_no_plan_has_the_default_one() {
    let plans = r#"
        [usage_plan.gold]
        routes = ["two"]
        [usage_plan.free]
        quota = { limit = 1, period = "day" }
    "#;
    let gateway = keys().start(&config(plans, ", default = \"free\""));
    assert_eq!([(); 2].map(|()| ask(&gateway, "/one", "none").status), [200, 429]);
    assert_eq!(
        [(); 2].map(|()| ask(&gateway, "/one", "a").status),
        [200, 429],
        "its plan is for another route"
    );
    assert_eq!(
        [(); 2].map(|()| ask(&gateway, "/two", "a").status),
        [200, 200],
        "its plan has no limits"
    );
}

#[test]
fn operators_see_what_was_used_and_correct_it_for_all_gateways() {
    let redis = RedisServer::start();
    let plans = format!(
        "[redis]\n{}\n[usage_plan.gold]\nscope = \"cluster\"\nquota = {{ limit = 10, period = \"week\" }}",
        redis.keys()
    );
    let [one, other] = [(); 2].map(|()| keys().start(&config(&plans, "")));
    for gateway in [&one, &other, &one] {
        assert_eq!(ask(gateway, "/one", "a").status, 200);
    }
    let (status, all) = admin(&one, "GET", "/usage", "");
    assert_eq!(
        (status, &all["plans"][0]["plan"], &all["plans"][0]["keys"]),
        (200, &"gold".into(), &2.into())
    );
    let (_, page) = admin(&other, "GET", "/usage/gold?limit=1", "");
    assert_eq!(
        (&page["keys"][0]["key"], &page["keys"][0]["used"], &page["position"]),
        (&"a".into(), &3.into(), &"a".into())
    );
    let (_, page) = admin(&other, "GET", "/usage/gold?limit=1&position=a", "");
    assert_eq!(
        (&page["keys"][0]["key"], &page["position"]),
        (&"b".into(), &Value::Null)
    );

    let (status, corrected) = admin(&one, "PATCH", "/usage/gold/a", "{\"remaining\": 1}");
    assert_eq!((status, &corrected["keys"][0]["used"]), (200, &9.into()));
    // The other one knew of three: what an operator says holds all the same, up and down.
    assert_eq!([(); 2].map(|()| ask(&other, "/one", "a").status), [200, 429]);
    admin(&one, "PATCH", "/usage/gold/a", "{\"used\": 0}");
    assert_eq!(ask(&other, "/one", "a").header("ratelimit-remaining"), Some("9"));
    // Also when the server has lost how often that was said.
    redis.ask(&["FLUSHALL"]);
    admin(&one, "PATCH", "/usage/gold/a", "{\"used\": 0}");
    assert_eq!(ask(&other, "/one", "a").header("ratelimit-remaining"), Some("9"));
}

#[test]
fn wrong_questions_about_usage_are_told_what_is_right() {
    let plans = "[usage_plan.gold]\nquota = { limit = 3, period = \"month\" }\n[usage_plan.open]";
    let gateway = keys().start(&config(plans, ""));
    for (method, path, body, status, text) in [
        ("GET", "/usage/golf", "", 404, "no usage plan `golf`"),
        ("GET", "/usage/open", "", 404, "has no quota"),
        ("GET", "/usage/gold?key=none", "", 404, "no key `none`"),
        ("GET", "/usage/gold?from=1", "", 400, "`position`"),
        ("GET", "/usage/gold?limit=x", "", 400, "`limit`"),
        ("PATCH", "/usage/gold/none", "{\"used\": 1}", 404, "no key `none`"),
        ("PATCH", "/usage/gold/a", "{\"used\": -1}", 400, "\"remaining\""),
        (
            "PATCH",
            "/usage/gold/a",
            "{\"used\": 1, \"remaining\": 1}",
            400,
            "\"remaining\"",
        ),
        ("PATCH", "/usage/gold/a", "", 400, "\"remaining\""),
        ("POST", "/usage/gold/a", "", 405, "PATCH"),
        ("GET", "/usage/a/b/c", "", 404, "/usage/PLAN"),
    ] {
        let (found, answer) = admin(&gateway, method, path, body);
        let message = answer["message"].as_str().unwrap();
        assert!(
            found == status && message.contains(text),
            "{method} {path} {body}: {found} {message}"
        );
    }
    let long = format!("{{\"used\": {}1}}", " ".repeat(5000));
    assert_eq!(admin(&gateway, "PATCH", "/usage/gold/a", &long).0, 400);
}

#[test]
fn a_key_with_a_plan_that_is_not_there_or_two_for_a_route_is_refused() {
    for (plans, of_key, text) in [
        ("", "[\"gold\"]", "the usage plan `gold`, which there is not"),
        (
            "[usage_plan.x]\n[usage_plan.y]\nroutes = [\"two\"]",
            "[\"x\", \"y\"]",
            "two usage plans for the route `two`",
        ),
    ] {
        let files = TestFiles::default().with("keys.toml", key("a", &format!("usage_plans = {of_key}")));
        let error = files.try_start(&config(plans, "")).err().expect("it is refused");
        assert!(error.contains(text) && error.contains("keys.toml"), "{error}");
    }
}

#[test]
fn the_command_shows_and_corrects_usage() {
    let plans = "[usage_plan.gold]\nthrottle = { rate = \"100/s\" }\nquota = { limit = 10, period = \"month\" }";
    let gateway = keys().start(&config(plans, ""));
    assert_eq!(ask(&gateway, "/one", "a").status, 200);
    // The file says port 0: the command needs the one that the gateway got.
    let file = gateway.dir().join("ask.toml");
    let text = format!(
        "[listener.a]\naddress = \"127.0.0.1:0\"\n[admin]\naddress = \"{}\"\n",
        gateway.admin()
    );
    std::fs::write(&file, text).unwrap();
    let usage = |arguments: &[&str]| {
        let output = Command::new(binary())
            .arg("usage")
            .args(arguments)
            .arg("--config")
            .arg(&file)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    assert!(usage(&[]).1.starts_with("gold: 2 keys, throttle {"), "{:?}", usage(&[]));
    let (_, all, _) = usage(&["gold"]);
    assert!(
        all.starts_with("a: 1 used, 9 left, next period in ") && all.contains("\nb: 0 used, 10 left"),
        "{all}"
    );
    let (_, one, _) = usage(&["gold", "--key", "a", "--remaining", "4"]);
    assert!(one.starts_with("a: 6 used, 4 left"), "{one}");
    let (code, _, error) = usage(&["golf"]);
    assert!(
        code == 2 && error.contains("there is no usage plan `golf`"),
        "{code} {error}"
    );
    drop(gateway);
}

#[test]
fn keys_come_over_from_csv_and_go_back_without_the_keys() {
    let files = TestFiles::default();
    let csv = files.dir().join("keys.csv");
    let run = |arguments: &[&str], text: &str| {
        std::fs::write(&csv, text).unwrap();
        let output = Command::new(binary()).args(arguments).arg(&csv).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let exported = "key,NAME,Enabled,usageplanids,Other\n\
                    apikey1234abcdefghij0123456789,\"Partner, A\",TRUE,\"gold, free\",x\n\
                    apikey5678abcdefghij0123456789,B,false,,y\n";
    let (code, toml, error) = run(&["keys", "import"], exported);
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(!toml.contains("apikey"), "no key is written down: {toml}");
    let keys = gatewright_config::parse_keys(&toml, "keys.toml".as_ref()).unwrap();
    assert_eq!(
        (keys[0].name.as_str(), keys[0].usage_plans.as_slice()),
        ("Partner, A", &["gold".to_owned(), "free".to_owned()][..])
    );
    assert_eq!(
        keys[0].sha256,
        <[u8; 32]>::from(Sha256::digest("apikey1234abcdefghij0123456789"))
    );
    assert!(keys[0].enabled && !keys[1].enabled);

    let (code, back, _) = run(&["keys", "export"], &toml);
    assert_eq!(code, 0);
    assert_eq!(
        back,
        "Name,Key,Description,Enabled,UsagePlanIds\n\"Partner, A\",,,TRUE,\"gold,free\"\nB,,,FALSE,\n"
    );

    for (wrong, text) in [
        ("Name,Enabled\na,true\n", "no column `Key`"),
        ("Name,Key\na,short\n", "line 2: the key of `a`"),
        (
            "Name,Key,Enabled\na,apikey1234abcdefghij0123456789,perhaps\n",
            "`perhaps` is neither",
        ),
        (
            "Name,Key\na,apikey1234abcdefghij0123456789\nb,apikey1234abcdefghij0123456789\n",
            "already",
        ),
        ("Name,Key\na\n", "line: 2"),
    ] {
        let (code, out, error) = run(&["keys", "import"], wrong);
        assert!(code == 2 && out.is_empty() && error.contains(text), "{code} {error}");
        assert!(!error.contains("apikey1234"), "{error}");
    }
}
