//! One route: its chain and its integration, of every kind that there is.

use std::sync::Arc;

use gatewright_config::{HttpIntegrationConfig, IntegrationConfig, RouteConfig, StageConfig, StageKind, load_keys};
use gatewright_core::{Integration, RouteName, Stage};
use gatewright_wasm::{Plugin, PluginError, StageUse};

use super::{AssembleError, Foundation, Generation, explainers};
use crate::candidate::Candidate;
use crate::chain::{Chain, Link};
use crate::explain::Redaction;
use crate::gateway::Route;
use crate::integrations::http::Http;
use crate::integrations::respond::Respond;
use crate::integrations::unavailable::Unavailable as UnavailableIntegration;
use crate::stages::api_key::ApiKey;
use crate::stages::cors::Cors;
use crate::stages::headers::Headers;
use crate::stages::ip::Ip;
use crate::stages::throttle::Throttle;
use crate::stages::unavailable::Unavailable as UnavailableStage;

/// One route in the making.
pub(super) struct RouteAssembly<'a> {
    pub(super) route: &'a RouteConfig,
    pub(super) name: RouteName,
    pub(super) generation: &'a Generation,
    pub(super) foundation: &'a Foundation,
    /// What explanations do not show; none when there are none.
    pub(super) redaction: Option<&'a Arc<Redaction>>,
}

impl RouteAssembly<'_> {
    pub(super) async fn assemble(&self, at_start: bool) -> Result<Route, AssembleError> {
        let mut links = Vec::with_capacity(self.route.chain.len());
        for (position, stage) in self.route.chain.iter().enumerate() {
            let stage = self.stage(stage, position, at_start).await?;
            let name: Arc<str> = stage.name().into();
            let metrics = self.foundation.metrics.stage(&self.name, &name);
            let stage = explainers::stage(stage, self.redaction);
            links.push(Link { stage, name, metrics });
        }
        let integration = self.integration(at_start).await?;
        let upstream = match &self.route.integration {
            IntegrationConfig::Http(http) => self.generation.upstreams.get(&http.upstream),
            _ => None,
        };
        let upstream = upstream.map(|upstream| &upstream.name);
        Ok(Route {
            name: Arc::clone(&self.name),
            chain: Chain::new(links, self.observed(integration)),
            timeout: self.route.timeout,
            body_bytes: self.route.body_bytes.map(|size| size.0),
            recorder: self.foundation.telemetry.route(&self.name, upstream),
            answers_preflight: matches!(self.route.chain.first(), Some(stage) if matches!(stage.kind, StageKind::Cors(_))),
        })
    }

    async fn stage(
        &self,
        stage: &StageConfig,
        position: usize,
        at_start: bool,
    ) -> Result<Arc<dyn Stage>, AssembleError> {
        let line = stage.line;
        Ok(match &stage.kind {
            StageKind::ApiKey(config) => {
                let keys = load_keys(&config.keys).map_err(|source| AssembleError::Keys {
                    line,
                    route: self.route.name.clone(),
                    source,
                })?;
                Arc::new(ApiKey::new(config, keys))
            }
            StageKind::Cors(config) => Arc::new(Cors::new(config, &self.route.methods)),
            StageKind::Headers(config) => Arc::new(Headers::new(config)),
            StageKind::Ip(config) => Arc::new(Ip::new(config)),
            StageKind::Throttle(config) => Arc::new(Throttle::new(
                config,
                &self.name,
                position,
                Arc::clone(&self.foundation.state),
            )),
            StageKind::Plugin(config) => match self.plugin(&config.plugin, line, at_start)? {
                None => Arc::new(UnavailableStage::new(&config.plugin)),
                Some(plugin) => {
                    let use_ = StageUse {
                        config,
                        route: &self.name,
                        last_authorizer: self.is_last_authorizer(position),
                    };
                    let stage = plugin.stage(use_).await.map_err(|source| self.refused(line, source))?;
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
        })
    }

    async fn integration(&self, at_start: bool) -> Result<Arc<dyn Integration>, AssembleError> {
        Ok(match &self.route.integration {
            IntegrationConfig::Http(config) => Arc::new(self.http(config)?),
            IntegrationConfig::Respond(config) => Arc::new(Respond::new(config)),
            IntegrationConfig::Plugin(config) => match self.plugin(&config.plugin, config.line, at_start)? {
                None => Arc::new(UnavailableIntegration::new(&config.plugin)),
                Some(plugin) => {
                    let made = plugin.integration(config, &self.name).await;
                    let integration = made.map_err(|source| self.refused(config.line, source))?;
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

    fn observed(&self, integration: Arc<dyn Integration>) -> Arc<dyn Integration> {
        let online = self
            .foundation
            .explaining
            .as_ref()
            .is_none_or(|explaining| explaining.online);
        let asked = online || !matches!(self.route.integration, IntegrationConfig::Http(_));
        explainers::integration(integration, asked, self.redaction)
    }

    fn http(&self, config: &HttpIntegrationConfig) -> Result<Http, AssembleError> {
        let upstream = self
            .generation
            .upstreams
            .get(&config.upstream)
            .ok_or_else(|| AssembleError::Missing {
                line: self.route.line,
                route: self.route.name.clone(),
                reason: format!("there is no upstream `{}`", config.upstream),
            })?;
        Ok(Http::new(config, Arc::clone(upstream), self.foundation.via.clone()))
    }

    /// The plugin of that name. None when it is missing and the configuration says to start without it.
    fn plugin(&self, name: &str, line: usize, at_start: bool) -> Result<Option<&Arc<Plugin>>, AssembleError> {
        match self.generation.plugins.get(name) {
            Some(Ok(plugin)) => Ok(Some(plugin)),
            Some(Err(_)) if at_start && !self.generation.config.plugins.required => Ok(None),
            other => Err(AssembleError::Missing {
                line,
                route: self.route.name.clone(),
                reason: match other {
                    Some(Err(reason)) => reason.clone(),
                    _ => format!("plugin `{name}` is not loaded"),
                },
            }),
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

    fn refused(&self, line: usize, source: PluginError) -> AssembleError {
        AssembleError::Plugin {
            line,
            route: self.route.name.clone(),
            source: Box::new(source),
        }
    }
}
