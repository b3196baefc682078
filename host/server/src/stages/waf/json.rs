//! JSON bodies: every string is a value, named by the keys that lead to it (`user.bio`).
//!
//! Strings are found without building anything of the document, and without recursion, so that neither depth nor size
//! costs more than the bytes do, and the start of a longer document can be inspected too.

use gatewright_config::{WafPart, WafRule};
use gatewright_seclang::List;
use serde::de::IgnoredAny;

use super::inspection::Inspection;

/// Inspects a JSON text, or the start of one.
pub(super) fn inspect(inspection: &mut Inspection<'_>, text: &[u8], complete: bool) {
    if complete && serde_json::from_slice::<IgnoredAny>(text).is_err() {
        inspection.found(WafRule::BodySyntax, WafPart::Body, b"");
    }
    Scan {
        inspection,
        text,
        at: 0,
        keys: Vec::new(),
    }
    .run();
}

struct Scan<'s, 'c> {
    inspection: &'s mut Inspection<'c>,
    text: &'s [u8],
    at: usize,
    /// Of each object and array that is open, the key that leads on from it.
    keys: Vec<Vec<u8>>,
}

impl Scan<'_, '_> {
    fn run(mut self) {
        while let Some(byte) = self.text.get(self.at).copied() {
            self.at += 1;
            match byte {
                b'{' | b'[' => {
                    self.keys.push(Vec::new());
                    if self.keys.len() > self.inspection.config().depth {
                        return self.inspection.found(WafRule::BodySyntax, WafPart::Body, b"");
                    }
                }
                b'}' | b']' => {
                    self.keys.pop();
                }
                b'"' => self.string(),
                _ => {}
            }
            if self.inspection.is_over() {
                return;
            }
        }
    }

    fn string(&mut self) {
        let text = self.unescaped();
        let next = self.text.get(self.at..).unwrap_or_default().trim_ascii_start().first();
        let is_key = next == Some(&b':');
        if is_key && let Some(key) = self.keys.last_mut() {
            key.clone_from(&text);
        }
        let keys: Vec<_> = self
            .keys
            .iter()
            .filter(|key| !key.is_empty())
            .map(Vec::as_slice)
            .collect();
        let name = keys.join(&b'.');
        if !is_key {
            self.inspection
                .tell(List::ArgsPost, &[b"json.".as_slice(), &name].concat(), &text);
        }
        self.inspection.value(WafPart::Body, &name, &text);
    }

    /// What is between here and the closing quote, or the end.
    fn unescaped(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        while let Some(byte) = self.next() {
            match byte {
                b'"' => break,
                b'\\' => match self.next() {
                    Some(b'n') => text.push(b'\n'),
                    Some(b't') => text.push(b'\t'),
                    Some(b'r') => text.push(b'\r'),
                    Some(b'b') => text.push(8),
                    Some(b'f') => text.push(12),
                    Some(b'u') => self.unicode(&mut text),
                    Some(other) => text.push(other),
                    None => break,
                },
                other => text.push(other),
            }
        }
        text
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.text.get(self.at).copied();
        self.at += usize::from(byte.is_some());
        byte
    }

    /// What follows `\u`: half of a surrogate pair alone is no character.
    fn unicode(&mut self, text: &mut Vec<u8>) {
        let first = self.hexadecimal();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let character = match first {
            Some(high @ 0xd800..0xdc00) if rest.starts_with(b"\\u") => {
                self.at += 2;
                let low = self.hexadecimal();
                low.and_then(|low| char::decode_utf16([high, low]).next()?.ok())
            }
            first => first.and_then(|first| char::from_u32(u32::from(first))),
        };
        let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn hexadecimal(&mut self) -> Option<u16> {
        let digits = self.text.get(self.at..self.at + 4)?;
        let number = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        self.at += 4;
        Some(number)
    }
}
