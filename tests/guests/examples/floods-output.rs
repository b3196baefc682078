//! P7. Returns too much, honestly (see `lies-in-abi` for the dishonest way). Expected: the fault `plugin output too large`,
//! nothing partial is sent, memory stays within its limit.
//!
//! Modes: `body` (as many MiB as `x-mib` says, 8 by default), `fields` (100 000), `value` (one of 10 MiB), `name` (one of
//! 1 MiB), `attributes` (100 000), `attribute` (one of 8 MiB), `scopes` (100 000), `principal` (1 MiB), `statements` (10 000),
//! `fault` (its text is 8 MiB), and `` (nothing).

use gatewright_sdk::prelude::*;
use gatewright_sdk::{Effect, RequestHead, Statement};
use misbehaving_guests::Settings;

struct Floods {
    settings: Settings,
}

impl Plugin for Floods {
    fn info() -> Info {
        let buffered = BodyMode::Buffered;
        misbehaving_guests::about("floods-output")
            .request_body(buffered)
            .response_body(buffered)
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        Ok(Self {
            settings: Settings::read(config)?,
        })
    }
}

impl Floods {
    fn mode<'a>(&'a self, hook: &str, head: &'a RequestHead) -> Result<&'a str, Fault> {
        match self.settings.mode_in(hook, head) {
            "fault" => Err(Fault::Internal("f".repeat(8 << 20))),
            mode => Ok(mode),
        }
    }

    fn response(&self, hook: &str, head: &RequestHead) -> Result<Response, Fault> {
        let mode = self.mode(hook, head)?;
        Ok(fields(mode)
            .into_iter()
            .fold(Response::new(200).body(body(mode, head)), |r, (name, value)| {
                r.header(name, value)
            }))
    }
}

fn body(mode: &str, head: &RequestHead) -> Vec<u8> {
    let mib = head.header("x-mib").and_then(|mib| mib.parse().ok()).unwrap_or(8_usize);
    if mode == "body" {
        vec![b'b'; mib << 20]
    } else {
        Vec::new()
    }
}

fn fields(mode: &str) -> Vec<(String, String)> {
    match mode {
        "fields" => (0..100_000).map(|n| (format!("x-{n}"), "v".to_owned())).collect(),
        "value" => vec![("x-large".to_owned(), "v".repeat(10 << 20))],
        "name" => vec![(format!("x-{}", "n".repeat(1 << 20)), "v".to_owned())],
        _ => Vec::new(),
    }
}

fn attributes(mode: &str) -> Vec<(String, Value)> {
    match mode {
        "attributes" => (0..100_000).map(|n| (format!("a{n}"), Value::Integer(n))).collect(),
        "attribute" => vec![("large".to_owned(), Value::Text("v".repeat(8 << 20)))],
        _ => Vec::new(),
    }
}

impl Authorizer for Floods {
    fn authorize(&self, request: &AuthorizeRequest) -> Result<Decision, Fault> {
        let mode = self.mode("authorizer", request)?;
        if request.header("x-decision") == Some("deny") {
            let response = Response {
                status: 403,
                ..self.response("authorizer", request)?
            };
            return Ok(Denial::new(response, "r".repeat(1 << 20)).into());
        }
        let principal = if mode == "principal" {
            "p".repeat(1 << 20)
        } else {
            "guest".to_owned()
        };
        let mut grant = fields(mode)
            .into_iter()
            .fold(Grant::to(principal), |grant, (name, value)| {
                grant.upstream_edit(gatewright_sdk::FieldEdit::Append(name, value.into()))
            });
        grant.context = attributes(mode);
        if mode == "scopes" {
            grant.scopes = (0..100_000).map(|n| n.to_string()).collect();
        }
        if mode == "statements" {
            // Wildcards that backtrack, if the matcher does.
            let paths = vec!["*a*a*a*a*a*a*a*a*b".to_owned(); 10];
            grant.policy = vec![
                Statement {
                    effect: Effect::Allow,
                    methods: vec!["*".to_owned(); 10],
                    paths
                };
                10_000
            ];
        }
        Ok(grant.into())
    }
}

impl RequestTransform for Floods {
    fn transform_request(&self, request: &TransformRequest) -> Result<RequestOutcome, Fault> {
        let mode = self.mode("request-transform", request)?;
        let edits = RequestEdits {
            attributes: attributes(mode),
            ..RequestEdits::new()
        };
        let edits = if mode == "body" {
            edits.body(body(mode, request))
        } else {
            edits
        };
        Ok(fields(mode)
            .into_iter()
            .fold(edits, |edits, (name, value)| edits.append_header(name, value))
            .into())
    }
}

impl ResponseTransform for Floods {
    fn transform_response(&self, response: &TransformResponse) -> Result<ResponseOutcome, Fault> {
        let mode = self.mode("response-transform", &response.request)?;
        let edits = ResponseEdits {
            attributes: attributes(mode),
            ..ResponseEdits::new()
        };
        let edits = if mode == "body" {
            edits.body(body(mode, &response.request))
        } else {
            edits
        };
        Ok(fields(mode)
            .into_iter()
            .fold(edits, |edits, (name, value)| edits.append_header(name, value))
            .into())
    }
}

impl Integration for Floods {
    fn handle(&self, request: &IntegrationRequest) -> Result<Response, Fault> {
        self.response("integration", request)
    }
}

plugin!(Floods: authorizer | request_transform | response_transform | integration);
