//! Which stages there are, by the name that `use` has.

use std::borrow::Cow;

use serde::Serialize;

use crate::place::Place;

use super::{
    ApiKeyConfig, AttributeFacts, BasicConfig, BodyConfig, CacheConfig, CompressConfig, ConcurrencyConfig,
    CorrelationIdConfig, CorsConfig, DecompressConfig, ForwardAuthConfig, HeadersConfig, IpConfig, JwtConfig,
    LambdaAuthorizerConfig, MtlsConfig, Oauth2IntrospectionConfig, OidcLoginConfig, PluginStageConfig, PolicyConfig,
    QuotaConfig, RedirectConfig, RequestSizeConfig, RewriteConfig, SecretSource, ShedConfig, SigV4Config,
    ThrottleConfig, UsagePlanStageConfig, ValidateConfig, WafConfig,
};

/// One stage of a chain.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageConfig {
    /// Where it is, for messages.
    #[serde(rename = "line")]
    pub place: Place,
    /// Which one, with its settings.
    pub kind: StageKind,
}

/// The stages there are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum StageKind {
    /// `{ use = "api-key" }`
    ApiKey(ApiKeyConfig),
    /// `{ use = "basic" }`
    Basic(BasicConfig),
    /// `{ use = "body" }`
    Body(BodyConfig),
    /// `{ use = "cache" }`
    Cache(Box<CacheConfig>),
    /// `{ use = "compress" }`
    Compress(CompressConfig),
    /// `{ use = "concurrency" }`
    Concurrency(ConcurrencyConfig),
    /// `{ use = "correlation-id" }`
    CorrelationId(CorrelationIdConfig),
    /// `{ use = "cors" }`
    Cors(CorsConfig),
    /// `{ use = "decompress" }`
    Decompress(DecompressConfig),
    /// `{ use = "forward-auth" }`
    ForwardAuth(ForwardAuthConfig),
    /// `{ use = "headers" }`
    Headers(HeadersConfig),
    /// `{ use = "ip" }`
    Ip(IpConfig),
    /// `{ use = "jwt" }`
    Jwt(Box<JwtConfig>),
    /// `{ use = "quota" }`
    Quota(QuotaConfig),
    /// `{ use = "lambda-authorizer" }`
    LambdaAuthorizer(LambdaAuthorizerConfig),
    /// `{ use = "mtls" }`
    Mtls(MtlsConfig),
    /// `{ use = "oauth2-introspection" }`
    Oauth2Introspection(Box<Oauth2IntrospectionConfig>),
    /// `{ use = "oidc-login" }`
    OidcLogin(Box<OidcLoginConfig>),
    /// `{ use = "policy" }`
    Policy(PolicyConfig),
    /// `{ use = "redirect" }`
    Redirect(RedirectConfig),
    /// `{ use = "request-size" }`
    RequestSize(RequestSizeConfig),
    /// `{ use = "rewrite" }`
    Rewrite(RewriteConfig),
    /// `{ use = "sigv4" }`
    SigV4(SigV4Config),
    /// `{ use = "shed" }`
    Shed(ShedConfig),
    /// `{ use = "throttle" }`
    Throttle(ThrottleConfig),
    /// `{ use = "usage-plan" }`
    UsagePlan(UsagePlanStageConfig),
    /// `{ use = "validate" }`
    Validate(ValidateConfig),
    /// `{ use = "waf" }`
    Waf(WafConfig),
    /// `{ plugin = NAME }`
    Plugin(PluginStageConfig),
}

impl StageKind {
    /// The secrets that it is given, wherever they are.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretSource> {
        let (client, cookie) = match self {
            Self::Oauth2Introspection(stage) => (stage.introspector.client.secret.as_ref(), None),
            Self::OidcLogin(stage) => (stage.login.client.secret.as_ref(), Some(&stage.login.cookie)),
            _ => (None, None),
        };
        client
            .into_iter()
            .chain(cookie.into_iter().flat_map(|cookie| &cookie.secrets))
    }

    /// Whether it may keep a client out that others let pass: not of a plugin, of which nothing is known here.
    #[must_use]
    pub fn keeps_out(&self) -> bool {
        match self {
            Self::ApiKey(_)
            | Self::Basic(_)
            | Self::ForwardAuth(_)
            | Self::Ip(_)
            | Self::Jwt(_)
            | Self::LambdaAuthorizer(_)
            | Self::Mtls(_)
            | Self::Oauth2Introspection(_)
            | Self::OidcLogin(_)
            | Self::Policy(_)
            | Self::SigV4(_)
            | Self::UsagePlan(_) => true,
            Self::Body(_)
            | Self::Cache(_)
            | Self::Compress(_)
            | Self::Concurrency(_)
            | Self::CorrelationId(_)
            | Self::Cors(_)
            | Self::Decompress(_)
            | Self::Headers(_)
            | Self::Plugin(_)
            | Self::Quota(_)
            | Self::Redirect(_)
            | Self::RequestSize(_)
            | Self::Rewrite(_)
            | Self::Shed(_)
            | Self::Throttle(_)
            | Self::Validate(_)
            | Self::Waf(_) => false,
        }
    }
}

impl StageKind {
    /// Names of the attributes that the stage may set for what comes after it. `NAME` at the end of one stands for any name.
    #[must_use]
    pub fn sets(&self, facts: &dyn AttributeFacts) -> Vec<Cow<'static, str>> {
        const CLIENT: [&str; 2] = ["auth.principal", "auth.authorizer"];
        let of_client = |more: &[&'static str]| -> Vec<_> {
            let names = CLIENT.iter().chain(more);
            names.map(|name| Cow::Borrowed(*name)).collect()
        };
        match self {
            Self::ApiKey(_) => of_client(&["auth.api_key", "auth.usage_plans"]),
            Self::Basic(_) => of_client(&[]),
            Self::ForwardAuth(stage) if stage.principal.is_some() => of_client(&[]),
            Self::Jwt(_) | Self::Oauth2Introspection(_) | Self::OidcLogin(_) => {
                of_client(&["auth.scopes", "auth.claims.NAME"])
            }
            // An authorizer chooses the names of what it says.
            Self::LambdaAuthorizer(_) => of_client(&["auth.NAME"]),
            Self::Mtls(_) => of_client(&[
                "auth.certificate.cn",
                "auth.certificate.der",
                "auth.certificate.fingerprint",
                "auth.certificate.issuer",
                "auth.certificate.not_after",
                "auth.certificate.not_before",
                "auth.certificate.san",
                "auth.certificate.serial",
                "auth.certificate.subject",
            ]),
            Self::SigV4(_) => of_client(&["auth.access_key_id", "auth.region", "auth.service"]),
            Self::Plugin(stage) => {
                let mut names = Vec::new();
                if facts.may_authorize(&stage.plugin) {
                    names.extend(of_client(&["auth.NAME"]));
                }
                if facts.may_transform(&stage.plugin) {
                    names.push(format!("plugin.{}.NAME", stage.plugin).into());
                }
                names
            }
            Self::CorrelationId(_) => vec!["correlation.id".into()],
            Self::Waf(_) => vec!["waf.rule".into()],
            Self::Body(_)
            | Self::Cache(_)
            | Self::Compress(_)
            | Self::Concurrency(_)
            | Self::Cors(_)
            | Self::Decompress(_)
            | Self::ForwardAuth(_)
            | Self::Headers(_)
            | Self::Ip(_)
            | Self::Policy(_)
            | Self::Quota(_)
            | Self::Redirect(_)
            | Self::RequestSize(_)
            | Self::Rewrite(_)
            | Self::Shed(_)
            | Self::Throttle(_)
            | Self::UsagePlan(_)
            | Self::Validate(_) => Vec::new(),
        }
    }
}

impl std::fmt::Display for StageKind {
    /// What `use` says, with the upstream that is asked where there is one, or `plugin:NAME`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ApiKey(_) => "api-key",
            Self::Basic(_) => "basic",
            Self::Body(_) => "body",
            Self::Cache(_) => "cache",
            Self::Compress(_) => "compress",
            Self::Concurrency(_) => "concurrency",
            Self::CorrelationId(_) => "correlation-id",
            Self::Cors(_) => "cors",
            Self::Decompress(_) => "decompress",
            Self::ForwardAuth(stage) => return write!(f, "forward-auth:{}", stage.upstream),
            Self::Headers(_) => "headers",
            Self::Ip(_) => "ip",
            Self::Jwt(_) => "jwt",
            Self::Quota(_) => "quota",
            Self::Redirect(_) => "redirect",
            Self::RequestSize(_) => "request-size",
            Self::Rewrite(_) => "rewrite",
            Self::LambdaAuthorizer(stage) => return write!(f, "lambda-authorizer:{}", stage.upstream),
            Self::Mtls(_) => "mtls",
            Self::Oauth2Introspection(_) => "oauth2-introspection",
            Self::OidcLogin(_) => "oidc-login",
            Self::Policy(_) => "policy",
            Self::SigV4(_) => "sigv4",
            Self::Shed(_) => "shed",
            Self::Throttle(_) => "throttle",
            Self::UsagePlan(_) => "usage-plan",
            Self::Validate(_) => "validate",
            Self::Waf(_) => "waf",
            Self::Plugin(stage) => return write!(f, "plugin:{}", stage.plugin),
        })
    }
}
