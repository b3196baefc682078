//! `[chain]` and what a chain consists of.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::{
    ApiKeyStage, BasicStage, BodyStage, CacheStage, CompressStage, ConcurrencyStage, CorrelationIdStage, CorsStage,
    DecompressStage, ForwardAuthStage, HeadersStage, IpStage, JwtStage, LambdaAuthorizerStage, Located, MtlsStage,
    Oauth2IntrospectionStage, OidcLoginStage, PluginStage, PolicyStage, QuotaStage, RedirectStage, RequestSizeStage,
    RewriteStage, ShedStage, SigV4Stage, ThrottleStage, UsagePlanStage, ValidateStage, WafStage,
};

/// The built-in stages: what `use` may say.
pub const STAGES: [&str; 28] = [
    "api-key",
    "basic",
    "body",
    "cache",
    "compress",
    "concurrency",
    "correlation-id",
    "cors",
    "decompress",
    "forward-auth",
    "headers",
    "ip",
    "jwt",
    "lambda-authorizer",
    "mtls",
    "oauth2-introspection",
    "oidc-login",
    "policy",
    "quota",
    "redirect",
    "request-size",
    "rewrite",
    "shed",
    "sigv4",
    "throttle",
    "usage-plan",
    "validate",
    "waf",
];

/// Stages in order; a name stands for the stages of that chain.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct Chain(pub Vec<Located<ChainEntry>>);

/// One entry of a chain: `"name"`, `{ use = "throttle", … }` or `{ plugin = "name", … }`. serde reads it in
/// externally tagged form; the schema shows what users write.
#[derive(Clone, Debug, Deserialize)]
pub enum ChainEntry {
    /// A named chain.
    #[serde(rename = "chain")]
    Chain(Located<String>),
    /// `{ use = "api-key" }`
    #[serde(rename = "api-key")]
    ApiKey(ApiKeyStage),
    /// `{ use = "basic" }`
    #[serde(rename = "basic")]
    Basic(BasicStage),
    /// `{ use = "body" }`
    #[serde(rename = "body")]
    Body(BodyStage),
    /// `{ use = "cache" }`
    #[serde(rename = "cache")]
    Cache(CacheStage),
    /// `{ use = "compress" }`
    #[serde(rename = "compress")]
    Compress(CompressStage),
    /// `{ use = "concurrency" }`
    #[serde(rename = "concurrency")]
    Concurrency(ConcurrencyStage),
    /// `{ use = "correlation-id" }`
    #[serde(rename = "correlation-id")]
    CorrelationId(CorrelationIdStage),
    /// `{ use = "cors" }`
    #[serde(rename = "cors")]
    Cors(CorsStage),
    /// `{ use = "decompress" }`
    #[serde(rename = "decompress")]
    Decompress(DecompressStage),
    /// `{ use = "forward-auth" }`
    #[serde(rename = "forward-auth")]
    ForwardAuth(ForwardAuthStage),
    /// `{ use = "headers" }`
    #[serde(rename = "headers")]
    Headers(HeadersStage),
    /// `{ use = "ip" }`
    #[serde(rename = "ip")]
    Ip(IpStage),
    /// `{ use = "jwt" }`
    #[serde(rename = "jwt")]
    Jwt(Box<JwtStage>),
    /// `{ use = "quota" }`
    #[serde(rename = "quota")]
    Quota(QuotaStage),
    /// `{ use = "lambda-authorizer" }`
    #[serde(rename = "lambda-authorizer")]
    LambdaAuthorizer(LambdaAuthorizerStage),
    /// `{ use = "mtls" }`
    #[serde(rename = "mtls")]
    Mtls(MtlsStage),
    /// `{ use = "oauth2-introspection" }`
    #[serde(rename = "oauth2-introspection")]
    Oauth2Introspection(Box<Oauth2IntrospectionStage>),
    /// `{ use = "oidc-login" }`
    #[serde(rename = "oidc-login")]
    OidcLogin(Box<OidcLoginStage>),
    /// `{ use = "policy" }`
    #[serde(rename = "policy")]
    Policy(PolicyStage),
    /// `{ use = "redirect" }`
    #[serde(rename = "redirect")]
    Redirect(RedirectStage),
    /// `{ use = "request-size" }`
    #[serde(rename = "request-size")]
    RequestSize(RequestSizeStage),
    /// `{ use = "rewrite" }`
    #[serde(rename = "rewrite")]
    Rewrite(RewriteStage),
    /// `{ use = "sigv4" }`
    #[serde(rename = "sigv4")]
    SigV4(SigV4Stage),
    /// `{ use = "shed" }`
    #[serde(rename = "shed")]
    Shed(ShedStage),
    /// `{ use = "throttle" }`
    #[serde(rename = "throttle")]
    Throttle(ThrottleStage),
    /// `{ use = "usage-plan" }`
    #[serde(rename = "usage-plan")]
    UsagePlan(UsagePlanStage),
    /// `{ use = "validate" }`
    #[serde(rename = "validate")]
    Validate(ValidateStage),
    /// `{ use = "waf" }`
    #[serde(rename = "waf")]
    Waf(WafStage),
    /// `{ plugin = "name" }`
    #[serde(rename = "plugin")]
    Plugin(PluginStage),
}

impl JsonSchema for ChainEntry {
    fn schema_name() -> Cow<'static, str> {
        "ChainEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "One entry of a chain: the name of a chain, a built-in stage, or a plugin.",
            "anyOf": [
                { "type": "string", "description": "The name of a chain under `[chain]`." },
                generator.subschema_for::<ApiKeyStage>(),
                generator.subschema_for::<BasicStage>(),
                generator.subschema_for::<BodyStage>(),
                generator.subschema_for::<CacheStage>(),
                generator.subschema_for::<CompressStage>(),
                generator.subschema_for::<ConcurrencyStage>(),
                generator.subschema_for::<CorrelationIdStage>(),
                generator.subschema_for::<CorsStage>(),
                generator.subschema_for::<DecompressStage>(),
                generator.subschema_for::<ForwardAuthStage>(),
                generator.subschema_for::<HeadersStage>(),
                generator.subschema_for::<IpStage>(),
                generator.subschema_for::<JwtStage>(),
                generator.subschema_for::<QuotaStage>(),
                generator.subschema_for::<LambdaAuthorizerStage>(),
                generator.subschema_for::<MtlsStage>(),
                generator.subschema_for::<Oauth2IntrospectionStage>(),
                generator.subschema_for::<OidcLoginStage>(),
                generator.subschema_for::<PolicyStage>(),
                generator.subschema_for::<RedirectStage>(),
                generator.subschema_for::<RequestSizeStage>(),
                generator.subschema_for::<RewriteStage>(),
                generator.subschema_for::<SigV4Stage>(),
                generator.subschema_for::<ShedStage>(),
                generator.subschema_for::<ThrottleStage>(),
                generator.subschema_for::<UsagePlanStage>(),
                generator.subschema_for::<ValidateStage>(),
                generator.subschema_for::<WafStage>(),
                generator.subschema_for::<PluginStage>(),
            ]
        })
    }
}
