//! What holds for requests and what does not, doubts among them.

use std::path::Path;
use std::sync::Arc;

use gatewright_config::cases::parse_cases;
use gatewright_config::condition::Condition;
use gatewright_core::{ClientIp, Exchange, Value};
use serde_json::{Value as Json, json};

use super::Holds::{No, Unsure, Yes};
use super::*;
use crate::token::claims::Claims;

/// A request with these claims, a header field that is there twice, and no address.
fn exchange(claims: &Json) -> Exchange {
    let case =
        "[[case]]\nname = \"a\"\n[case.request]\npath = \"/a?q=a+b&n=ten\"\nheaders = { x-a = [\"1\", \"2\"] }\n";
    let cases = parse_cases(case, Path::new("cases.toml")).unwrap();
    let mut exchange = crate::trial::exchange(&cases.cases[0]);
    exchange.client.address = ClientIp::Unix;
    let claims = Claims::new(claims.as_object().unwrap().clone()).unwrap();
    exchange.attributes.set_claims(Arc::new(claims));
    exchange
}

fn one(operator: &str, key: &str, values: &[&str], allow: bool, exchange: &Exchange) -> Holds {
    let values: Vec<_> = values.iter().map(|value| (*value).to_owned()).collect();
    hold(&[Condition::parse(operator, key, &values).unwrap()], allow, exchange)
}

#[test]
fn an_address_that_cannot_be_read_is_a_doubt_whatever_the_operator_makes_of_absence() {
    let mut exchange = exchange(&json!({}));
    exchange.client.address = ClientIp::Unknown;
    for (operator, value) in [
        ("IpAddress", "10.0.0.0/8"),
        ("NotIpAddress", "10.0.0.0/8"),
        ("IpAddressIfExists", "10.0.0.0/8"),
        ("ForAllValues:IpAddress", "10.0.0.0/8"),
        ("Null", "true"),
        ("Null", "false"),
    ] {
        for allow in [true, false] {
            assert_eq!(
                one(operator, "AWS:sourceip", &[value], allow, &exchange),
                Unsure,
                "{operator}"
            );
        }
    }
}

#[test]
fn what_nobody_knows_of_the_client_neither_avoids_a_deny_nor_gets_an_allow() {
    let exchange = exchange(&json!({ "gone": null }));
    let keys = [
        "auth:claims.tenant",
        "auth:claims.gone",
        "auth:principal",
        "aws:SourceIp",
        "aws:PrincipalTag/x",
    ];
    let operators = [
        ("StringEquals", "a"),
        ("StringNotEquals", "a"),
        ("StringEqualsIgnoreCase", "a"),
        ("StringNotLike", "a*"),
        ("ArnLike", "a*"),
        ("NumericLessThan", "1"),
        ("NumericNotEquals", "1"),
        ("DateGreaterThan", "2026-01-01"),
        ("Bool", "true"),
        ("IpAddress", "10.0.0.0/8"),
        ("NotIpAddress", "10.0.0.0/8"),
    ];
    for key in keys {
        for (operator, value) in operators {
            for set in ["", "ForAnyValue:", "ForAllValues:"] {
                let operator = format!("{set}{operator}");
                for allow in [true, false] {
                    let holds = one(&operator, key, &[value], allow, &exchange);
                    assert_eq!(holds, Unsure, "{operator} {key}");
                    assert_eq!(holds.applies(allow), !allow, "{operator} {key}");
                }
                // Whoever asks for absence is answered.
                let operator = format!("{operator}IfExists");
                assert_eq!(one(&operator, key, &[value], true, &exchange), Yes, "{operator} {key}");
            }
        }
        assert_eq!(one("Null", key, &["true"], false, &exchange), Yes, "{key}");
        assert_eq!(one("Null", key, &["false"], false, &exchange), No, "{key}");
    }
}

#[test]
fn what_a_client_does_not_send_is_known_not_to_be_there() {
    let exchange = exchange(&json!({}));
    for (operator, expected) in [
        ("StringEquals", No),
        ("StringNotEquals", Yes),
        ("ForAnyValue:StringEquals", No),
        ("ForAnyValue:StringNotEquals", No),
        ("ForAllValues:StringEquals", Yes),
        ("ForAllValues:StringNotEquals", Yes),
        ("StringEqualsIfExists", Yes),
    ] {
        for key in ["header:x-none", "query:none", "aws:Referer"] {
            assert_eq!(
                one(operator, key, &["a"], false, &exchange),
                expected,
                "{operator} {key}"
            );
        }
    }
}

#[test]
fn a_list_is_its_elements() {
    let exchange = exchange(&json!({
        "groups": ["staff", "blocked", 7, true], "none": [], "one": "staff", "map": { "groups": ["a"] },
    }));
    for (operator, key, values, of_allow, of_deny) in [
        ("ForAnyValue:StringEquals", "groups", &["blocked"][..], Yes, Yes),
        ("ForAnyValue:StringEquals", "groups", &["7"], Yes, Yes),
        ("ForAnyValue:StringEquals", "groups", &["true"], Yes, Yes),
        ("ForAnyValue:StringEquals", "groups", &["other"], No, No),
        ("ForAnyValue:StringEquals", "map.groups", &["a"], Yes, Yes),
        ("ForAnyValue:StringLike", "groups", &["bl*"], Yes, Yes),
        ("ForAnyValue:StringNotEquals", "groups", &["staff"], Yes, Yes),
        ("ForAllValues:StringEquals", "groups", &["staff", "blocked"], No, No),
        (
            "ForAllValues:StringEquals",
            "groups",
            &["staff", "blocked", "7", "true", "x"],
            Yes,
            Yes,
        ),
        ("ForAllValues:StringNotEquals", "groups", &["other"], Yes, Yes),
        ("ForAllValues:StringNotEquals", "groups", &["blocked"], No, No),
        // Without a set all must be good to be allowed, and one is enough to be denied.
        ("StringEquals", "groups", &["blocked"], No, Yes),
        ("StringNotEquals", "groups", &["blocked"], No, Yes),
        ("StringNotEquals", "groups", &["other"], Yes, Yes),
        // Nothing in it, and that is known.
        ("ForAnyValue:StringEquals", "none", &["a"], No, No),
        ("ForAllValues:StringEquals", "none", &["a"], Yes, Yes),
        ("StringEquals", "none", &["a"], No, No),
        ("StringNotEquals", "none", &["a"], Yes, Yes),
        ("Null", "none", &["true"], Yes, Yes),
        ("Null", "groups", &["false"], Yes, Yes),
        ("ForAnyValue:StringEquals", "one", &["staff"], Yes, Yes),
        ("ForAllValues:StringEquals", "one", &["staff"], Yes, Yes),
    ] {
        let key = format!("auth:claims.{key}");
        let holds = [true, false].map(|allow| one(operator, &key, values, allow, &exchange));
        assert_eq!(holds, [of_allow, of_deny], "{operator} {key} {values:?}");
    }
}

#[test]
fn scopes_and_lists_of_plugins_are_lists_too() {
    let mut exchange = exchange(&json!({}));
    exchange
        .attributes
        .set("auth.scopes", Value::Text("read  write".to_owned()));
    exchange
        .attributes
        .set("auth.groups", Value::Json("[\"a\",\"b\"]".to_owned()));
    exchange.attributes.set("auth.broken", Value::Json("[".to_owned()));
    let any = |key: &str, value: &str| one("ForAnyValue:StringEquals", key, &[value], false, &exchange);
    assert_eq!(any("auth:scopes", "write"), Yes);
    assert_eq!(any("auth:scopes", ""), No);
    assert_eq!(any("auth:groups", "b"), Yes);
    assert_eq!(any("auth:broken", "b"), Unsure);
}

#[test]
fn what_cannot_be_read_as_the_operator_does_is_a_doubt_and_no_way_around() {
    let exchange = exchange(&json!({ "age": "old", "id": 1e20, "ages": [20, "old"] }));
    for (operator, key, value) in [
        ("NumericLessThan", "query:n", "18"),
        ("NumericNotEquals", "query:n", "18"),
        ("Bool", "auth:claims.age", "true"),
        ("NumericGreaterThan", "auth:claims.age", "18"),
        ("NotIpAddress", "auth:claims.age", "10.0.0.0/8"),
        // Of a number this large the token may have said another digit.
        ("StringEquals", "auth:claims.id", "100000000000000000000"),
        ("StringNotEquals", "auth:claims.id", "100000000000000000001"),
        ("ForAllValues:NumericGreaterThan", "auth:claims.ages", "18"),
    ] {
        assert_eq!(
            one(operator, key, &[value], true, &exchange),
            Unsure,
            "{operator} {key}"
        );
    }
    assert_eq!(
        one(
            "ForAnyValue:NumericGreaterThan",
            "auth:claims.ages",
            &["18"],
            true,
            &exchange
        ),
        Yes
    );
    assert_eq!(one("NumericEquals", "auth:claims.id", &["1e20"], true, &exchange), Yes);
}

#[test]
fn a_value_that_can_be_read_in_two_ways_is_denied_by_either() {
    let exchange = exchange(&json!({}));
    for value in ["a b", "a+b"] {
        assert_eq!(
            one("StringEquals", "query:q", &[value], false, &exchange),
            Yes,
            "{value}"
        );
        assert_eq!(one("StringEquals", "query:q", &[value], true, &exchange), No, "{value}");
    }
}

#[test]
fn one_condition_that_does_not_hold_is_enough_and_a_doubt_is_not() {
    let exchange = exchange(&json!({ "a": "x" }));
    let condition = |key: &str, value: &str| Condition::parse("StringEquals", key, &[value.to_owned()]).unwrap();
    let known = condition("auth:claims.a", "x");
    let wrong = condition("auth:claims.a", "y");
    let unknown = condition("auth:claims.b", "x");
    let both = |conditions: &[&Condition]| {
        let conditions: Vec<_> = conditions.iter().map(|condition| (*condition).clone()).collect();
        hold(&conditions, false, &exchange)
    };
    assert_eq!(both(&[]), Yes);
    assert_eq!(both(&[&known, &unknown]), Unsure);
    assert_eq!(both(&[&unknown, &wrong]), No);
    assert_eq!(doubt(&[known, unknown], false, &exchange), Some("auth:claims.b"));
}
