//! Header fields: names in lower case, values that can be sent.

use std::collections::BTreeMap;

use http::header::{HeaderName, HeaderValue};

use super::Resolver;
use crate::file::Located;
use crate::report::Span;

/// Fields that belong to a connection or to the framing of a message: the gateway writes them itself.
const NOT_SETTABLE: [&str; 12] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// Fields of a request that are gone before any stage runs: they belong to the connection.
const NOT_READABLE: [&str; 6] = [
    "connection",
    "host",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

impl Resolver<'_> {
    /// The name of a header field by which a stage decides, in lower case.
    pub(super) fn readable_header(&mut self, name: &str, span: &Span) -> Option<String> {
        let name = self.header_name(name, span)?;
        if !NOT_READABLE.contains(&&*name) {
            return Some(name);
        }
        let hint = match &*name {
            "host" => "give routes `hosts`: the host of a request is settled before its stages run",
            _ => "use another field",
        };
        self.error(span, format!("no stage sees the header field `{name}`"), hint);
        None
    }

    /// The name of a header field, in lower case.
    pub(super) fn header_name(&mut self, name: &str, span: &Span) -> Option<String> {
        match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => Some(name.as_str().to_owned()),
            Err(_) => {
                let hint = "write letters, digits and `-`, such as `x-tenant`";
                self.error(span, format!("`{name}` is not the name of a header field"), hint);
                None
            }
        }
    }

    /// Header fields that a message gets; `read` makes something of their values.
    pub(super) fn header_fields<T>(
        &mut self,
        fields: &BTreeMap<String, Located<String>>,
        mut read: impl FnMut(&mut Self, &Located<String>) -> Option<T>,
    ) -> Option<Vec<(String, T)>> {
        let mut resolved: Vec<(String, T)> = Vec::with_capacity(fields.len());
        let mut good = true;
        for (name, value) in fields {
            let name = self
                .header_name(name, &value.span)
                .filter(|name| self.settable(name, &value.span));
            let name = name.filter(|name| self.single(resolved.iter().map(|(name, _)| name), name, &value.span));
            match (name, read(self, value)) {
                (Some(name), Some(value)) => resolved.push((name, value)),
                _ => good = false,
            }
        }
        good.then_some(resolved)
    }

    /// Checks that text can stand in the value of a header field.
    pub(super) fn sendable(&mut self, text: &str, span: &Span) -> bool {
        let sendable = HeaderValue::from_str(text).is_ok();
        if !sendable {
            self.error(
                span,
                "it has a character that a header field cannot have",
                "leave out line ends and control characters",
            );
        }
        sendable
    }

    /// Checks that names which differ in case only are not given twice.
    pub(super) fn single<'n>(&mut self, mut names: impl Iterator<Item = &'n String>, name: &str, span: &Span) -> bool {
        let twice = names.any(|other| other == name);
        if twice {
            self.error(
                span,
                format!("`{name}` is there twice"),
                "upper and lower case make no difference: keep one",
            );
        }
        !twice
    }

    pub(super) fn settable(&mut self, name: &str, span: &Span) -> bool {
        let settable = !NOT_SETTABLE.contains(&name);
        if !settable {
            let hint = match name {
                "host" => "`preserve_host = true` sends the client's",
                _ => "leave it out",
            };
            self.error(span, format!("`{name}` is written by the gateway itself"), hint);
        }
        settable
    }
}
