//! One route: its chain and its integration, of every kind that there is.

use std::sync::Arc;

use gatewright_config::{
    BasicConfig, CacheConfig, Encoded, HttpIntegrationConfig, IntegrationConfig, Place, RouteConfig, SigV4Config,
    StageConfig, StageKind, load_credentials, load_users,
};
use gatewright_core::path::{Encoding, Encodings};
use gatewright_core::{Integration, RouteName, Stage};
use gatewright_wasm::{Plugin, PluginError, StageUse};

use super::{AssembleError, Foundation, Generation, Mistakes, explainers};
use crate::cache::Cached;
use crate::candidate::Candidate;
use crate::chain::{Chain, Link};
use crate::explain::Redaction;
use crate::gateway::Route;
use crate::integrations::http::Http;
use crate::integrations::respond::Respond;
use crate::integrations::unavailable::Unavailable as UnavailableIntegration;
use crate::stages::api_key::ApiKey;
use crate::stages::basic::Basic;
use crate::stages::body::NewBody;
use crate::stages::compress::Compress;
use crate::stages::concurrency::Concurrency;
use crate::stages::correlation_id::CorrelationId;
use crate::stages::cors::Cors;
use crate::stages::decompress::Decompress;
use crate::stages::entity_tags::UpstreamTags;
use crate::stages::forward_auth::ForwardAuth;
use crate::stages::headers::Headers;
use crate::stages::ip::Ip;
use crate::stages::jwt::Jwt;
use crate::stages::lambda_authorizer::LambdaAuthorizer;
use crate::stages::mtls::Mtls;
use crate::stages::oauth2_introspection::Oauth2Introspection;
use crate::stages::oidc_login::OidcLogin;
use crate::stages::policy::Policy;
use crate::stages::quota::Quota;
use crate::stages::redirect::Redirect;
use crate::stages::request_size::RequestSize;
use crate::stages::rewrite::Rewrite;
use crate::stages::shed::Shed;
use crate::stages::sigv4::SigV4;
use crate::stages::throttle::Throttle;
use crate::stages::unavailable::Unavailable as UnavailableStage;
use crate::stages::usage_plan::UsagePlan;
use crate::stages::validate::Validate;
use crate::stages::waf::Waf;
use crate::stages::waf::rules::{self, RuleSets};
use crate::token::issuers::KeysError;
use crate::upstream::Upstream;
use crate::words::Unusable;

/// Which percent-encoding the paths of a route may have.
pub(super) fn encodings(route: &RouteConfig) -> Encodings {
    let encoding = |encoded| match encoded {
        Encoded::Refuse => Encoding::Refuse,
        Encoded::Keep => Encoding::Keep,
        Encoded::Decode => Encoding::Decode,
    };
    Encodings {
        slash: encoding(route.encoded_slash),
        percent: encoding(route.encoded_percent),
    }
}

/// One route in the making.
pub(super) struct RouteAssembly<'a> {
    pub(super) route: &'a RouteConfig,
    pub(super) name: RouteName,
    pub(super) generation: &'a Generation,
    pub(super) foundation: &'a Foundation,
    /// Rules of the stages `waf`.
    pub(super) rule_sets: &'a RuleSets,
    /// What explanations do not show; none when there are none.
    pub(super) redaction: Option<&'a Arc<Redaction>>,
}

/// What an entry of a chain becomes.
enum Part<'s> {
    /// A link.
    Stage(Arc<dyn Stage>),
    /// What the links before it lead to.
    Cache(&'s CacheConfig),
}

impl RouteAssembly<'_> {
    /// The route; nothing when a part of it cannot be made. With `may_lack`, a plugin that could not be loaded is no mistake.
    pub(super) async fn assemble(&self, may_lack: bool, mistakes: &mut Mistakes) -> Option<Route> {
        let mut links = Vec::with_capacity(self.route.chain.len());
        let mut cache = None;
        for (position, stage) in self.route.chain.iter().enumerate() {
            let stage = match mistakes.keep(self.stage(stage, position, may_lack).await) {
                None => continue,
                Some(Part::Stage(stage)) => stage,
                Some(Part::Cache(config)) => {
                    // What comes after it is a chain of its own.
                    cache = Some((config, std::mem::take(&mut links)));
                    continue;
                }
            };
            let name: Arc<str> = stage.name().into();
            let metrics = self.foundation.metrics.stage(&self.name, &name);
            let stage = explainers::stage(stage, self.redaction);
            links.push(Link { stage, name, metrics });
        }
        let integration = mistakes.keep(self.integration(may_lack).await);
        let integration = self.observed(integration?);
        let chain = match cache {
            None => Chain::new(links, integration),
            Some((config, before)) => {
                let inner = Chain::new(links, integration);
                let responses = &self.foundation.responses;
                let cached = Cached::new(config, &self.name, self.route.timeout, inner, responses);
                Chain::new(before, Arc::new(cached))
            }
        };
        let upstream = match &self.route.integration {
            IntegrationConfig::Http(http) => self.generation.upstreams.get(&http.upstream),
            _ => None,
        };
        let upstream = upstream.map(|upstream| &upstream.name);
        Some(Route {
            name: Arc::clone(&self.name),
            chain,
            encodings: encodings(self.route),
            timeout: self.route.timeout,
            body_bytes: self.route.body_bytes.map(|size| size.0),
            recorder: self.foundation.telemetry.route(&self.name, upstream),
            cors: self.route.chain.iter().find_map(|stage| match &stage.kind {
                // It has no state: that the chain has one of its own makes no difference.
                StageKind::Cors(config) => Some(Cors::new(config, &self.route.methods)),
                _ => None,
            }),
        })
    }

    async fn stage<'s>(
        &self,
        stage: &'s StageConfig,
        position: usize,
        may_lack: bool,
    ) -> Result<Part<'s>, AssembleError> {
        let place = &stage.place;
        Ok(Part::Stage(match &stage.kind {
            StageKind::ApiKey(config) => {
                let keys = self.generation.keys.get(&config.keys.path);
                Arc::new(ApiKey::new(config, keys.map_or(&[], Vec::as_slice)))
            }
            StageKind::Basic(config) => Arc::new(self.basic(config)?),
            StageKind::Body(config) => {
                Arc::new(NewBody::new(config, self.tags(position)).map_err(|unusable| self.unusable(place, unusable))?)
            }
            StageKind::Cache(config) => return Ok(Part::Cache(config)),
            StageKind::Compress(config) => Arc::new(Compress::new(config, self.tags(position))),
            StageKind::CorrelationId(config) => Arc::new(CorrelationId::new(config)),
            StageKind::Cors(config) => Arc::new(Cors::new(config, &self.route.methods)),
            StageKind::ForwardAuth(config) => {
                let upstream = self.upstream(&config.upstream, place)?;
                Arc::new(ForwardAuth::new(config, upstream, self.foundation.via.clone()))
            }
            StageKind::Decompress(config) => Arc::new(Decompress::new(config, self.tags(position))),
            StageKind::Headers(config) => Arc::new(Headers::new(config)),
            StageKind::Ip(config) => Arc::new(Ip::new(config)),
            StageKind::Jwt(config) => {
                let keys = self.foundation.issuers.keys(&config.keys, self.foundation.online);
                let keys = keys.map_err(|source| self.no_issuer(place, source))?;
                Arc::new(Jwt::new(config, keys))
            }
            StageKind::Redirect(config) => Arc::new(Redirect::new(config)),
            StageKind::RequestSize(config) => Arc::new(RequestSize::new(config)),
            StageKind::Rewrite(config) => Arc::new(Rewrite::new(config)),
            StageKind::LambdaAuthorizer(config) => {
                let (path, upstream) = (self.route.path.to_string(), self.upstream(&config.upstream, place)?);
                Arc::new(LambdaAuthorizer::new(
                    config,
                    &path,
                    upstream,
                    self.foundation.via.clone(),
                ))
            }
            StageKind::Mtls(config) => Arc::new(Mtls::new(config)),
            StageKind::Oauth2Introspection(config) => {
                let introspector = self.foundation.issuers.introspector(&config.introspector);
                let introspector = introspector.map_err(|source| self.no_issuer(place, source))?;
                let introspector = self.foundation.online.then_some(introspector);
                Arc::new(Oauth2Introspection::new(config, introspector))
            }
            StageKind::OidcLogin(config) => {
                let login = self.foundation.issuers.login(&config.login, self.foundation.online);
                let login = login.map_err(|source| self.no_issuer(place, source))?;
                Arc::new(OidcLogin::new(config, login))
            }
            StageKind::Policy(config) => Arc::new(Policy::new(config)),
            StageKind::SigV4(config) => Arc::new(self.sigv4(config)?),
            StageKind::Concurrency(config) => Arc::new(Concurrency::new(
                config,
                &self.name,
                position,
                Arc::clone(&self.foundation.state),
            )),
            StageKind::Quota(config) => Arc::new(Quota::new(
                config,
                &self.name,
                position,
                Arc::clone(&self.foundation.state),
            )),
            StageKind::Shed(config) => {
                let shedder = self.foundation.shedders.group(config, &self.foundation.metrics);
                Arc::new(Shed::new(config, shedder))
            }
            StageKind::Throttle(config) => Arc::new(Throttle::new(
                config,
                &self.name,
                position,
                Arc::clone(&self.foundation.state),
            )),
            StageKind::Validate(config) => {
                Arc::new(Validate::new(config).map_err(|unusable| self.unusable(place, unusable))?)
            }
            StageKind::Waf(config) => {
                let metrics = self.foundation.metrics.waf.of(&self.name, config.mode);
                let rules = self
                    .rule_sets
                    .of(config)
                    .map_err(|error| self.unusable(place, vec![rules::unusable(&error)]))?;
                Arc::new(Waf::new(config, rules, metrics))
            }
            StageKind::UsagePlan(config) => Arc::new(UsagePlan::new(config, &self.name, &self.generation.usage)),
            StageKind::Plugin(config) => match self.plugin(&config.plugin, may_lack)? {
                None => Arc::new(UnavailableStage::new(&config.plugin)),
                Some(plugin) => {
                    let use_ = StageUse {
                        config,
                        route: &self.name,
                        last_authorizer: self.is_last_authorizer(position),
                    };
                    let stage = plugin.stage(use_).await.map_err(|source| self.refused(place, source))?;
                    match self.candidate(&config.plugin) {
                        Some((trial, candidate)) => match candidate.stage(use_).await {
                            Ok(candidate) => trial.stage(stage, candidate),
                            Err(error) => {
                                self.unfit(trial, &error);
                                stage
                            }
                        },
                        None => stage,
                    }
                }
            },
        }))
    }

    async fn integration(&self, may_lack: bool) -> Result<Arc<dyn Integration>, AssembleError> {
        Ok(match &self.route.integration {
            IntegrationConfig::Http(config) => Arc::new(self.http(config)?),
            IntegrationConfig::Respond(config) => Arc::new(Respond::new(config)),
            IntegrationConfig::Plugin(config) => match self.plugin(&config.plugin, may_lack)? {
                None => Arc::new(UnavailableIntegration::new(&config.plugin)),
                Some(plugin) => {
                    let made = plugin.integration(config, &self.name).await;
                    let integration = made.map_err(|source| self.refused(&config.place, source))?;
                    match self.candidate(&config.plugin) {
                        Some((trial, candidate)) => match candidate.integration(config, &self.name).await {
                            Ok(candidate) => trial.integration(integration, candidate),
                            Err(error) => {
                                self.unfit(trial, &error);
                                integration
                            }
                        },
                        None => integration,
                    }
                }
            },
        })
    }

    fn basic(&self, config: &BasicConfig) -> Result<Basic, AssembleError> {
        let route = &self.route.name;
        let users = load_users(&config.users.path).map_err(|source| AssembleError::Keys {
            route: route.clone(),
            file: config.users.clone(),
            source,
        })?;
        let passwords = Arc::clone(&self.foundation.passwords);
        let state = Arc::clone(&self.foundation.state);
        Basic::new(config, users, passwords, state).map_err(|user| AssembleError::Missing {
            place: config.users.place.clone(),
            route: route.clone(),
            reason: format!(
                "{}: user `{user}`: not a bcrypt or argon2id hash",
                config.users.path.display()
            ),
            hint: Some("`gatewright password` makes one"),
        })
    }

    fn sigv4(&self, config: &SigV4Config) -> Result<SigV4, AssembleError> {
        let route = &self.route.name;
        let credentials = load_credentials(&config.credentials.path).map_err(|source| AssembleError::Keys {
            route: route.clone(),
            file: config.credentials.clone(),
            source,
        })?;
        SigV4::new(config, credentials).map_err(|(id, error)| AssembleError::Missing {
            place: config.credentials.place.clone(),
            route: route.clone(),
            reason: format!("access key `{id}` of {}: {error}", config.credentials.path.display()),
            hint: Some(error.hint()),
        })
    }

    /// What is known of the entity tags of what answers, for the stage at this place.
    fn tags(&self, position: usize) -> UpstreamTags {
        let upstream = match &self.route.integration {
            IntegrationConfig::Http(http) => self.generation.upstreams.get(&http.upstream),
            _ => None,
        };
        let tags = upstream.map_or_else(UpstreamTags::default, |upstream| upstream.tags.clone());
        let changes = |stage: &StageConfig| {
            let kind = &stage.kind;
            matches!(
                kind,
                StageKind::Body(_) | StageKind::Compress(_) | StageKind::Decompress(_)
            )
        };
        match self.route.chain.iter().skip(position + 1).any(changes) {
            true => tags,
            false => tags.looking(),
        }
    }

    fn observed(&self, integration: Arc<dyn Integration>) -> Arc<dyn Integration> {
        let asked = self.foundation.online || !matches!(self.route.integration, IntegrationConfig::Http(_));
        explainers::integration(integration, asked, self.redaction)
    }

    fn http(&self, config: &HttpIntegrationConfig) -> Result<Http, AssembleError> {
        let upstream = self.upstream(&config.upstream, &self.route.place)?;
        Ok(Http::new(config, upstream, self.foundation.via.clone()))
    }

    fn upstream(&self, name: &str, place: &Place) -> Result<Arc<Upstream>, AssembleError> {
        match self.generation.upstreams.get(name) {
            Some(upstream) => Ok(Arc::clone(upstream)),
            None if self.generation.config.upstreams.contains_key(name) => Err(AssembleError::Consequence),
            None => Err(AssembleError::Missing {
                place: place.clone(),
                route: self.route.name.clone(),
                reason: format!("there is no upstream `{name}`"),
                hint: Some("add `[upstream.NAME]`, or name one that is there"),
            }),
        }
    }

    /// The plugin of that name. None when it could not be loaded and that is no mistake.
    fn plugin(&self, name: &str, may_lack: bool) -> Result<Option<&Arc<Plugin>>, AssembleError> {
        match self.generation.plugins.get(name) {
            Some(Ok(plugin)) => Ok(Some(plugin)),
            Some(Err(_)) if may_lack => Ok(None),
            // Why has been said, once for all who use it.
            Some(Err(_)) | None => Err(AssembleError::Consequence),
        }
    }

    /// The candidate of a plugin, if it is on trial.
    fn candidate(&self, name: &str) -> Option<(&Candidate, &Arc<Plugin>)> {
        let trial = self.generation.candidates.get(name)?;
        Some((trial, trial.plugin.as_ref().filter(|_| !trial.probation.is_over())?))
    }

    /// A candidate does not accept what this route wants of it.
    fn unfit(&self, trial: &Candidate, error: &PluginError) {
        trial.probation.refuse(&format!("route `{}`: {error}", self.name));
    }

    /// Whether no stage after this one decides who may pass.
    fn is_last_authorizer(&self, position: usize) -> bool {
        let is_authorizer = |stage: &StageConfig| match &stage.kind {
            StageKind::Plugin(config) => {
                matches!(self.generation.plugins.get(&config.plugin), Some(Ok(plugin)) if plugin.is_authorizer())
            }
            _ => false,
        };
        !self.route.chain.iter().skip(position + 1).any(is_authorizer)
    }

    /// A stage cannot work with what it is given.
    fn no_issuer(&self, place: &Place, source: KeysError) -> AssembleError {
        AssembleError::Tokens {
            place: place.clone(),
            route: self.route.name.clone(),
            source: Box::new(source),
        }
    }

    fn unusable(&self, stage: &Place, reasons: Vec<Unusable>) -> AssembleError {
        AssembleError::Stage {
            place: stage.clone(),
            route: self.route.name.clone(),
            reasons,
        }
    }

    fn refused(&self, place: &Place, source: PluginError) -> AssembleError {
        AssembleError::Plugin {
            place: place.clone(),
            route: self.route.name.clone(),
            source: Box::new(source),
        }
    }
}
