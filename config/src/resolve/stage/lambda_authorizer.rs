//! `{ use = "lambda-authorizer", … }`

use crate::file::{AuthorizerEvent, LambdaAuthorizerStage};
use crate::gateway::{IdentitySource, LambdaAuthorizerConfig};
use crate::report::Span;
use crate::resolve::Resolver;

/// Why a text is no regular expression: the last line of what the library says, which is a sentence; the lines before it draw
/// the place with spaces.
fn regex_reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default().trim();
            last.trim_start_matches("error: ").to_owned()
        }
    }
}

impl Resolver<'_> {
    pub(super) fn lambda_authorizer(
        &mut self,
        stage: &LambdaAuthorizerStage,
        span: &Span,
    ) -> Option<LambdaAuthorizerConfig> {
        let LambdaAuthorizerStage {
            stage: _,
            upstream,
            path,
            event,
            identity: sources,
            validation,
            cache,
            timeout,
            region,
            account,
            api,
            stage_name,
            stage_variables,
        } = stage;
        let upstream = self
            .required(upstream.as_ref(), span, "upstream", "\"lambda\"")
            .and_then(|upstream| self.named_upstream(upstream));
        let path = self.question_path(path);
        let identity: Vec<_> = sources.iter().map(|source| self.identity(source)).collect();
        let identity = identity.into_iter().collect::<Option<Vec<_>>>();
        if let Some(identity) = &identity {
            let is_token = matches!(identity.as_slice(), [IdentitySource::Header(_)]);
            if *event == AuthorizerEvent::Token && !is_token && !self.report.is_damaged(span) {
                let hint = "write one header field, such as `identity = [\"header:authorization\"]`";
                self.error(span, "the event `token` has one token", hint);
            }
            if !cache.value.0.is_zero() && identity.is_empty() {
                let hint = "add what the decision depends on, such as `identity = [\"header:authorization\"]`";
                self.error(&cache.span, "`cache` needs `identity`", hint);
            }
        }
        let validation = validation.as_ref().map(|expression| {
            let valid = regex::Regex::new(&expression.value);
            if let Err(error) = &valid {
                let reason = regex_reason(error);
                let hint = "write a regular expression, such as \"^Bearer [-0-9a-zA-Z._~+/]+=*$\"";
                self.error(
                    &expression.span,
                    format!("it is not a regular expression: {reason}"),
                    hint,
                );
            }
            valid.is_ok().then(|| expression.value.clone())
        });
        self.check_cache(cache.value.0, &cache.span);
        Some(LambdaAuthorizerConfig {
            upstream: upstream?,
            path: path?,
            event: *event,
            identity: identity?,
            validation: match validation {
                Some(validation) => Some(validation?),
                None => None,
            },
            cache: cache.value.0,
            timeout: timeout.0,
            region: region.clone(),
            account: account.clone(),
            api: api.clone(),
            stage_name: stage_name.clone(),
            stage_variables: stage_variables.clone(),
        })
    }
}
