//! What is found in one request. Values come in decoded, one at a time, and are held against the rules.

use std::borrow::Cow;
use std::fmt;

use gatewright_config::{WafConfig, WafMode, WafPart, WafRule};
use percent_encoding::percent_decode;

/// Findings that are kept where one does not end it.
const MOST_FINDINGS: usize = 8;
/// Bytes of a name that are kept.
const NAME_BYTES: usize = 64;
/// How often a value is decoded again to see what it means to somebody behind the gateway who does so.
const LAYERS: usize = 2;
/// What libinjection takes for SQL and only means something where a value could be a name or a statement of its own: a
/// word with a comment (`x/*`, `page--`), and a sentence with `select … from` that nothing leads to.
const WEAK: [&str; 2] = ["nc", "Enknk"];

/// The inspection of one request.
pub(super) struct Inspection<'c> {
    config: &'c WafConfig,
    path: &'c str,
    /// Parameters so far.
    pub(super) parameters: usize,
    findings: Vec<Finding>,
}

/// A rule, and where it has found something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) rule: WafRule,
    pub(super) part: WafPart,
    name: String,
    /// What libinjection says of it.
    fingerprint: Option<String>,
}

impl Finding {
    pub(super) fn of_body(rule: WafRule) -> Self {
        Self {
            rule,
            part: WafPart::Body,
            name: String::new(),
            fingerprint: None,
        }
    }
}

impl fmt::Display for Finding {
    /// For the access log: the name is the client's to choose, so it is short and escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.rule.id(), self.part.as_str())?;
        if !self.name.is_empty() {
            write!(f, ":{}", self.name.escape_debug())?;
        }
        let fingerprint = self.fingerprint.as_deref();
        fingerprint.map_or(Ok(()), |fingerprint| write!(f, " ({})", fingerprint.escape_debug()))
    }
}

/// Whether a rule does not apply where it has found something.
pub(super) fn is_excluded(config: &WafConfig, path: &str, finding: &Finding) -> bool {
    config.exclude.iter().any(|exclusion| {
        let within = exclusion.path.as_deref().is_none_or(|above| {
            path.strip_prefix(above)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        let at = exclusion.at.is_empty()
            || exclusion.at.iter().any(|place| {
                place.part == finding.part && place.name.as_ref().is_none_or(|name| *name == finding.name)
            });
        exclusion.rule == finding.rule && within && at
    })
}

impl<'c> Inspection<'c> {
    pub(super) fn new(config: &'c WafConfig, path: &'c str) -> Self {
        Self {
            config,
            path,
            parameters: 0,
            findings: Vec::new(),
        }
    }

    pub(super) fn config(&self) -> &'c WafConfig {
        self.config
    }

    /// Enough has been found.
    pub(super) fn is_over(&self) -> bool {
        match self.config.mode {
            WafMode::Block => !self.findings.is_empty(),
            WafMode::Detect => self.findings.len() >= MOST_FINDINGS,
        }
    }

    pub(super) fn end(self) -> (Vec<Finding>, usize) {
        (self.findings, self.parameters)
    }

    pub(super) fn found(&mut self, rule: WafRule, part: WafPart, name: &[u8]) {
        self.add(rule, part, name, None);
    }

    fn add(&mut self, rule: WafRule, part: WafPart, name: &[u8], fingerprint: Option<String>) {
        let name = name.get(..NAME_BYTES).unwrap_or(name);
        let finding = Finding {
            rule,
            part,
            name: String::from_utf8_lossy(name).into_owned(),
            fingerprint,
        };
        let known = |known: &Finding| (known.rule, known.part, &known.name) == (rule, part, &finding.name);
        if !self.is_over() && !self.findings.iter().any(known) && !is_excluded(self.config, self.path, &finding) {
            self.findings.push(finding);
        }
    }

    /// The segments of the path. Its normal form has no control characters, and is UTF-8.
    pub(super) fn path(&mut self) {
        let path = self.path;
        for segment in path.split('/').filter(|segment| !is_harmless(segment.as_bytes())) {
            let segment: Cow<'_, [u8]> = percent_decode(segment.as_bytes()).into();
            self.injections(WafPart::Path, b"", &segment);
        }
    }

    /// `name=value; name="value"`
    pub(super) fn cookies(&mut self, cookies: &[u8]) {
        for cookie in cookies.split(|byte| *byte == b';').map(<[u8]>::trim_ascii) {
            let (name, value) = split_at(cookie, b'=');
            let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
            let value: Cow<'_, [u8]> = percent_decode(quoted.unwrap_or(value)).into();
            self.value(WafPart::Cookie, name, &value);
        }
    }

    /// A header field.
    pub(super) fn header(&mut self, name: &str, value: &[u8]) {
        self.value(WafPart::Header, name.as_bytes(), value);
    }

    /// A parameter of the query or of a form: its name can be used for an attack too.
    pub(super) fn parameter(&mut self, part: WafPart, name: &[u8], value: &[u8]) {
        self.parameters += 1;
        if self.parameters > self.config.parameters {
            self.found(WafRule::ParameterCount, part, b"");
        }
        self.value(part, name, name);
        self.value(part, name, value);
    }

    /// A value, decoded.
    pub(super) fn value(&mut self, part: WafPart, name: &[u8], value: &[u8]) {
        if value.len() as u64 > self.config.value_bytes.0 {
            self.found(WafRule::ValueLength, part, name);
        }
        self.text(part, name, value);
    }

    /// Text of any length.
    pub(super) fn text(&mut self, part: WafPart, name: &[u8], text: &[u8]) {
        if is_harmless(text) {
            return;
        }
        if std::str::from_utf8(text).is_err() {
            self.found(WafRule::Utf8, part, name);
        }
        let is_control = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r');
        if text.iter().any(is_control) {
            self.found(WafRule::ControlCharacter, part, name);
        }
        self.injections(part, name, text);
    }

    /// What is injected into SQL or HTML, as it stands and as others may decode it.
    fn injections(&mut self, part: WafPart, name: &[u8], value: &[u8]) {
        let mut layer = Cow::Borrowed(value);
        for _ in 0..=LAYERS {
            if self.is_over() {
                return;
            }
            self.injection(part, name, &layer);
            match decoded_again(&layer) {
                Some(next) => layer = Cow::Owned(next),
                None => return,
            }
        }
    }

    fn injection(&mut self, part: WafPart, name: &[u8], value: &[u8]) {
        let sql = libinjectionrs::detect_sqli(value);
        if sql.is_injection() {
            let fingerprint = sql.fingerprint.map(|fingerprint| fingerprint.to_string());
            if !fingerprint
                .as_deref()
                .is_some_and(|fingerprint| WEAK.contains(&fingerprint))
            {
                self.add(WafRule::Sqli, part, name, fingerprint);
            }
        }
        if libinjectionrs::detect_xss(value).is_injection() {
            self.found(WafRule::Xss, part, name);
        }
    }
}

/// A value of letters, digits and what no rule is about: most are, and they are not looked at again.
fn is_harmless(value: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'/' | b':');
    value.iter().all(plain) && memchr::memmem::find(value, b"--").is_none()
}

/// What comes before the first `byte`, and what after.
pub(super) fn split_at(text: &[u8], byte: u8) -> (&[u8], &[u8]) {
    match memchr::memchr(byte, text) {
        Some(at) => (
            text.get(..at).unwrap_or_default(),
            text.get(at + 1..).unwrap_or_default(),
        ),
        None => (text, b""),
    }
}

/// The value as somebody takes it who decodes it once more: percent-encoding, or else references of HTML.
fn decoded_again(value: &[u8]) -> Option<Vec<u8>> {
    let decoded: Cow<'_, [u8]> = percent_decode(value).into();
    match decoded {
        Cow::Owned(decoded) => Some(decoded),
        Cow::Borrowed(_) if memchr::memchr(b'&', value).is_some() => references(value),
        Cow::Borrowed(_) => None,
    }
}

/// Character references of HTML for ASCII: by number, and those that end values and tags.
fn references(value: &[u8]) -> Option<Vec<u8>> {
    const NAMED: [(&str, u8); 5] = [
        ("lt", b'<'),
        ("gt", b'>'),
        ("quot", b'"'),
        ("apos", b'\''),
        ("amp", b'&'),
    ];
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    let mut changed = false;
    while let Some(at) = memchr::memchr(b'&', rest) {
        let (before, after) = rest.split_at_checked(at)?;
        decoded.extend_from_slice(before);
        let name = after.get(1..).unwrap_or_default();
        let length = name.iter().take(8).position(|byte| *byte == b';');
        let text = length.and_then(|length| std::str::from_utf8(name.get(..length)?).ok());
        let character = text.and_then(|text| match text.strip_prefix('#') {
            Some(number) => match number.strip_prefix(['x', 'X']) {
                Some(hexadecimal) => u8::from_str_radix(hexadecimal, 16).ok(),
                None => number.parse().ok(),
            },
            None => NAMED.iter().find(|(known, _)| *known == text).map(|(_, byte)| *byte),
        });
        let skipped = match (character, length) {
            (Some(character), Some(length)) => {
                decoded.push(character);
                changed = true;
                length + 2
            }
            _ => {
                decoded.push(b'&');
                1
            }
        };
        rest = after.get(skipped..).unwrap_or_default();
    }
    decoded.extend_from_slice(rest);
    changed.then_some(decoded)
}
