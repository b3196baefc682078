//! P2, P16: a configuration that a plugin refuses is refused with the plugin's own words and their place; what served
//! before goes on.

use std::time::Duration;

use gatewright_tests::neighbour::Neighbour;
use gatewright_tests::{TestFiles, TestGateway, guests, http};

use super::setup::{PATIENT, base, heavy};

const GUEST: &str = "fails-in-configure";

/// The route `all` begins in this line of a configuration by [`config`].
fn config(mode: &str) -> String {
    format!(
        "{}[plugin.{GUEST}]\n{PATIENT}\n[[route]]\nname = \"all\"\npath = \"/all\"\n\
         chain = [{{ plugin = \"{GUEST}\", config = {{ mode = \"{mode}\" }} }}]\n\
         integration = {{ respond = 200, body = \"{mode}\" }}\n",
        base()
    )
}

fn line_of(text: &str, config: &str) -> String {
    let line = config.lines().position(|line| line.contains(text)).unwrap() + 1;
    format!("gateway.toml:{line}:")
}

fn start() -> TestGateway {
    TestFiles::default().with_guests(&[GUEST]).start(&config("good"))
}

fn body(gateway: &TestGateway) -> String {
    let answer = http(gateway.addr("public"), "GET", "/all", &[], b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text()
}

#[test]
fn p16_a_configuration_that_a_plugin_refuses_is_refused_with_its_words_and_the_last_one_serves() {
    let gateway = start();
    let refusals: [(&str, &[&str]); 6] = [
        ("loop", &["`configure` did not end within 500ms"]),
        ("panic", &["cannot configure", "trapped (unreachable)"]),
        ("memory", &["cannot configure", "`memory`"]),
        (
            "errors",
            &[
                "`config/mode`: `errors` is not a mode anybody wants",
                "and the rest does not fit either",
            ],
        ),
        ("many", &["`config/0`: wrong", "`config/49`: wrong"]),
        ("rude", &[r"`config/\u{1b}[31m\r\n`", r"\u{0}\r\n\u{1b}[2Jxxx", "…"]),
    ];
    for (mode, words) in refusals {
        let bad = config(mode);
        gateway.rewrite_config(&bad);
        let message = gateway.reload().expect_err(mode);
        let place = line_of("chain = ", &bad);
        for word in words
            .iter()
            .chain(&["gateway.toml", place.as_str(), "fails-in-configure.wasm"])
        {
            assert!(message.contains(word), "{mode}: {word:?} is not in {message:?}");
        }
        assert!(
            !message.contains("config/50") && message.len() < 16_000,
            "{mode}: {} bytes",
            message.len()
        );
        // One line for each mistake, and nothing else that moves a cursor.
        let is_control = |c: char| c.is_control() && c != '\n';
        assert!(!message.chars().any(is_control), "{mode}: {message:?}");
        assert_eq!(body(&gateway), "good");
    }
    gateway.rewrite_config(&config("better"));
    gateway.reload().unwrap();
    assert_eq!(body(&gateway), "better");
}

#[test]
fn p16_a_new_version_that_refuses_the_old_configuration_is_refused() {
    let gateway = start();
    // Takes no configuration at all.
    gateway.write(&format!("plugins/{GUEST}.wasm"), guests::guest("version-two"));
    let message = gateway.reload().unwrap_err();
    assert!(
        message.contains("this plugin has nothing to configure")
            && message.contains(&line_of("chain = ", &config("good"))),
        "{message}"
    );
    assert_eq!(body(&gateway), "good");
    assert_eq!(gateway.running().reload().unwrap_err(), message);
    let plugins = http(gateway.admin(), "GET", "/plugins", &[], b"").json();
    assert_eq!(plugins["plugins"][0]["plugin"]["declared_name"], GUEST, "{plugins}");
}

#[test]
fn p16_a_configuration_is_checked_against_the_plugins_schema_before_the_plugin_sees_it() {
    let quote = |config: &str| {
        format!(
            "{}[[route]]\nname = \"all\"\npath = \"/all\"\nintegration = {{ plugin = \"quote\", config = {config} }}\n",
            base()
        )
    };
    for (config, words) in [
        (
            "{ currency = \"euro\", unit_price_cents = 5 }",
            ["`config/currency`", "^[A-Z]{3}$"],
        ),
        ("{ currency = \"EUR\" }", ["unit_price_cents", "is missing"]),
        (
            "{ currency = \"EUR\", unit_price_cents = 5, typo = 1 }",
            ["typo", "there is no key"],
        ),
    ] {
        let text = quote(config);
        let files = TestFiles::default().with("plugins/quote.wasm", guests::plugin("quote"));
        let message = files.try_start(&text).err().expect(config);
        for word in words.iter().chain(&[line_of("integration = { plugin", &text).as_str()]) {
            assert!(message.contains(word), "{config}: {word:?} is not in {message:?}");
        }
    }
}

/// A gateway whose token-authorizer is configured so.
fn authorizing(sections: &str, config: &str) -> Result<TestGateway, String> {
    let text = format!(
        "{}{sections}[[route]]\nname = \"all\"\npath = \"/all\"\nintegration = {{ respond = 200 }}\n\
         chain = [{{ plugin = \"token-authorizer\", config = {config} }}]\n",
        base()
    );
    let files = TestFiles::default().with("plugins/token-authorizer.wasm", guests::plugin("token-authorizer"));
    files
        .with("key", "a secret of thirty-two bytes, or more\n")
        .try_start(&text)
}

#[test]
fn a_secret_in_a_configuration_is_referred_to_by_the_name_that_it_is_granted_under() {
    let secrets = "[secrets]\nKEY = \"file:{dir}/key\"\n[plugin.token-authorizer]\ngrants = { secrets = [\"KEY\"] }\n";
    let config = "{ secret = { \"$secret\" = \"KEY\" }, issuer = \"https://idp\" }";
    let gateway = authorizing(secrets, config).unwrap();
    assert_eq!(http(gateway.addr("public"), "GET", "/all", &[], b"").status, 401);
    let error = authorizing("", config).err().unwrap();
    for words in [
        "`config/secret`",
        "secret `KEY` is not granted to the plugin",
        "`[plugin.token-authorizer]`",
    ] {
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[test]
fn what_is_wrong_with_a_configuration_is_said_without_its_secrets() {
    for config in [
        "{ secret = \"hunter2-hunter2\", issuer = \"https://idp\" }",
        "{ secret = \"hunter2-hunter2-hunter2-hunter2-hunter2\" }",
        "{ secret = \"hunter2-hunter2-hunter2-hunter2-hunter2\", issuer = \"https://idp\", typo = 1 }",
        "{ secret = { hunter2 = \"hunter2\" }, issuer = \"https://idp\" }",
    ] {
        let error = authorizing("", config).err().expect(config);
        assert!(
            error.contains("token-authorizer") && !error.contains("hunter2"),
            "{config}: {error}"
        );
    }
}

#[test]
fn p2_a_plugin_that_does_not_come_back_from_configure_costs_a_neighbour_nothing() {
    let _heavy = heavy();
    let gateway = start();
    gateway.rewrite_config(&config("loop"));
    let neighbour = Neighbour::start(&gateway, "public", "/neighbour");
    while neighbour.count() < 400 {
        assert!(gateway.reload().unwrap_err().contains("`configure` did not end"));
    }
    neighbour
        .stop()
        .assert_below(Duration::from_millis(150), "P2, loops in configure");
    assert_eq!(body(&gateway), "good");
}
