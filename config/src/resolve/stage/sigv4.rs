//! `{ use = "sigv4", … }`

use std::time::Duration;

use crate::file::{Located, SigV4Stage};
use crate::gateway::SigV4Config;
use crate::report::Span;
use crate::resolve::Resolver;

/// A clock that is a day wrong is a clock to be set.
const LONGEST_SKEW: Duration = Duration::from_secs(24 * 3600);
/// What `X-Amz-Expires` may say at most.
const LONGEST_PRESIGNED: Duration = Duration::from_secs(7 * 24 * 3600);

impl Resolver<'_> {
    pub(super) fn sigv4(&mut self, stage: &SigV4Stage, span: &Span) -> Option<SigV4Config> {
        let SigV4Stage {
            stage: _,
            credentials,
            service,
            region,
            clock_skew,
            presigned,
            unsigned_payload,
            signed_headers,
            body,
        } = stage;
        let credentials = self
            .required(credentials.as_ref(), span, "credentials", "\"credentials.toml\"")
            .and_then(|path| self.stage_file(path, "credentials"));
        let service = self.scope_part(service, "a service", "\"execute-api\"");
        let region = region
            .as_ref()
            .map(|region| self.scope_part(region, "a region", "\"eu-central-1\""));
        if clock_skew.value.0 > LONGEST_SKEW {
            let message = "signatures that are older than a day could be sent again";
            self.error(&clock_skew.span, message, "write \"1d\" or less");
        }
        if presigned.value.0 > LONGEST_PRESIGNED {
            self.error(
                &presigned.span,
                "presigned URLs are valid for seven days at most",
                "write \"7d\" or less",
            );
        }
        let signed_headers: Vec<_> = signed_headers
            .iter()
            .map(|name| self.header_name(&name.value, &name.span))
            .collect();
        Some(SigV4Config {
            credentials: credentials?,
            service: service?,
            region: match region {
                Some(region) => Some(region?),
                None => None,
            },
            clock_skew: clock_skew.value.0,
            presigned: presigned.value.0,
            unsigned_payload: *unsigned_payload,
            signed_headers: signed_headers.into_iter().collect::<Option<_>>()?,
            body_bytes: *body,
        })
    }

    /// A part of a credential scope: `20150830/REGION/SERVICE/aws4_request`.
    fn scope_part(&mut self, text: &Located<String>, what: &str, example: &str) -> Option<String> {
        let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
        if text.value.is_empty() || !text.value.bytes().all(valid) {
            let message = format!("`{}` is not the name of {what}", text.value);
            self.error(&text.span, message, format!("write it as AWS does, such as {example}"));
            return None;
        }
        Some(text.value.clone())
    }
}
