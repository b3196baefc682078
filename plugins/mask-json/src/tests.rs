//! What is masked, and what stays as it is.

use gatewright_sdk::testing::{self, TestRequest, TestResponse};

use super::*;

fn plugin(config: &str) -> MaskJson {
    testing::configure(config)
}

fn masked(config: &str, content_type: &str, body: &str) -> Option<String> {
    let response = TestResponse::new(200).header("content-type", content_type).body(body);
    match response.transform(&plugin(config)).unwrap() {
        ResponseOutcome::Proceed(ResponseEdits {
            body: BodyEdit::Replace(body),
            ..
        }) => Some(String::from_utf8(body).unwrap()),
        ResponseOutcome::Proceed(ResponseEdits {
            body: BodyEdit::Keep, ..
        }) => None,
        outcome => panic!("{outcome:?}"),
    }
}

#[test]
fn a_name_is_masked_wherever_it_occurs() {
    let body = r#"{"id":1,"password":"x","users":[{"password":{"old":"y"}},{"name":"z"}]}"#;
    let expected = r#"{"id":1,"password":"***","users":[{"password":"***"},{"name":"z"}]}"#;
    assert_eq!(
        masked(r#"{"names":["password"]}"#, "application/json", body).as_deref(),
        Some(expected)
    );
}

#[test]
fn a_pointer_is_masked_in_its_place_only() {
    let body = r#"{"card":{"number":"4111"},"a/b":[{"number":1},{"number":2}]}"#;
    let expected = r##"{"card":{"number":"#"},"a/b":[{"number":1},{"number":"#"}]}"##;
    let config = r##"{"pointers":["/card/number","/a~1b/1/number","/none"],"mask":"#"}"##;
    assert_eq!(
        masked(config, "application/problem+json; charset=utf-8", body).as_deref(),
        Some(expected)
    );
}

#[test]
fn order_and_numbers_stay_as_they_were() {
    let body = r#"{"z":1.10,"a":12345678901234567890123,"secret":1}"#;
    let expected = r#"{"z":1.10,"a":12345678901234567890123,"secret":"***"}"#;
    assert_eq!(
        masked(r#"{"names":["secret"]}"#, "application/json", body).as_deref(),
        Some(expected)
    );
}

#[test]
fn what_is_not_json_or_has_nothing_to_mask_is_left_alone() {
    let config = r#"{"names":["password"]}"#;
    assert_eq!(masked(config, "text/html", r#"{"password":1}"#), None);
    assert_eq!(masked(config, "application/json", r#"{ "id": 1 }"#), None);
    assert_eq!(masked(config, "application/json", ""), None);
    let response = TestResponse::new(200)
        .body(r#"{"password":1}"#)
        .transform(&plugin(config));
    assert_eq!(response, Ok(ResponseEdits::new().into()), "no content type");
}

#[test]
fn json_that_cannot_be_read_is_a_fault_and_not_a_leak() {
    let plugin = plugin(r#"{"names":["password"]}"#);
    let broken = TestResponse::new(200)
        .header("content-type", "application/json")
        .body(r#"{"password":"#);
    assert!(matches!(broken.transform(&plugin), Err(Fault::BadInput(_))));
    let compressed = TestResponse::new(200)
        .header("content-type", "application/json")
        .header("content-encoding", "gzip");
    assert!(matches!(
        compressed.body("x").transform(&plugin),
        Err(Fault::BadInput(_))
    ));
    let deep = "[".repeat(10_000);
    let deep = TestResponse::new(200)
        .header("content-type", "application/json")
        .body(deep);
    assert!(matches!(deep.transform(&plugin), Err(Fault::BadInput(_))));
}

#[test]
fn requests_are_masked_only_when_asked_for() {
    let request = || TestRequest::post("/", r#"{"password":"x"}"#).header("content-type", "application/json");
    let outcome = request().transform(&plugin(r#"{"names":["password"]}"#)).unwrap();
    let RequestOutcome::Proceed(edits) = outcome else {
        panic!("answered")
    };
    assert_eq!(edits.body, BodyEdit::Keep);
    assert_eq!(edits.fields.len(), 0);

    let outcome = request()
        .transform(&plugin(r#"{"names":["password"],"apply_to":["request"]}"#))
        .unwrap();
    let RequestOutcome::Proceed(edits) = outcome else {
        panic!("answered")
    };
    assert_eq!(edits.body, BodyEdit::Replace(br#"{"password":"***"}"#.to_vec()));
    assert_eq!(edits.fields.len(), DIGESTS.len());
}

#[test]
fn a_configuration_that_masks_nothing_is_refused() {
    let errors = |config: &str| MaskJson::configure(config).err().unwrap().len();
    assert_eq!(errors("{}"), 1);
    assert_eq!(errors(r#"{"pointers":["a","/b","c"]}"#), 2);
    assert_eq!(errors(r#"{"names":["a"],"nmaes":["b"]}"#), 1);
    assert_eq!(errors(r#"{"names":["a"],"apply_to":["both"]}"#), 1);
}

#[test]
fn the_schema_is_json() {
    let schema = MaskJson::info().config_schema.unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&schema).unwrap().is_object());
}
