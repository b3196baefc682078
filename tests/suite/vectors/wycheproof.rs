//! Wycheproof's vectors for JSON Web Signatures and Keys: what they call valid is verified, what they call invalid is not.

use std::collections::BTreeSet;
use std::fs;

use gatewright::token::key_set::KeySet;
use serde_json::{Value, json};

use super::data;

/// Valid, but refused: the key is for another algorithm (`alg`) than the one that the token is signed with. The files call the same
/// thing invalid elsewhere (338, 340).
const OTHER_ALGORITHM: [u64; 4] = [346, 347, 350, 351];

#[test]
fn c24_signatures_are_as_wycheproof_says() {
    let Some(folder) = data("wycheproof") else { return };
    let (mut valid, mut refused) = (0, 0);
    for file in [
        "json_web_signature_test.json",
        "json_web_key_test.json",
        "json_web_crypto_test.json",
    ] {
        let vectors: Value = serde_json::from_slice(&fs::read(folder.join(file)).unwrap()).unwrap();
        let mut stricter = BTreeSet::new();
        for group in vectors["testGroups"].as_array().unwrap() {
            // What has no public key is the kind that is not accepted at all.
            let key = group.get("public").unwrap_or(&group["private"]);
            let is_symmetric = group.get("public").is_none();
            let set = match key.get("keys") {
                Some(_) => key.clone(),
                None => json!({ "keys": [key] }),
            };
            let set = KeySet::parse(set.to_string().as_bytes());
            for test in group["tests"].as_array().unwrap() {
                let Some(token) = test.get("jws") else { continue };
                let token = token.as_str().map_or_else(|| token.to_string(), str::to_owned);
                let verified = set
                    .as_ref()
                    .is_ok_and(|set| set.verify_signature(token.as_bytes()).is_ok());
                let id = test["tcId"].as_u64().unwrap();
                let should = test["result"] == "valid" && !is_symmetric;
                match (verified, should) {
                    (true, true) => valid += 1,
                    (false, false) => refused += 1,
                    (false, true) => drop(stricter.insert(id)),
                    (true, false) => panic!("{file} {id} is verified: {}", test["comment"]),
                }
            }
        }
        let expected = match file {
            "json_web_signature_test.json" => OTHER_ALGORITHM.into(),
            _ => BTreeSet::new(),
        };
        assert_eq!(stricter, expected, "{file}");
    }
    assert!(valid >= 30 && refused >= 400, "{valid} verified, {refused} refused");
}
