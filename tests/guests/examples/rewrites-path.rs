//! P11. Rewrites the request line to something it must not be. Expected: refused, nothing reaches the upstream, and no
//! other host is ever asked.
//!
//! Modes: the names in the match below; the same as `respond` is not possible here.

use gatewright_sdk::TextEdit;
use gatewright_sdk::prelude::*;
use misbehaving_guests::Settings;

struct RewritesPath {
    settings: Settings,
}

impl Plugin for RewritesPath {
    fn info() -> Info {
        misbehaving_guests::about("rewrites-path")
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        Ok(Self {
            settings: Settings::read(config)?,
        })
    }
}

impl RequestTransform for RewritesPath {
    fn transform_request(&self, request: &TransformRequest) -> Result<RequestOutcome, Fault> {
        let edits = RequestEdits::new();
        Ok(match self.settings.mode(request) {
            "good" => edits.path("/good%20path/").query("a=1&b=%20"),
            "double-slash" => edits.path("//evil.example/"),
            "dot-dot" => edits.path("/../admin"),
            "dot-dot-inside" => edits.path("/public/../../admin"),
            "encoded-dot-dot" => edits.path("/public/%2e%2e/%2E%2E/admin"),
            "backslash" => edits.path("/\\evil.example/"),
            "absolute" => edits.path("http://169.254.169.254/latest/meta-data"),
            "relative" => edits.path("admin"),
            "empty" => edits.path(""),
            "asterisk" => edits.path("*"),
            "crlf" => edits.path("/x HTTP/1.1\r\nhost: evil.example\r\n\r\nGET /admin"),
            "space" => edits.path("/a b"),
            "nul" => edits.path("/a\0b"),
            "fragment" => edits.path("/a#b"),
            "question" => edits.path("/a?b=c"),
            "bad-escape" => edits.path("/a%zz%"),
            "unicode" => edits.path("/caf\u{e9}"),
            "long" => edits.path(format!("/{}", "a".repeat(1 << 20))),
            "clear" => RequestEdits {
                path: TextEdit::Clear,
                ..edits
            },
            "query-crlf" => edits.query("a=1\r\nx: y"),
            "query-space" => edits.query("a= 1 HTTP/1.1"),
            "query-fragment" => edits.query("a=1#b"),
            "method-get" => edits.method("GET"),
            "method-head" => edits.method("HEAD"),
            "method-crlf" => edits.method("GET / HTTP/1.1\r\nx: y\r\n\r\nGET"),
            "method-empty" => edits.method(""),
            "method-connect" => edits.method("CONNECT"),
            "method-clear" => RequestEdits {
                method: TextEdit::Clear,
                ..edits
            },
            "authority-crlf" => RequestEdits {
                authority: TextEdit::Set("evil\r\nx: y".to_owned()),
                ..edits
            },
            "authority-other" => RequestEdits {
                authority: TextEdit::Set("169.254.169.254".to_owned()),
                ..edits
            },
            "authority-user" => RequestEdits {
                authority: TextEdit::Set("user@evil.example".to_owned()),
                ..edits
            },
            "body-unasked" => edits.body("nobody gave me one"),
            _ => edits,
        }
        .into())
    }
}

plugin!(RewritesPath: request_transform);
