//! Parameters as forms write them: in the query, and in bodies of forms (WHATWG URL, section 5.1).

use std::borrow::Cow;

use gatewright_config::{WafPart, WafRule};
use percent_encoding::percent_decode;

use super::inspection::{Inspection, split_at};

impl Inspection<'_> {
    pub(super) fn query(&mut self, query: &[u8]) {
        self.urlencoded(WafPart::Query, query);
    }

    /// `name=value&name=value`
    pub(super) fn urlencoded(&mut self, part: WafPart, text: &[u8]) {
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            if self.is_over() {
                return;
            }
            let (name, value) = split_at(pair, b'=');
            let (name, is_encoded) = decoded(name);
            let (value, is_also_encoded) = decoded(value);
            if !is_encoded || !is_also_encoded {
                self.found(WafRule::PercentEncoding, part, &name);
            }
            self.parameter(part, &name, &value);
        }
    }
}

/// What a name or value means, and whether every `%` in it has its digits.
fn decoded(text: &[u8]) -> (Cow<'_, [u8]>, bool) {
    if memchr::memchr2(b'%', b'+', text).is_none() {
        return (Cow::Borrowed(text), true);
    }
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    let has_digits = |at: usize| {
        let digits = text.get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let is_encoded = memchr::memchr_iter(b'%', text).all(has_digits);
    (Cow::Owned(percent_decode(&spaced).collect()), is_encoded)
}
