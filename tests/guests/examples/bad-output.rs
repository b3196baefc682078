//! P8, P9, P10 and faults on purpose. Puts into its answers what must never be on a wire. Expected: where the table says
//! "refused", the whole answer is a fault and nothing of it is seen; where it says "dropped", only the field is not seen.
//!
//! As authorizer it grants with the field as upstream edit, or with `x-decision: deny` denies with it in the response; as
//! transform it edits; with `x-answer: yes` the request transform responds and the response transform replaces; as
//! integration it answers. Modes: the names in `sin`, and `fault-…` for the four faults.

use gatewright_sdk::prelude::*;
use gatewright_sdk::{FieldEdit, RequestHead};
use misbehaving_guests::Settings;

struct BadOutput {
    settings: Settings,
}

/// A status and a field to answer with.
type Sin = (u16, &'static str, &'static [u8]);

fn sin(mode: &str) -> Sin {
    match mode {
        // Refused: would split or break the message.
        "cr-in-value" => (200, "x-bad", b"a\rb"),
        "lf-in-value" => (200, "x-bad", b"a\nb"),
        "crlf-in-value" => (200, "x-bad", b"a\r\nset-cookie: admin=1"),
        "split" => (200, "x-bad", b"a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
        "nul-in-value" => (200, "x-bad", b"a\0b"),
        "control-in-value" => (200, "x-bad", b"a\x1bb"),
        "delete-in-value" => (200, "x-bad", b"a\x7fb"),
        "crlf-in-name" => (200, "x-bad: a\r\nx-worse", b"b"),
        "nul-in-name" => (200, "x-\0bad", b"a"),
        "space-in-name" => (200, "x bad", b"a"),
        "colon-in-name" => (200, "x:bad", b"a"),
        "unicode-in-name" => (200, "x-b\u{e4}d", b"a"),
        "empty-name" => (200, "", b"a"),
        "pseudo-name" => (200, ":path", b"/admin"),
        "long-name" => (200, LONG_NAME, b"a"),
        // Refused: no final status.
        "status-0" => (0, "x-fine", b"a"),
        "status-99" => (99, "x-fine", b"a"),
        "status-100" => (100, "x-fine", b"a"),
        "status-101" => (101, "x-fine", b"a"),
        "status-600" => (600, "x-fine", b"a"),
        "status-1000" => (1000, "x-fine", b"a"),
        "status-65535" => (65535, "x-fine", b"a"),
        // Dropped: computed by the gateway.
        "content-length" => (200, "content-length", b"5"),
        "content-length-twice" => (200, "content-length", b"5, 6"),
        // Refused: framing and the connection are the gateway's.
        "transfer-encoding" => (200, "transfer-encoding", b"chunked"),
        "connection" => (200, "connection", b"close, x-internal"),
        "keep-alive" => (200, "keep-alive", b"timeout=9999"),
        "upgrade" => (200, "upgrade", b"websocket"),
        "te" => (200, "te", b"trailers"),
        "trailer" => (200, "trailer", b"x-bad"),
        "host" => (200, "host", b"evil.example"),
        "host-upper" => (200, "HOST", b"evil.example"),
        "proxy-connection" => (200, "proxy-connection", b"close"),
        "proxy-authorization" => (200, "proxy-authorization", b"Basic YTpi"),
        // Refused: what the gateway says about itself and, in requests, about the client.
        "gatewright-error" => (200, "x-gatewright-error", b"THROTTLED"),
        "forwarded" => (200, "x-forwarded-for", b"127.0.0.1"),
        // Passes, and is overwritten where the route itself says who the caller is.
        "principal" => (200, "x-principal", b"mallory"),
        // Passes: odd, but valid.
        "high-bytes" => (200, "x-fine", b"\xff\xfe"),
        "empty-value" => (200, "x-fine", b""),
        "spaces-around" => (200, "x-fine", b"  a  "),
        "status-204-with-body" => (204, "x-fine", b"a"),
        "status-304-with-body" => (304, "x-fine", b"a"),
        _ => (200, "x-fine", b"fine"),
    }
}

const LONG_NAME: &str = match str::from_utf8(&[b'n'; 100_000]) {
    Ok(name) => name,
    Err(_) => "",
};

impl Plugin for BadOutput {
    fn info() -> Info {
        misbehaving_guests::about("bad-output")
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        Ok(Self {
            settings: Settings::read(config)?,
        })
    }
}

impl BadOutput {
    fn sin(&self, hook: &str, head: &RequestHead) -> Result<Sin, Fault> {
        match self.settings.mode_in(hook, head) {
            "fault-unavailable" => Err(Fault::Unavailable("asked to be unavailable".to_owned())),
            "fault-misconfigured" => Err(Fault::Misconfigured("asked to be misconfigured".to_owned())),
            "fault-bad-input" => Err(Fault::BadInput("asked to find the request bad".to_owned())),
            "fault-internal" => Err(Fault::Internal("asked to be broken\r\n\u{1b}[31msecret".to_owned())),
            mode => Ok(sin(mode)),
        }
    }

    fn response(&self, hook: &str, head: &RequestHead) -> Result<Response, Fault> {
        let (status, name, value) = self.sin(hook, head)?;
        Ok(Response::new(status).text("0123456789").header(name, value))
    }
}

impl Authorizer for BadOutput {
    fn authorize(&self, request: &AuthorizeRequest) -> Result<Decision, Fault> {
        let (status, name, value) = self.sin("authorizer", request)?;
        if request.header("x-decision") == Some("deny") {
            let mut response = self.response("authorizer", request)?;
            // A well-formed denial, so that only the field is wrong.
            response.status = if status == 200 { 403 } else { status };
            return Ok(Denial::new(response, "asked to deny").into());
        }
        Ok(Grant::to("guest")
            .upstream_edit(FieldEdit::Set(name.to_owned(), value.to_owned()))
            .into())
    }
}

impl RequestTransform for BadOutput {
    fn transform_request(&self, request: &TransformRequest) -> Result<RequestOutcome, Fault> {
        if request.header("x-answer").is_some() && misbehaving_guests::is_meant("request-transform", request) {
            return self.response("request-transform", request).map(Into::into);
        }
        let (_, name, value) = self.sin("request-transform", request)?;
        Ok(RequestEdits::new()
            .set_header("x-before", "good")
            .set_header(name, value)
            .into())
    }
}

impl ResponseTransform for BadOutput {
    fn transform_response(&self, response: &TransformResponse) -> Result<ResponseOutcome, Fault> {
        if response.request.header("x-answer").is_some()
            && misbehaving_guests::is_meant("response-transform", &response.request)
        {
            return self.response("response-transform", &response.request).map(Into::into);
        }
        let (status, name, value) = self.sin("response-transform", &response.request)?;
        Ok(ResponseEdits::new()
            .status(status)
            .set_header("x-before", "good")
            .set_header(name, value)
            .into())
    }
}

impl Integration for BadOutput {
    fn handle(&self, request: &IntegrationRequest) -> Result<Response, Fault> {
        self.response("integration", request)
    }
}

plugin!(BadOutput: authorizer | request_transform | response_transform | integration);
