//! What rules do, by small rule sets.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use gatewright_seclang::{Detect, List, Options, Outcome, Request, RuleSet, Source, WORK};

const OPTIONS: Options = Options {
    paranoia: None,
    threshold: None,
    work: WORK,
};

struct Detectors;

impl Detect for Detectors {
    fn sqli(&self, value: &[u8]) -> bool {
        value == b"sql"
    }

    fn xss(&self, value: &[u8]) -> bool {
        value == b"xss"
    }
}

fn set(text: &str) -> RuleSet {
    let set = RuleSet::load(&[Source::Text("a.conf".into(), text)], OPTIONS).unwrap();
    assert!(set.unsupported().is_empty(), "{:?}", set.unsupported());
    set
}

fn asked<'r>(values: &[(List, &'r str, &'r str)]) -> Request<'r> {
    let mut request = Request::default();
    for (list, name, value) in values {
        request.add(*list, name.as_bytes(), value.as_bytes());
    }
    request
}

fn run(set: &RuleSet, values: &[(List, &str, &str)]) -> Outcome {
    set.run(&asked(values), &Detectors, |_, _, _, _| false)
}

fn denied(rules: &str, values: &[(List, &str, &str)]) -> Option<u32> {
    run(&set(rules), values).denied_by
}

#[test]
fn a_rule_denies_what_its_operator_matches_after_its_transformations() {
    let rules = "SecRule ARGS \"@rx ^attack$\" \"id:1,phase:2,deny,t:none,t:urlDecodeUni,t:lowercase\"";
    assert_eq!(denied(rules, &[(List::ArgsGet, "a", "%41TTACK")]), Some(1));
    assert_eq!(denied(rules, &[(List::ArgsPost, "a", "attack")]), Some(1));
    assert_eq!(denied(rules, &[(List::Cookies, "a", "attack")]), None);
    assert_eq!(denied(rules, &[(List::ArgsGet, "attack", "a")]), None);
    let negated = "SecRule REQUEST_METHOD \"!@within GET HEAD\" \"id:2,phase:1,deny\"";
    assert_eq!(denied(negated, &[(List::Method, "", "PUT")]), Some(2));
    assert_eq!(denied(negated, &[(List::Method, "", "GET")]), None);
    let detectors =
        "SecRule ARGS \"@detectSQLi\" \"id:3,phase:2,deny\"\nSecRule ARGS_NAMES \"@detectXSS\" \"id:4,phase:2,deny\"";
    assert_eq!(denied(detectors, &[(List::ArgsGet, "a", "sql")]), None);
    assert_eq!(
        denied(
            "SecRule &ARGS \"@gt 1\" \"id:5,phase:2,deny\"",
            &[(List::ArgsGet, "a", ""), (List::ArgsPost, "b", "")]
        ),
        None
    );
    assert_eq!(
        denied(
            "SecRule &ARGS_GET \"@gt 1\" \"id:5,phase:2,deny\"",
            &[(List::ArgsGet, "a", ""), (List::ArgsGet, "b", "")]
        ),
        Some(5)
    );
}

#[test]
fn a_rule_looks_at_the_names_it_is_given_and_leaves_out_others() {
    let rules = "SecRule REQUEST_COOKIES|!REQUEST_COOKIES:/^__/|REQUEST_HEADERS:User-Agent \"@contains bad\" \"id:1,phase:1,deny\"";
    assert_eq!(denied(rules, &[(List::Cookies, "a", "bad")]), Some(1));
    assert_eq!(denied(rules, &[(List::Cookies, "__a", "bad")]), None);
    assert_eq!(denied(rules, &[(List::Headers, "user-agent", "bad")]), Some(1));
    assert_eq!(denied(rules, &[(List::Headers, "accept", "bad")]), None);
}

#[test]
fn points_add_up_and_a_rule_says_where_it_matched() {
    let rules = "SecRule ARGS \"@contains a\" \"id:1,phase:2,pass,msg:'an a',tag:'letters',setvar:'tx.anomaly_score_pl1=+%{tx.points}'\"\n\
                 SecRule TX:anomaly_score_pl1 \"@ge 5\" \"id:9,phase:2,deny\"";
    let rules = format!("SecAction \"id:2,phase:1,nolog,pass,setvar:tx.points=3\"\n{rules}");
    let set = set(&rules);
    let one = run(&set, &[(List::ArgsGet, "x", "a")]);
    assert_eq!((one.denied_by, one.score), (None, 3));
    assert_eq!(
        (one.matches[0].id, one.matches[0].list, one.matches[0].name.as_slice()),
        (1, Some(List::ArgsGet), b"x".as_slice())
    );
    let two = run(&set, &[(List::ArgsGet, "x", "a"), (List::ArgsPost, "y", "a")]);
    assert_eq!((two.denied_by, two.score), (Some(9), 6));
    let left_out = set.run(
        &asked(&[(List::ArgsGet, "x", "a"), (List::ArgsPost, "y", "a")]),
        &Detectors,
        |id, tags, _, name| id == 1 && &*tags[0] == "letters" && name == b"y",
    );
    assert_eq!((left_out.denied_by, left_out.score), (None, 3));
}

#[test]
fn a_chain_matches_when_all_of_its_rules_do() {
    let rules = "SecRule ARGS \"@rx ^(\\w+)=\" \"id:1,phase:2,deny,capture,chain\"\n  SecRule TX:1 \"@streq name\" \"chain\"\n  SecRule MATCHED_VAR \"@unconditionalMatch\"";
    assert_eq!(denied(rules, &[(List::ArgsGet, "a", "name=1")]), Some(1));
    assert_eq!(denied(rules, &[(List::ArgsGet, "a", "other=1")]), None);
    let refused = "SecRule ARGS \"@rx a\" \"id:1,phase:2,deny,chain\"\n  SecRule ARGS \"@rx (?=b)\"";
    let set = RuleSet::load(&[Source::Text("a.conf".into(), refused)], OPTIONS).unwrap();
    assert_eq!(
        run(&set, &[(List::ArgsGet, "a", "ab")]).denied_by,
        None,
        "half of a chain is none"
    );
    assert_eq!(set.unsupported().len(), 1);
}

#[test]
fn rules_jump_and_remove_others() {
    let jump = "SecRule TX:level \"@lt 2\" \"id:1,phase:2,pass,nolog,skipAfter:END\"\n\
                SecRule ARGS \"@contains a\" \"id:2,phase:2,deny\"\nSecMarker END\nSecRule ARGS \"@contains b\" \"id:3,phase:2,deny\"";
    let with_level = |level: u8| format!("SecAction \"id:9,phase:1,pass,setvar:tx.level={level}\"\n{jump}");
    assert_eq!(denied(&with_level(1), &[(List::ArgsGet, "x", "a")]), None);
    assert_eq!(denied(&with_level(1), &[(List::ArgsGet, "x", "b")]), Some(3));
    assert_eq!(denied(&with_level(2), &[(List::ArgsGet, "x", "a")]), Some(2));
    let deny = "SecRule ARGS \"@contains a\" \"id:2,phase:2,deny,tag:'t'\"";
    for control in [
        "ruleRemoveById=1-5",
        "ruleRemoveByTag=^t$",
        "ruleRemoveTargetById=2;ARGS:x",
        "ruleRemoveTargetByTag=t;ARGS",
        "ruleEngine=Off",
        "ruleEngine=DetectionOnly",
    ] {
        let rules = format!("SecRule REQUEST_METHOD \"@streq GET\" \"id:10,phase:1,pass,ctl:{control}\"\n{deny}");
        assert_eq!(
            denied(&rules, &[(List::Method, "", "GET"), (List::ArgsGet, "x", "a")]),
            None,
            "{control}"
        );
        assert_eq!(
            denied(&rules, &[(List::Method, "", "PUT"), (List::ArgsGet, "x", "a")]),
            Some(2),
            "{control}"
        );
    }
    for removal in [
        "SecRuleRemoveById 2",
        "SecRuleRemoveByTag t",
        "SecRuleUpdateTargetById 2 \"!ARGS:x\"",
        "SecRuleUpdateTargetByTag t \"!ARGS\"",
    ] {
        assert_eq!(
            denied(&format!("{deny}\n{removal}"), &[(List::ArgsGet, "x", "a")]),
            None,
            "{removal}"
        );
    }
}

#[test]
fn what_is_said_besides_the_files_is_not_changed_by_them() {
    let rules = "SecAction \"id:1,phase:1,pass,setvar:tx.blocking_paranoia_level=4,setvar:tx.inbound_anomaly_score_threshold=99\"\n\
                 SecRule TX:blocking_paranoia_level \"@ge 2\" \"id:2,phase:1,deny\"\n\
                 SecRule TX:inbound_anomaly_score_threshold \"@eq 7\" \"id:3,phase:2,deny\"";
    let options = Options {
        paranoia: Some(1),
        threshold: Some(7),
        ..OPTIONS
    };
    let set = RuleSet::load(&[Source::Text("a.conf".into(), rules)], options).unwrap();
    assert_eq!(run(&set, &[]).denied_by, Some(3));
    assert_eq!(denied(rules, &[]), Some(2));
}

#[test]
fn what_cannot_be_run_is_named_with_its_place() {
    let rules = "SecRule ARGS \"@rx a(?!b)\" \"id:1,phase:2,deny\"\nSecRule IP:x \"@eq 1\" \"id:2,phase:1,deny\"\n\
                 SecRule ARGS \"@rbl x\" \"id:3,phase:2,deny\"\nSecRule ARGS \"@rx a\" \"id:4,phase:2,deny,t:md5\"\n\
                 SecRule RESPONSE_BODY \"@rx a\" \"id:5,phase:4,deny\"\nNonsense on";
    let set = RuleSet::load(&[Source::Text("a.conf".into(), rules)], OPTIONS).unwrap();
    let said: Vec<_> = set.unsupported().iter().map(ToString::to_string).collect();
    let expected = [
        "a.conf:1: rule 1: its expression cannot be run: it looks ahead or behind, which no linear engine does",
        "a.conf:2: rule 2: `IP` is kept between requests, which nothing here is",
        "a.conf:3: rule 3: the operator `@rbl` is not supported",
        "a.conf:4: rule 4: the transformation `md5` is not supported",
        "a.conf:6: `nonsense` is not a directive",
    ];
    assert_eq!(said, expected);
    assert_eq!((set.rules(), set.beyond_requests()), (0, 1));
}

#[test]
fn files_are_read_in_order_with_the_phrases_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "b.conf",
        "SecRule ARGS \"@pmFromFile words.data\" \"id:1,phase:2,deny\"\nSecRuleRemoveById 2",
    );
    write("a.conf", "SecRule ARGS \"@contains x\" \"id:2,phase:2,deny\"");
    write("words.data", "# a comment\nEvil\n\nworse word\n");
    write("other.txt", "SecRule ARGS \"@contains other\" \"id:3,phase:2,deny\"");
    let set = RuleSet::load(&[Source::Path(folder.path().to_owned())], OPTIONS).unwrap();
    assert_eq!(run(&set, &[(List::ArgsGet, "a", "an eVil one")]).denied_by, Some(1));
    assert_eq!(run(&set, &[(List::ArgsGet, "a", "worse word")]).denied_by, Some(1));
    assert_eq!(run(&set, &[(List::ArgsGet, "a", "x other comment")]).denied_by, None);
    assert_eq!(set.files().len(), 3);
    let missing = RuleSet::load(&[Source::Path(folder.path().join("none"))], OPTIONS);
    assert!(missing.unwrap_err().to_string().contains("none: No such file"));
}

#[test]
fn the_work_for_one_request_is_bounded() {
    let rules = (1..200).map(|id| format!("SecRule ARGS \"@rx a.*b.*{id}$\" \"id:{id},phase:2,deny\"\n"));
    let options = Options {
        work: 1 << 20,
        ..OPTIONS
    };
    let set = RuleSet::load(&[Source::Text("a.conf".into(), &rules.collect::<String>())], options).unwrap();
    let long = "ab1234567890".repeat(10_000);
    let outcome = run(&set, &[(List::ArgsGet, "a", &long)]);
    assert!(outcome.is_exhausted && outcome.denied_by.is_none());
    assert!(!run(&set, &[(List::ArgsGet, "a", "ab")]).is_exhausted);
}

#[test]
fn a_rule_may_look_at_a_value_after_each_transformation() {
    let rules = "SecRule ARGS \"@contains %2e\" \"id:1,phase:2,deny,t:none,t:lowercase,t:urlDecodeUni,multiMatch\"";
    assert_eq!(denied(rules, &[(List::ArgsGet, "a", "%2E")]), Some(1));
    assert_eq!(
        denied(&rules.replace(",multiMatch", ""), &[(List::ArgsGet, "a", "%2E")]),
        None
    );
}

#[test]
fn files_of_rules_are_named_with_what_they_include_whether_they_are_there_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("more")).unwrap();
    std::fs::write(
        path("a.conf"),
        "Include more/*.conf\nInclude missing.conf\nSecRule ARGS \"!@pmf x.data y.data\" \"id:1,deny\"\nInclude a.conf\n",
    )
    .unwrap();
    std::fs::write(path("more/b.conf"), "IncludeOptional ../a.conf\n").unwrap();
    std::fs::write(path("more/b.txt"), "").unwrap();
    let found = gatewright_seclang::rule_files(&path("a.conf"));
    let is_same = |name: &str| {
        found
            .iter()
            .any(|file| file.canonicalize().unwrap_or(file.clone()) == path(name).canonicalize().unwrap_or(path(name)))
    };
    for name in ["a.conf", "more", "more/b.conf", "missing.conf", "x.data", "y.data"] {
        assert!(is_same(name), "{name}: {found:?}");
    }
    assert!(!is_same("more/b.txt"), "{found:?}");
}

#[test]
fn a_file_that_is_included_again_and_again_is_refused_in_bounded_time() {
    let folder = tempfile::tempdir().unwrap();
    for depth in 0..8 {
        let text = format!("Include {}.conf\n", depth + 1).repeat(100);
        std::fs::write(folder.path().join(format!("{depth}.conf")), text).unwrap();
    }
    std::fs::write(folder.path().join("8.conf"), "# nothing\n").unwrap();
    let path = folder.path().join("0.conf");
    assert!(gatewright_seclang::rule_files(&path).len() >= 9);
    let error = RuleSet::load(&[Source::Path(path)], OPTIONS).unwrap_err();
    assert!(
        error.to_string().contains("more than 4096 files are included"),
        "{error}"
    );
}

/// How version 4 of the Core Rule Set goes about it: setup, defaults, rules by paranoia level, exclusions, early and late
/// blocking.
#[test]
fn rules_in_the_manner_of_version_4_of_the_core_rule_set_are_run() {
    let rules = |setup: &str| {
        r#"
SecDefaultAction "phase:1,log,auditlog,pass"
SecDefaultAction "phase:2,log,auditlog,pass"
{setup}
SecAction "id:900990,phase:1,pass,t:none,nolog,setvar:tx.crs_setup_version=4000"
SecRule &TX:crs_setup_version "@eq 0" "id:901001,phase:1,deny,status:500,msg:'no setup'"
SecRule &TX:inbound_anomaly_score_threshold "@eq 0" "id:901100,phase:1,pass,nolog,ver:'OWASP_CRS/4.0.0',setvar:'tx.inbound_anomaly_score_threshold=5'"
SecRule &TX:early_blocking "@eq 0" "id:901115,phase:1,pass,nolog,setvar:'tx.early_blocking=0'"
SecRule &TX:blocking_paranoia_level "@eq 0" "id:901120,phase:1,pass,nolog,setvar:'tx.blocking_paranoia_level=1'"
SecRule &TX:detection_paranoia_level "@eq 0" "id:901125,phase:1,pass,nolog,setvar:'tx.detection_paranoia_level=%{TX.blocking_paranoia_level}'"
SecRule &TX:critical_anomaly_score "@eq 0" "id:901140,phase:1,pass,nolog,setvar:'tx.critical_anomaly_score=5'"
SecAction "id:901200,phase:1,pass,t:none,nolog,setvar:'tx.blocking_inbound_anomaly_score=0',setvar:'tx.inbound_anomaly_score_pl1=0',setvar:'tx.inbound_anomaly_score_pl2=0'"
SecRule TX:DETECTION_PARANOIA_LEVEL "@lt %{tx.blocking_paranoia_level}" "id:901500,phase:1,deny,msg:'levels'"
SecRule REQUEST_FILENAME "@endsWith /login" "id:9001000,phase:1,pass,nolog,ctl:ruleRemoveTargetById=930120;ARGS:pwd,ctl:ruleRemoveTargetByTag=attack-x;ARGS:/^note_/"
SecRule TX:DETECTION_PARANOIA_LEVEL "@lt 1" "id:930011,phase:1,pass,nolog,skipAfter:END-REQUEST-930"
SecRule TX:DETECTION_PARANOIA_LEVEL "@lt 1" "id:930012,phase:2,pass,nolog,skipAfter:END-REQUEST-930"
SecRule REQUEST_COOKIES|!REQUEST_COOKIES:/__utm/|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/* "@contains etc/passwd" "id:930120,phase:2,block,capture,t:none,t:utf8toUnicode,t:urlDecodeUni,t:normalizePathWin,t:lowercase,msg:'files',logdata:'%{TX.0}',tag:'attack-lfi',tag:'attack-x',tag:'paranoia-level/1',severity:'CRITICAL',setvar:'tx.lfi_score=+%{tx.critical_anomaly_score}',setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
SecRule REQUEST_HEADERS:User-Agent "@contains scanner" "id:913100,phase:1,block,t:none,tag:'attack-x',setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
SecRule TX:DETECTION_PARANOIA_LEVEL "@lt 2" "id:930014,phase:2,pass,nolog,skipAfter:END-REQUEST-930"
SecRule ARGS "@contains strict" "id:930121,phase:2,block,t:none,setvar:'tx.inbound_anomaly_score_pl2=+%{tx.critical_anomaly_score}'"
SecMarker "END-REQUEST-930"
SecRule TX:BLOCKING_PARANOIA_LEVEL "@ge 1" "id:949052,phase:1,pass,t:none,nolog,setvar:'tx.blocking_inbound_anomaly_score=+%{tx.inbound_anomaly_score_pl1}'"
SecRule TX:BLOCKING_INBOUND_ANOMALY_SCORE "@ge %{tx.inbound_anomaly_score_threshold}" "id:949111,phase:1,deny,t:none,msg:'early (%{TX.BLOCKING_INBOUND_ANOMALY_SCORE})',chain"
SecRule TX:EARLY_BLOCKING "@eq 1"
SecAction "id:949059,phase:2,pass,t:none,nolog,setvar:'tx.blocking_inbound_anomaly_score=0'"
SecRule TX:BLOCKING_PARANOIA_LEVEL "@ge 1" "id:949060,phase:2,pass,t:none,nolog,setvar:'tx.blocking_inbound_anomaly_score=+%{tx.inbound_anomaly_score_pl1}'"
SecRule TX:BLOCKING_PARANOIA_LEVEL "@ge 2" "id:949061,phase:2,pass,t:none,nolog,setvar:'tx.blocking_inbound_anomaly_score=+%{tx.inbound_anomaly_score_pl2}'"
SecRule TX:BLOCKING_INBOUND_ANOMALY_SCORE "@ge %{tx.inbound_anomaly_score_threshold}" "id:949110,phase:2,deny,t:none,msg:'total (%{TX.BLOCKING_INBOUND_ANOMALY_SCORE})'"
"#
        .replace("{setup}", setup)
    };
    let early = "SecAction \"id:900120,phase:1,pass,t:none,nolog,setvar:tx.early_blocking=1\"";
    let level = "SecAction \"id:900000,phase:1,pass,t:none,nolog,setvar:tx.blocking_paranoia_level=2\"";
    let watching = "SecAction \"id:900001,phase:1,pass,t:none,nolog,setvar:tx.detection_paranoia_level=2\"";
    let wrong = format!("{level}\n{}", watching.replace("=2", "=1"));
    let file = (List::ArgsGet, "q", "..%5cETC/./Passwd");
    let scanner = (List::Headers, "user-agent", "a scanner");
    let strict = (List::ArgsGet, "q", "strict");
    let login = (List::Filename, "", "/app/login");
    for (setup, values, expected) in [
        ("", vec![file], Some(949_110)),
        ("", vec![(List::ArgsGet, "etc/passwd", "")], Some(949_110)),
        ("", vec![(List::Cookies, "a", "etc/passwd")], Some(949_110)),
        ("", vec![(List::Cookies, "__utma", "etc/passwd")], None),
        ("", vec![(List::XmlText, "", "etc/passwd")], Some(949_110)),
        ("", vec![scanner], Some(949_110)),
        (early, vec![scanner], Some(949_111)),
        (early, vec![file], Some(949_110)),
        ("", vec![strict], None),
        (watching, vec![strict], None),
        (level, vec![strict], Some(949_110)),
        (wrong.as_str(), vec![strict], Some(901_500)),
        ("", vec![login, (List::ArgsPost, "pwd", "etc/passwd")], None),
        ("", vec![login, (List::ArgsPost, "note_1", "etc/passwd")], None),
        ("", vec![login, (List::ArgsPost, "user", "etc/passwd")], Some(949_110)),
        ("", vec![(List::ArgsPost, "pwd", "etc/passwd")], Some(949_110)),
    ] {
        assert_eq!(denied(&rules(setup), &values), expected, "{setup} {values:?}");
    }
}
