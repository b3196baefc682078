//! Header fields and bodies of cases: what is sent, and what is expected.

use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Resolver;
use super::case::Fields;
use crate::cases::ExpectedBody;
use crate::file::{FieldExpectation, FieldValues, Json, Located};
use crate::report::Span;

/// The longest chunk that a filter is given.
const CHUNK_BYTES: u32 = 64 << 10;

impl Resolver<'_> {
    pub(super) fn expected_fields(
        &mut self,
        fields: &Fields<FieldExpectation>,
    ) -> Option<Vec<(HeaderName, FieldExpectation)>> {
        let resolved: Vec<_> = fields
            .iter()
            .filter_map(|(name, expected)| Some((self.field_name(name, &expected.span)?, expected.value.clone())))
            .collect();
        (resolved.len() == fields.len()).then_some(resolved)
    }

    #[expect(clippy::option_option, reason = "a mistake is something else than no body")]
    pub(super) fn expected_body(
        &mut self,
        body: Option<&Located<String>>,
        json: Option<&Located<Json>>,
        hex: Option<&Located<String>>,
    ) -> Option<Option<ExpectedBody>> {
        self.one_body(body, json, hex)?;
        Some(match (body, json, hex) {
            (Some(body), ..) => Some(ExpectedBody::Text(body.value.clone())),
            (_, Some(json), _) => Some(ExpectedBody::Json(json.value.0.clone())),
            (.., Some(hex)) => Some(ExpectedBody::Bytes(self.bytes(hex)?)),
            (None, None, None) => None,
        })
    }

    /// Header section and body.
    pub(super) fn message(
        &mut self,
        fields: &Fields<FieldValues>,
        body: Option<&Located<String>>,
        json: Option<&Located<Json>>,
        hex: Option<&Located<String>>,
    ) -> Option<(HeaderMap, Vec<u8>)> {
        let mut headers = HeaderMap::new();
        let mut good = true;
        for (name, values) in fields {
            let name = self.field_name(name, &values.span);
            for value in &values.value.0 {
                self.sendable(value, &values.span);
                match (&name, HeaderValue::from_str(value)) {
                    (Some(name), Ok(value)) => {
                        headers.append(name, value);
                    }
                    _ => good = false,
                }
            }
        }
        self.one_body(body, json, hex)?;
        let body = match (body, json, hex) {
            (Some(body), ..) => body.value.clone().into_bytes(),
            (_, Some(json), _) => {
                let content_type = headers.entry(CONTENT_TYPE);
                content_type.or_insert(HeaderValue::from_static("application/json"));
                json.value.0.to_string().into_bytes()
            }
            (.., Some(hex)) => self.bytes(hex)?,
            (None, None, None) => Vec::new(),
        };
        good.then_some((headers, body))
    }

    /// How a body comes: in pieces that are together as long as it is.
    pub(super) fn chunks(&mut self, chunks: Option<&Located<Vec<u32>>>, body: &[u8]) -> Option<Vec<u32>> {
        let Some(chunks) = chunks else {
            return Some(Vec::new());
        };
        let sum: u64 = chunks.value.iter().copied().map(u64::from).sum();
        let message = if !chunks.value.iter().all(|bytes| (1..=CHUNK_BYTES).contains(bytes)) {
            "a chunk has 1 to 65536 bytes".to_owned()
        } else if sum != body.len() as u64 {
            format!("the chunks have {sum} bytes together, and the body has {}", body.len())
        } else {
            return Some(chunks.value.clone());
        };
        let hint = "write the length of each chunk, so that all of them are as long as the body";
        self.error(&chunks.span, message, hint);
        None
    }

    fn one_body(
        &mut self,
        body: Option<&Located<String>>,
        json: Option<&Located<Json>>,
        hex: Option<&Located<String>>,
    ) -> Option<()> {
        let (last, others) = match (body, json, hex) {
            (Some(_), Some(json), None) => (&json.span, "`body` and `json`"),
            (Some(_), None, Some(hex)) => (&hex.span, "`body` and `hex`"),
            (None, Some(_), Some(hex)) => (&hex.span, "`json` and `hex`"),
            (Some(_), Some(_), Some(hex)) => (&hex.span, "`body`, `json` and `hex`"),
            _ => return Some(()),
        };
        self.error(last, format!("{others} exclude each other"), "keep one of them");
        None
    }

    fn bytes(&mut self, hex: &Located<String>) -> Option<Vec<u8>> {
        let digits: Option<Vec<u32>> = hex
            .value
            .chars()
            .filter(|digit| !digit.is_whitespace())
            .map(|digit| digit.to_digit(16))
            .collect();
        let digits = digits.filter(|digits| digits.len() % 2 == 0);
        if digits.is_none() {
            let hint = "write two digits for each byte, such as \"00ff\"";
            self.error(&hex.span, "it is not made of hexadecimal digits in pairs", hint);
        }
        let byte = |pair: &[u32]| pair.iter().fold(0, |byte, digit| byte << 4 | *digit as u8);
        Some(digits?.chunks(2).map(byte).collect())
    }

    fn field_name(&mut self, name: &str, span: &Span) -> Option<HeaderName> {
        let name = self.header_name(name, span)?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        if name == HOST {
            self.error(
                span,
                "`host` is not one of the header fields that plugins see",
                "use the key `host` beside `headers`",
            );
            return None;
        }
        Some(name)
    }
}
