//! The teaching plugins of the other languages, each in a gateway.

use gatewright_tests::guests;
use gatewright_tests::{Origin, RawResponse, TestFiles, TestGateway, full, http};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Request, Response};
use serde_json::json;
use sha2::Sha256;

use super::super::setup::{PATIENT, base, route, upstream};

/// Room for interpreters; and an instance is used again, or each call would start one.
const ROOM: &str = "memory = \"64MiB\"\ninstances = { reuse = 1000 }\n";

/// A gateway with one teaching plugin on the route `/NAME`.
fn start(name: &str, chain: &str, integration: &str, more: &str) -> Result<TestGateway, String> {
    let config = [
        base(),
        format!("[plugin.{name}]\n{PATIENT}\n{ROOM}"),
        route(name, chain, integration),
        more.to_owned(),
    ];
    let files = TestFiles::default().with(&format!("plugins/{name}.wasm"), guests::plugin(name));
    files.try_start(&config.concat())
}

fn stage(name: &str, config: &str) -> String {
    format!("{{ plugin = \"{name}\", config = {{ {config} }} }}")
}

fn ask(gateway: &TestGateway, target: &str) -> RawResponse {
    http(gateway.addr("public"), "GET", target, &[], b"")
}

/// What a gateway says that does not start with this configuration.
fn refusal(name: &str, chain: &str, integration: &str) -> String {
    match start(name, chain, integration, "") {
        Ok(_) => panic!("{name}: {chain} {integration} is accepted"),
        Err(message) => message,
    }
}

/// An origin that says what it was asked.
fn echo() -> Origin {
    Origin::start(|request: Request<_>| async move {
        let asked = json!({ "target": request.uri().to_string() });
        let response = Response::builder()
            .header("content-type", "text/html")
            .header("x-powered-by", "magic");
        response.body(full(asked.to_string())).unwrap()
    })
}

#[test]
fn python_signed_link_lets_signed_links_pass() {
    let key = "a key that is long enough for HMAC";
    let config = |rest: &str| stage("signed-link", &format!("key = \"{key}\"{rest}"));
    let gateway = start("signed-link", &config(""), "respond = 200, body = \"secret\"", "").unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let link = |method: &str, signer: &str, expires: u64| {
        let query = format!("signer={signer}&expires={expires}");
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(format!("{method}\n/signed-link\n{query}").as_bytes());
        let signature: String = mac
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("/signed-link?{query}&signature={signature}")
    };
    let good = link("GET", "alice", now + 600);
    for _ in 0..2 {
        let answer = ask(&gateway, &good);
        assert_eq!((answer.status, answer.text().as_str()), (200, "secret"), "{answer:?}");
    }
    assert_eq!(gateway.wait_for_records(1)[0]["principal"], "alice");
    for bad in [
        link("DELETE", "alice", now + 600),
        link("GET", "alice", now - 1),
        link("GET", "alice", now + 100_000),
        good.replace("alice", "root"),
        format!("{good}&more=1"),
        "/signed-link".to_owned(),
    ] {
        let answer = ask(&gateway, &bad);
        assert_eq!(
            (answer.status, answer.error()),
            (403, Some("ACCESS_DENIED")),
            "{bad}: {answer:?}"
        );
        assert_eq!(answer.text(), "this link is not valid\n");
    }
    let short = refusal("signed-link", &stage("signed-link", "key = \"short\""), "respond = 200");
    assert!(short.contains("config/key"), "{short}");
    let poor = refusal(
        "signed-link",
        &stage("signed-link", &format!("key = \"{}\"", "a".repeat(40))),
        "respond = 200",
    );
    assert!(poor.contains("too few different characters"), "{poor}");
}

#[test]
fn javascript_ip_allow_list_lets_addresses_pass() {
    let chain = |allow: &str| stage("ip-allow-list", &format!("allow = [{allow}]"));
    for (allow, status) in [("\"127.0.0.0/8\", \"::1\"", 200), ("\"10.0.0.0/8\"", 403)] {
        let gateway = start("ip-allow-list", &chain(allow), "respond = 200", "").unwrap();
        let answer = ask(&gateway, "/ip-allow-list");
        assert_eq!(answer.status, status, "{allow}: {answer:?}");
    }
    let wrong = refusal(
        "ip-allow-list",
        &chain("\"10.0.0.0/8\", \"10.0.0.1/8\""),
        "respond = 200",
    );
    assert!(wrong.contains("allow/1") && wrong.contains("no network"), "{wrong}");
    assert!(refusal("ip-allow-list", &chain(""), "respond = 200").contains("config/allow"));
}

#[test]
fn typescript_security_headers_makes_browsers_careful() {
    let origin = echo();
    let chain = stage("security-headers", "frames = \"same-origin\"");
    let gateway = start("security-headers", &chain, "http = \"app\"", &upstream(&origin)).unwrap();
    let answer = ask(&gateway, "/security-headers");
    assert_eq!(answer.status, 200, "{answer:?}");
    for (name, value) in [
        ("x-frame-options", Some("SAMEORIGIN")),
        ("x-content-type-options", Some("nosniff")),
        ("content-security-policy", Some("default-src 'self'")),
        ("strict-transport-security", None),
        ("x-powered-by", None),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let wrong = refusal(
        "security-headers",
        &stage("security-headers", "hide = [\"Upgrade\"]"),
        "respond = 200",
    );
    assert!(
        wrong.contains("hide/0") && wrong.contains("belongs to the connection"),
        "{wrong}"
    );
    let wrong = refusal(
        "security-headers",
        &stage("security-headers", "frames = \"any\""),
        "respond = 200",
    );
    assert!(wrong.contains("config/frames"), "{wrong}");
}

#[test]
fn c_tidy_query_takes_parameters_away() {
    let origin = echo();
    let chain = stage("tidy-query", "drop = [\"utm_*\", \"fbclid\"], sort = true");
    let gateway = start("tidy-query", &chain, "http = \"app\"", &upstream(&origin)).unwrap();
    for (query, left) in [
        ("?b=2&utm_source=x&a=1&fbclid=y&utm_", "?a=1&b=2"),
        ("?utm_source=x", ""),
        ("?fbclid2=x", "?fbclid2=x"),
        ("", ""),
    ] {
        let answer = ask(&gateway, &format!("/tidy-query{query}"));
        assert_eq!(answer.json()["target"], format!("/tidy-query{left}"), "{query}");
    }
    let wrong = refusal(
        "tidy-query",
        &stage("tidy-query", "drop = [\"a\", \"a\"]"),
        "respond = 200",
    );
    assert!(wrong.contains("a name is there twice"), "{wrong}");
    assert!(refusal("tidy-query", &stage("tidy-query", "sort = true"), "respond = 200").contains("drop"));
}

#[test]
fn go_identicon_answers_with_a_picture() {
    let integration = |config: &str| format!("plugin = \"identicon\", config = {{ {config} }}");
    let gateway = start("identicon", "", &integration("pixels = 50"), "").unwrap();
    let picture = |name: &str| ask(&gateway, &format!("/identicon?name={name}"));
    let (ada, again, bob) = (picture("Ada"), picture("Ada"), picture("Bob"));
    assert_eq!(
        (ada.status, ada.header("content-type")),
        (200, Some("image/png")),
        "{ada:?}"
    );
    assert!(ada.body.starts_with(b"\x89PNG\r\n\x1a\n"));
    // The header of the picture: 50 by 50.
    assert_eq!(ada.body[16..24], [0, 0, 0, 50, 0, 0, 0, 50]);
    assert!(ada.body == again.body && ada.body != bob.body);
    assert_eq!(ask(&gateway, "/identicon").status, 400);
    // Go's collector may not run while arguments are put into its memory: an instance that is used again would trap.
    for number in 0..300 {
        assert_eq!(
            picture(&format!("{number}{}", "x".repeat(number * 20))).status,
            200,
            "call {number}"
        );
    }
    assert!(refusal("identicon", "", &integration("pixels = 51")).contains("51 is not a multiple of 5"));
    assert!(refusal("identicon", "", &integration("pixels = 4")).contains("config/pixels"));
}

#[test]
fn rust_quote_for_wasip2_answers_as_the_other_does() {
    let integration = |config: &str| format!("plugin = \"quote-wasip2\", config = {{ {config} }}");
    let gateway = start(
        "quote-wasip2",
        "",
        &integration("currency = \"EUR\", unit_price_cents = 250"),
        "",
    )
    .unwrap();
    let answer = ask(&gateway, "/quote-wasip2?quantity=2");
    assert_eq!(
        (answer.status, &answer.json()["total_cents"]),
        (200, &json!(500)),
        "{answer:?}"
    );
    assert!(refusal("quote-wasip2", "", &integration("currency = \"EUR\"")).contains("unit_price_cents"));
}

/// Every file below a folder, by its path in it.
fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => found.push(path.strip_prefix(folder).unwrap().to_owned()),
            }
        }
    }
    found
}

#[test]
fn the_library_in_a_teaching_plugin_is_the_one_that_new_plugins_get() {
    for (package, plugin) in [
        ("c", "tidy-query"),
        ("go", "identicon/gatewright"),
        ("javascript", "ip-allow-list"),
        ("javascript", "security-headers"),
        ("python", "signed-link"),
    ] {
        let folder = guests::root().join(format!("sdk/{package}/package"));
        let files = files_below(&folder);
        assert!(!files.is_empty(), "{package}");
        for file in files {
            let copy = guests::root().join("plugins").join(plugin).join(&file);
            let (library, copied) = (std::fs::read(folder.join(&file)), std::fs::read(&copy));
            let same = library.unwrap() == copied.unwrap_or_default();
            assert!(
                same,
                "copy {} of sdk/{package}/package to {}",
                file.display(),
                copy.display()
            );
        }
    }
}
