//! `gatewright plugin test` with services that the cases script: what they grant, answer, and expect to be asked.

use serde_json::{Value, json};

use super::cases::{all_pass, differences, try_guest};

const GUEST: &str = "uses-services";

/// A case in which the guest makes a call, and what came of it.
fn case(name: &str, services: &str, call: &Value, expect: &str, answer: &Value) -> String {
    format!(
        "[[case]]\nname = \"{name}\"\nrequest.body = '''{call}'''\n{services}\n[case.expect]\nbody = '''{answer}'''\n{expect}\n"
    )
}

/// What is said of the only case, in which the guest makes a call.
fn said(services: &str, call: &Value, expect: &str) -> Vec<(String, String, String)> {
    differences(
        GUEST,
        &format!("request.body = '''{call}'''\n{services}\n[case.expect]\n{expect}"),
    )
}

fn ok(value: impl Into<Value>) -> Value {
    json!({ "ok": value.into() })
}

fn error(text: &str) -> Value {
    json!({ "error": text })
}

fn send(url: &str) -> Value {
    json!({ "call": "send", "url": url })
}

#[test]
fn what_a_case_names_is_granted_and_each_case_has_its_own() {
    let secret = json!({ "call": "secret", "name": "KEY" });
    let get = json!({ "call": "get", "store": "sessions", "key": "alice" });
    let cached = json!({ "call": "cache-get", "store": "keys", "key": "a" });
    let add = json!({ "call": "add", "store": "logins", "key": "k", "window": 1000 });
    let take = json!({ "call": "take", "store": "logins", "key": "k", "tokens": 1, "capacity": 5, "rate": 1.0 });
    all_pass(
        GUEST,
        &[
            case(
                "a secret",
                "services.secrets.KEY = \"sesame\"",
                &secret,
                "",
                &ok("sesame"),
            ),
            case("another", "services.secrets.KEY = \"open\"", &secret, "", &ok("open")),
            case("none", "", &secret, "", &error("NotGranted")),
            case(
                "a value",
                "services.kv.sessions = { alice = \"in\" }",
                &get,
                "",
                &ok(json!(["in", 1])),
            ),
            case("no value", "services.kv.sessions = {}", &get, "", &ok(Value::Null)),
            case("no store", "services.kv.other = {}", &get, "", &error("NoSuchStore")),
            case(
                "cached",
                "services.cache.keys = { a = { b = 1 } }",
                &cached,
                "",
                &ok(json!(["value", "{\"b\":1}"])),
            ),
            case("not cached", "services.cache.keys = {}", &cached, "", &ok("compute")),
            case(
                "counted",
                "services.counters.logins = { k = 4 }",
                &add,
                "counters.logins = { k = 5 }",
                &ok(5),
            ),
            case(
                "not counted",
                "services.counters.logins = {}",
                &add,
                "counters.logins = { k = 1 }",
                &ok(1),
            ),
            case(
                "tokens",
                "services.buckets.logins = { k = 3 }",
                &take,
                "",
                &ok(json!([true, 2, 0])),
            ),
            case(
                "no tokens",
                "services.buckets.logins = { k = 0 }",
                &take,
                "",
                &ok(json!([false, 0, 1000])),
            ),
            case(
                "a full bucket",
                "services.buckets.logins = {}",
                &take,
                "",
                &ok(json!([true, 4, 0])),
            ),
            case(
                "away",
                "services.kv.sessions = { alice = \"in\" }\nservices.unavailable = \"connection refused\"",
                &get,
                "",
                &error("Unavailable(\"the state store does not answer: connection refused\")"),
            ),
        ]
        .concat(),
    );
}

#[test]
fn services_of_the_file_are_those_of_cases_that_have_none() {
    let get = json!({ "call": "secret", "name": "KEY" });
    all_pass(
        GUEST,
        &[
            "[services]\nsecrets = { KEY = \"sesame\" }\n".to_owned(),
            case("of the file", "", &get, "", &ok("sesame")),
            case("its own", "services.kv.a = {}", &get, "", &error("NotGranted")),
        ]
        .concat(),
    );
}

#[test]
fn what_is_in_stores_afterwards_is_compared() {
    let set = json!({ "call": "set", "store": "sessions", "key": "alice", "value": "{\"n\": 1}" });
    let services = "services.kv.sessions = { bob = \"in\" }";
    all_pass(
        GUEST,
        &[
            case(
                "stores",
                services,
                &set,
                "kv.sessions = { alice = { n = 1 }, bob = \"in\", carol = false }",
                &ok(2),
            ),
            case(
                "caches",
                "services.cache.keys = { a = \"1\", b = \"2\" }",
                &json!([
                    { "call": "cache-put", "store": "keys", "key": "a", "value": "new" },
                    { "call": "cache-forget", "store": "keys", "key": "b" },
                ]),
                "cache.keys = { a = \"new\", b = false }",
                &json!([ok(Value::Null), ok(Value::Null)]),
            ),
        ]
        .concat(),
    );
    let of = |expect: &str| said(services, &set, expect);
    let texts = |what: &str, expected: &str, got: &str| [(what.to_owned(), expected.to_owned(), got.to_owned())];
    assert_eq!(
        of("kv.sessions.bob = \"out\""),
        texts("kv.sessions.bob body", "out", "in")
    );
    assert_eq!(of("kv.sessions.bob = false"), texts("kv.sessions.bob", "none", "in"));
    assert_eq!(
        of("kv.sessions.carol = true"),
        texts("kv.sessions.carol", "any value", "none")
    );
    assert_eq!(
        of("kv.sessions.alice = { n = 2 }"),
        texts("kv.sessions.alice json/n", "2", "1")
    );
    let add = json!({ "call": "add", "store": "logins", "key": "k", "window": 1000 });
    assert_eq!(
        said("services.counters.logins = {}", &add, "counters.logins.k = 2"),
        texts("counters.logins.k", "2", "1")
    );
}

#[test]
fn requests_are_answered_as_the_case_says() {
    let keys = "services.http = [{ url = \"https://idp.example.com/keys?page=1\", status = 203, headers = { x-a = \"b\" }, json = { keys = [] } }]";
    let fields = json!([["x-a", "b"], ["content-type", "application/json"]]);
    let post = json!({
        "call": "send", "method": "POST", "url": "http://[::1]:8080/token", "body": "grant",
        "fields": { "authorization": "Basic x" },
    });
    let token = "services.http = [{ method = \"POST\", url = \"http://[::1]:8080/token\", hex = \"6f 6b\", \
                 request = { body = \"grant\", headers = { authorization = \"Basic x\", cookie = false } } }]";
    let failing =
        |error: &str| format!("services.http = [{{ url = \"https://idp.example.com/\", error = \"{error}\" }}]");
    let long = "services.http = [{ url = \"https://idp.example.com/\", body = \"long\" }]";
    let mut few = send("https://idp.example.com/");
    few["max"] = json!(3);
    let mut cases = vec![
        case(
            "answered",
            keys,
            &send("https://IDP.example.com:443/a/../keys?page=1"),
            "",
            &ok(json!({ "status": 203, "fields": fields, "body": "{\"keys\":[]}" })),
        ),
        case(
            "with a body",
            token,
            &post,
            "",
            &ok(json!({ "status": 200, "fields": [], "body": "ok" })),
        ),
        case("too long", long, &few, "", &error("TooLarge")),
    ];
    for (failure, told) in [
        ("forbidden", "Forbidden"),
        ("timeout", "Timeout"),
        ("too-large", "TooLarge"),
        ("dns", "Dns(\"the case says so\")"),
        ("connect", "Connect(\"the case says so\")"),
        ("tls", "Tls(\"the case says so\")"),
        ("protocol", "Protocol(\"the case says so\")"),
    ] {
        cases.push(case(
            failure,
            &failing(failure),
            &send("https://idp.example.com/"),
            "",
            &error(told),
        ));
    }
    all_pass(GUEST, &cases.concat());
}

#[test]
fn a_request_that_is_not_expected_and_one_that_is_not_sent_fail_the_case() {
    let one = "services.http = [{ url = \"https://idp.example.com/keys\", request = { json = { a = 1 } } }]";
    let texts = |what: &str, expected: &str, got: &str| (what.to_owned(), expected.to_owned(), got.to_owned());
    let unexpected = |request: &str| texts("services.http", "no such request", request);
    let missing = texts(
        "services.http (line 4)",
        "GET https://idp.example.com/keys",
        "it was not sent",
    );
    let of = |url: &str| said(one, &send(url), "status = 200");
    assert_eq!(
        of("https://idp.example.com/other"),
        [unexpected("GET https://idp.example.com/other"), missing.clone()]
    );
    assert_eq!(
        of("https://evil.example/keys"),
        [unexpected("https://evil.example:443/keys"), missing.clone()]
    );
    assert_eq!(said(one, &json!([]), "status = 200"), [missing]);
    let twice = json!([
        send("https://idp.example.com/keys"),
        send("https://idp.example.com/keys")
    ]);
    let said = said(one, &twice, "status = 200");
    assert_eq!(said[0], unexpected("GET https://idp.example.com/keys"));
    assert!(
        said[1].0.ends_with("https://idp.example.com/keys json") && said[1].2.starts_with("not JSON"),
        "{said:?}"
    );
}

#[test]
fn clocks_stand_still_and_random_numbers_are_the_same() {
    let calls = json!([{ "call": "time" }, { "call": "random", "length": 16 }]);
    let answer = |services: &str| {
        let cases = case("it", services, &calls, "", &json!("?"));
        let (_, shown) = try_guest(GUEST, &cases);
        let got = shown["cases"][0]["differences"][0]["got"].as_str().unwrap().to_owned();
        serde_json::from_str::<Value>(&got).unwrap()
    };
    let scripted = "services = { time = 2023-11-14T22:13:20Z, seed = 7 }";
    let first = answer(scripted);
    assert_eq!(first[0], ok(1_700_000_000_000_u64));
    assert_eq!(first, answer(scripted));
    assert_ne!(
        first[1],
        answer("services = { time = 2023-11-14T22:13:20Z, seed = 8 }")[1]
    );
    let real = answer("");
    assert!(real[0]["ok"].as_u64().unwrap() > 1_700_000_000_000, "{real}");
    assert_ne!(real[1], answer("")[1]);
}

#[test]
fn a_decisions_time_and_policy_and_a_fault_are_compared() {
    let case = |key: &str, expect: &str| {
        let name = expect.split(' ').next().unwrap();
        format!(
            "[[case]]\nname = \"{key} {name}\"\nrequest = {{ path = \"/open/a\", headers = {{ x-key = \"{key}\" }} }}\n\
             expect = {{ {expect} }}\n"
        )
    };
    all_pass(
        "decides",
        &[
            case("fault", "fault = \"unavailable\", message = \"asked\""),
            case("fault", "failure = \"fault\", fault = \"unavailable\""),
            case("ttl:60000", "ttl = \"60s\", decision = \"allow\""),
            case("deny-ttl:5", "ttl = \"5ms\", decision = \"deny\""),
            case(
                "policy",
                "policy = [{ effect = \"allow\", methods = [\"GET\"], paths = [\"/open/*\"] }, \
                 { effect = \"deny\", methods = [\"*\"], paths = [\"/open/secret\"] }]",
            ),
        ]
        .concat(),
    );
    let one = |key: &str, expect: &str| {
        differences(
            "decides",
            &format!("request.headers.x-key = \"{key}\"\nexpect = {{ {expect} }}"),
        )
    };
    assert_eq!(one("fault", "fault = \"internal\"")[0].0, "fault");
    assert_eq!(
        one("gold", "ttl = \"1s\"")[0],
        ("ttl".to_owned(), "1s".to_owned(), "none".to_owned())
    );
    let policy = one(
        "gold",
        "policy = [{ effect = \"allow\", methods = [\"GET\"], paths = [\"/a/*\"] }]",
    );
    assert_eq!(
        policy[0],
        (
            "policy/0".to_owned(),
            "allow [\"GET\"] [\"/a/*\"]".to_owned(),
            "none".to_owned()
        )
    );
}

#[test]
fn bodies_that_are_no_text_are_given_and_compared_as_digits() {
    all_pass(
        "rewrites",
        "[[case]]\nname = \"it\"\nrequest = { hex = \"00ff\" }\nresponse = { hex = \"fe\" }\n\
         expect = { hex = \"726573706f6e73653afe\", request = { hex = \"726571756573743a00ff\" } }\n",
    );
    let said = differences("rewrites", "response = { hex = \"fe\" }\nexpect = { hex = \"00\" }");
    assert_eq!(
        said,
        [("hex".to_owned(), "00".to_owned(), "726573706f6e73653afe".to_owned())]
    );
}
