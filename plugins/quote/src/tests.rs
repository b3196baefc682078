//! Questions and answers.

use gatewright_sdk::testing::{self, TestRequest};
use serde_json::{Value as Json, json};

use super::*;

fn plugin() -> Quote {
    testing::configure(
        r#"{"currency":"EUR","unit_price_cents":333,"largest_quantity":500,
            "tiers":[{"from":10,"discount_percent":5},{"from":100,"discount_percent":20}]}"#,
    )
}

fn answer(request: TestRequest) -> (u16, Json) {
    let response = request.handle(&plugin()).unwrap();
    assert_eq!(response.fields.text("content-type"), Some("application/json"));
    (response.status, serde_json::from_slice(&response.body).unwrap())
}

#[test]
fn a_quantity_has_a_price() {
    let (status, body) = answer(TestRequest::get("/quote?quantity=3"));
    assert_eq!(status, 200);
    let expected = json!({"quantity":3,"unit_price_cents":333,"discount_percent":0,"total_cents":999,"currency":"EUR"});
    assert_eq!(body, expected);
}

#[test]
fn the_last_tier_that_is_reached_counts() {
    let total = |quantity: u32| answer(TestRequest::get(&format!("/?quantity={quantity}"))).1["total_cents"].clone();
    assert_eq!(total(9), 9 * 333);
    assert_eq!(total(10), 3164, "3163.5 rounded up");
    assert_eq!(total(100), 26_640);
    assert_eq!(total(500), 133_200);
}

#[test]
fn a_question_can_be_posted() {
    let post = |body: &str| TestRequest::post("/", body).header("content-type", "application/json; charset=utf-8");
    assert_eq!(answer(post(r#"{"quantity":3}"#)).1["total_cents"], 999);
    assert_eq!(answer(post(r#"{"quantity":3,"coupon":"x"}"#)).0, 400);
    assert_eq!(answer(post(r#"{"quantity":-3}"#)).0, 400);
    assert_eq!(answer(post("")).0, 400);
    assert_eq!(answer(TestRequest::post("/", r#"{"quantity":3}"#)).0, 415);
}

#[test]
fn a_bad_question_is_answered_with_what_is_wrong() {
    for target in [
        "/",
        "/?quantity",
        "/?quantity=many",
        "/?quantity=0",
        "/?quantity=501",
        "/?quantity=99999999999",
    ] {
        let (status, body) = answer(TestRequest::get(target));
        assert_eq!(status, 400, "{target}");
        assert!(
            body["message"].as_str().unwrap().starts_with("`quantity` is"),
            "{target}"
        );
    }
    assert_eq!(answer(TestRequest::new("DELETE", "/")).0, 405);
}

#[test]
fn the_highest_price_does_not_overflow() {
    let plugin: Quote =
        testing::configure(r#"{"currency":"EUR","unit_price_cents":100000000,"largest_quantity":1000000}"#);
    let response = TestRequest::get("/?quantity=1000000").handle(&plugin).unwrap();
    assert!(
        String::from_utf8(response.body)
            .unwrap()
            .contains(r#""total_cents":100000000000000"#)
    );
}

#[test]
fn a_bad_price_list_is_refused_with_every_reason() {
    let errors = |config: &str| match Quote::configure(config) {
        Ok(_) => panic!("accepted"),
        Err(errors) => errors.into_iter().map(|error| error.at).collect::<Vec<_>>(),
    };
    let config = r#"{"currency":"eur","unit_price_cents":0,"largest_quantity":0,
                     "tiers":[{"from":5,"discount_percent":101},{"from":5,"discount_percent":1}]}"#;
    let expected = [
        "/currency",
        "/unit_price_cents",
        "/largest_quantity",
        "/tiers/0/discount_percent",
        "/tiers/1/from",
    ];
    assert_eq!(errors(config), expected);
    assert_eq!(
        errors(r#"{"currency":"EUR","unit_price_cents":1,"tiers":[{"from":1}]}"#),
        ["/tiers/0"]
    );
}

#[test]
fn the_schema_is_json() {
    let schema = Quote::info().config_schema.unwrap();
    assert!(serde_json::from_str::<Json>(&schema).unwrap().is_object());
}
