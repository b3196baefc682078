//! Bodies in all the pieces that they may come in.

use super::*;
use gatewright_sdk::testing::{self, TestRequest, TestResponse};

fn redact(more: &str) -> Redact {
    testing::configure(&format!(r###"{{"patterns":["##-##","secret","secrets"]{more}}}"###))
}

fn redacted(pieces: &[&str]) -> String {
    let output = TestResponse::new(200).filter(&redact(""), pieces).unwrap().unwrap();
    String::from_utf8(output).unwrap()
}

#[test]
fn patterns_are_redacted_and_the_longest_counts() {
    assert_eq!(
        redacted(&["a 12-34 b secret, secrets; 1-23 SECRET"]),
        "a *** b ***, ***; 1-23 SECRET"
    );
    assert_eq!(redacted(&["12-3412-34secret"]), "*********");
}

#[test]
fn however_a_body_is_cut_the_same_comes_out() {
    let text = "x12-34secre secrets1-2 33-44";
    let whole = redacted(&[text]);
    assert_eq!(whole, "x***secre ***1-2 ***");
    for first in 0..=text.len() {
        for second in first..=text.len() {
            let pieces = [&text[..first], &text[first..second], &text[second..]];
            assert_eq!(redacted(&pieces), whole, "{pieces:?}");
        }
    }
    let single: Vec<_> = text.split("").collect();
    assert_eq!(redacted(&single), whole);
}

#[test]
fn a_body_that_is_not_meant_passes_by() {
    let request = TestRequest::post("/", "").filter(&redact(""), ["secret"]);
    assert_eq!(request, Ok(None));
    let plugin = redact(r#","apply_to":["request"],"with":"?""#);
    let request = TestRequest::post("/", "").filter(&plugin, ["sec", "ret"]);
    assert_eq!(request, Ok(Some(b"?".to_vec())));
    assert_eq!(TestResponse::new(200).filter(&plugin, ["secret"]), Ok(None));
}

#[test]
fn a_compressed_body_is_not_let_through() {
    let response = TestResponse::new(200).header("content-encoding", "gzip");
    assert!(matches!(response.filter(&redact(""), ["x"]), Err(Fault::BadInput(_))));
    let response = TestResponse::new(200).header("content-encoding", "Identity");
    assert_eq!(response.filter(&redact(""), ["x"]), Ok(Some(b"x".to_vec())));
}

#[test]
fn every_mistake_of_a_configuration_is_said() {
    let config = format!(
        r#"{{"patterns":["a","","{}"],"with":"{}"}}"#,
        "b".repeat(257),
        "c".repeat(257)
    );
    let errors = Redact::configure(&config).err().unwrap();
    let places: Vec<_> = errors.iter().map(|error| error.at.as_str()).collect();
    assert_eq!(places, ["/patterns/1", "/patterns/2", "/with"]);
}
