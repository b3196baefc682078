//! The stages of a chain, one a file.

mod api_key;
mod basic;
mod body;
mod cache;
mod compress;
mod concurrency;
mod correlation_id;
mod cors;
mod forward_auth;
mod headers;
mod ip;
mod jwt;
mod lambda_authorizer;
mod limit_key;
mod mtls;
mod oauth2_introspection;
mod oidc_login;
mod plugin;
mod policy;
mod quota;
mod redirect;
mod request_size;
mod rewrite;
mod shed;
mod sigv4;
mod throttle;
mod token;
mod usage_plan;
mod validate;
mod waf;

use super::Resolver;
use crate::file::{ChainEntry, Located};
use crate::gateway::{StageConfig, StageKind};
use crate::report::Span;

impl Resolver<'_> {
    /// One stage, which is at the key path `at`; `entry` is not the name of a chain.
    pub(super) fn stage(&mut self, entry: &Located<ChainEntry>, at: String) -> Option<StageConfig> {
        let span = &entry.span;
        self.at = at;
        let kind = match &entry.value {
            ChainEntry::Chain(_) => return None,
            ChainEntry::ApiKey(stage) => StageKind::ApiKey(self.api_key(stage, span)?),
            ChainEntry::Basic(stage) => StageKind::Basic(self.basic(stage, span)?),
            ChainEntry::Body(stage) => StageKind::Body(self.body(stage, span)?),
            ChainEntry::Cache(stage) => StageKind::Cache(Box::new(self.cache(stage, span)?)),
            ChainEntry::Compress(stage) => StageKind::Compress(self.compress(stage)?),
            ChainEntry::Concurrency(stage) => StageKind::Concurrency(self.concurrency(stage, span)?),
            ChainEntry::CorrelationId(stage) => StageKind::CorrelationId(self.correlation_id(stage)?),
            ChainEntry::Cors(stage) => StageKind::Cors(self.cors(stage, span)?),
            ChainEntry::ForwardAuth(stage) => StageKind::ForwardAuth(self.forward_auth(stage, span)?),
            ChainEntry::Decompress(stage) => StageKind::Decompress(self.decompress(stage, span)),
            ChainEntry::Headers(stage) => StageKind::Headers(self.headers(stage, span)?),
            ChainEntry::Ip(stage) => StageKind::Ip(self.ip(stage, span)?),
            ChainEntry::Jwt(stage) => StageKind::Jwt(Box::new(self.jwt(stage, span)?)),
            ChainEntry::Quota(stage) => StageKind::Quota(self.quota(stage, span)?),
            ChainEntry::Redirect(stage) => StageKind::Redirect(self.redirect(stage, span)?),
            ChainEntry::RequestSize(stage) => StageKind::RequestSize(self.request_size(stage, span)),
            ChainEntry::Rewrite(stage) => StageKind::Rewrite(self.rewrite(stage, span)?),
            ChainEntry::LambdaAuthorizer(stage) => StageKind::LambdaAuthorizer(self.lambda_authorizer(stage, span)?),
            ChainEntry::Mtls(stage) => StageKind::Mtls(self.mtls(stage, span)?),
            ChainEntry::Oauth2Introspection(stage) => {
                StageKind::Oauth2Introspection(Box::new(self.oauth2_introspection(stage, span)?))
            }
            ChainEntry::OidcLogin(stage) => StageKind::OidcLogin(Box::new(self.oidc_login(stage, span)?)),
            ChainEntry::Policy(stage) => StageKind::Policy(self.policy(stage, span)?),
            ChainEntry::SigV4(stage) => StageKind::SigV4(self.sigv4(stage, span)?),
            ChainEntry::Shed(stage) => StageKind::Shed(self.shed(stage, span)?),
            ChainEntry::Throttle(stage) => StageKind::Throttle(self.throttle(stage, span)?),
            ChainEntry::UsagePlan(stage) => StageKind::UsagePlan(self.usage_plan_stage(stage)?),
            ChainEntry::Validate(stage) => StageKind::Validate(self.validate(stage, span)?),
            ChainEntry::Waf(stage) => StageKind::Waf(self.waf(stage)?),
            ChainEntry::Plugin(stage) => StageKind::Plugin(self.plugin_stage(stage, span)?),
        };
        Some(StageConfig {
            place: self.report.place(span, std::mem::take(&mut self.at)),
            kind,
        })
    }

    /// The name of a query parameter.
    pub(super) fn query_name(&mut self, name: &str, span: &Span) -> Option<String> {
        if name.is_empty() {
            self.error(span, "the name of a query parameter is empty", "write its name");
            return None;
        }
        Some(name.to_owned())
    }
}
