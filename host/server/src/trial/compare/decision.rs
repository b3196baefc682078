//! What an authorizer says besides its yes or no: for how long, and what else it is for.

use gatewright_config::cases::{Effect, ExpectStatement, Expectation};
use gatewright_wasm::Statement;

use super::Differences;
use crate::trial::script::Decided;

pub(super) fn compare(differences: &mut Differences, expect: &Expectation, decided: Option<&Decided>) {
    let none = || "none".to_owned();
    let got = decided.and_then(|decided| decided.ttl);
    if let Some(expected) = expect.ttl.filter(|expected| got != Some(*expected)) {
        let got = got.map_or_else(none, |got| format!("{got:?}"));
        differences.add("ttl", format_args!("{expected:?}"), got);
    }
    let Some(expected) = &expect.policy else { return };
    let got = decided.map_or(&[][..], |decided| &decided.policy);
    for index in 0..expected.len().max(got.len()) {
        let expected = expected.get(index).map_or_else(none, wanted);
        let got = got.get(index).map_or_else(none, granted);
        if expected != got {
            differences.add(format!("policy/{index}"), expected, got);
        }
    }
}

fn wanted(statement: &ExpectStatement) -> String {
    let ExpectStatement { effect, methods, paths } = statement;
    shown(*effect == Effect::Allow, methods, paths)
}

fn granted(statement: &Statement) -> String {
    let Statement { allow, methods, paths } = statement;
    shown(*allow, methods, paths)
}

fn shown(allow: bool, methods: &[String], paths: &[String]) -> String {
    let effect = if allow { "allow" } else { "deny" };
    format!("{effect} {methods:?} {paths:?}")
}
