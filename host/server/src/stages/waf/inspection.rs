//! What is found in one request. Values come in decoded, one at a time, and are held against the rules.

use std::borrow::Cow;
use std::fmt;

use gatewright_config::{WafConfig, WafMode, WafPart, WafRule};
use gatewright_seclang::{List, Request};
use percent_encoding::percent_decode;

use super::charset::Charset;
use super::shapes::Shapes;
use super::{markup, readings, sql};

/// Findings that are kept where one does not end it.
const MOST_FINDINGS: usize = 8;
/// Bytes of a name that are kept.
const NAME_BYTES: usize = 64;
/// The inspection of one request.
pub(super) struct Inspection<'c> {
    config: &'c WafConfig,
    path: &'c str,
    /// What has been counted and collected so far.
    carried: Carried,
    findings: Vec<Finding>,
}

/// What head and body of a request have together.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// Parameters.
    parameters: usize,
    /// Values that look like SQL, and not enough to say so of each alone.
    suspicious: u8,
    pub(super) shapes: Shapes,
    /// What the request says, for rules in SecLang; none where there are no such rules.
    pub(super) request: Option<Request<'static>>,
}

impl Carried {
    /// At the beginning.
    pub(super) fn new(request: Option<Request<'static>>) -> Self {
        Self {
            shapes: request.as_ref().map_or_else(Shapes::default, |_| Shapes::remembering()),
            request,
            ..Self::default()
        }
    }
}

/// A rule, and where it has found something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) rule: WafRule,
    pub(super) part: WafPart,
    name: String,
    /// What libinjection says of it, or the number of a rule in SecLang with its points.
    detail: Option<String>,
}

impl Finding {
    pub(super) fn of_body(rule: WafRule) -> Self {
        Self {
            rule,
            part: WafPart::Body,
            name: String::new(),
            detail: None,
        }
    }

    /// Of a rule in SecLang.
    pub(super) fn of_rule(rule: WafRule, part: WafPart, name: &[u8], detail: String) -> Self {
        Self {
            rule,
            part,
            name: shown(name),
            detail: Some(detail),
        }
    }
}

/// As much of a name as is kept.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name.get(..NAME_BYTES).unwrap_or(name)).into_owned()
}

impl fmt::Display for Finding {
    /// For the access log: the name is the client's to choose, so it is short and escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.rule.id(), self.part.as_str())?;
        if !self.name.is_empty() {
            write!(f, ":{}", self.name.escape_debug())?;
        }
        let detail = self.detail.as_deref();
        detail.map_or(Ok(()), |detail| write!(f, " ({})", detail.escape_debug()))
    }
}

/// Whether a rule does not apply where it has found something.
pub(super) fn is_excluded(config: &WafConfig, path: &str, finding: &Finding) -> bool {
    is_out(
        config,
        path,
        (finding.rule, None),
        (finding.part, finding.name.as_bytes()),
    )
}

/// Whether a rule, perhaps with a number in SecLang, does not apply to a value.
pub(super) fn is_out(config: &WafConfig, path: &str, rule: (WafRule, Option<u32>), place: (WafPart, &[u8])) -> bool {
    config.exclude.iter().any(|exclusion| {
        let within = exclusion.path.as_deref().is_none_or(|above| {
            path.strip_prefix(above)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        let at = exclusion.at.is_empty()
            || exclusion.at.iter().any(|known| {
                known.part == place.0 && known.name.as_ref().is_none_or(|name| name.as_bytes() == place.1)
            });
        let is_rule = exclusion.rule == rule.0 && exclusion.id.is_none_or(|id| rule.1 == Some(id));
        is_rule && within && at
    })
}

impl<'c> Inspection<'c> {
    /// What goes on with what was carried over from another part of the request.
    pub(super) fn new(config: &'c WafConfig, path: &'c str, carried: Carried) -> Self {
        Self {
            config,
            path,
            carried,
            findings: Vec::new(),
        }
    }

    /// Tells rules in SecLang of a value.
    pub(super) fn tell(&mut self, list: List, name: &[u8], value: &[u8]) {
        if let Some(request) = &mut self.carried.request {
            request.add(list, name.to_vec(), value.to_vec());
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

    pub(super) fn end(self) -> (Vec<Finding>, Carried) {
        (self.findings, self.carried)
    }

    pub(super) fn found(&mut self, rule: WafRule, part: WafPart, name: &[u8]) {
        self.add(rule, part, name, None);
    }

    fn add(&mut self, rule: WafRule, part: WafPart, name: &[u8], detail: Option<String>) {
        let finding = Finding {
            rule,
            part,
            name: shown(name),
            detail,
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
            self.tell(List::Cookies, name, &value);
            self.value(WafPart::Cookie, name, &value);
        }
    }

    /// A header field.
    pub(super) fn header(&mut self, name: &str, value: &[u8]) {
        self.value(WafPart::Header, name.as_bytes(), value);
    }

    /// A parameter of the query or of a form: its name can be used for an attack too.
    pub(super) fn parameter(&mut self, part: WafPart, name: &[u8], value: &[u8]) {
        self.carried.parameters += 1;
        if self.carried.parameters > self.config.parameters {
            self.found(WafRule::ParameterCount, part, b"");
        }
        // The field of forms that names their charset (WHATWG HTML, section 4.10.18.5).
        if name.eq_ignore_ascii_case(b"_charset_") && !value.is_empty() && !Charset::named(value).is_readable() {
            self.found(WafRule::BodyEncoding, part, name);
        }
        let list = if part == WafPart::Query {
            List::ArgsGet
        } else {
            List::ArgsPost
        };
        self.tell(list, name, value);
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

    /// What is injected into SQL or HTML, in each way in which somebody may read the value.
    fn injections(&mut self, part: WafPart, name: &[u8], value: &[u8]) {
        if self.is_over() {
            return;
        }
        let readings = readings::of(value);
        let shapes = &mut self.carried.shapes;
        let sqli = readings.iter().filter_map(|reading| {
            let shape = shapes.of(reading)?;
            Some((sql::points(&shape, part, name, reading), shape))
        });
        if let Some((points, fingerprint)) = sqli.reduce(|best, next| if next.0 > best.0 { next } else { best }) {
            self.sqli(part, name, points, fingerprint);
        }
        if readings.iter().any(|reading| markup::is_injection(reading)) {
            self.found(WafRule::Xss, part, name);
        }
    }

    /// A value with the shape of SQL: it is an injection by what speaks for it, and by how many of them there are.
    fn sqli(&mut self, part: WafPart, name: &[u8], points: u8, fingerprint: String) {
        if points + self.carried.suspicious >= sql::VERDICT && points >= sql::SUSPICIOUS {
            self.add(WafRule::Sqli, part, name, Some(fingerprint));
        }
        if points >= sql::SUSPICIOUS {
            self.carried.suspicious = self.carried.suspicious.saturating_add(1).min(sql::MOST_SUSPICIOUS);
        }
    }
}

/// A value of letters, digits and what no rule is about: most are, and they are not looked at again.
pub(super) fn is_harmless(value: &[u8]) -> bool {
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
