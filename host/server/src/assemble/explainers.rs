//! What explains requests: the observers in front of stages and integrations, and what a generation's explanations are
//! made from. Nothing of it is made when explanations are off.

use std::collections::HashMap;
use std::sync::Arc;

use gatewright_config::{GatewayConfig, IntegrationConfig, RouteConfig, StageKind, TemplatePart, looks_secret};
use gatewright_core::{Integration, Stage};

use super::Foundation;
use crate::explain::observer::{ObservedIntegration, ObservedStage};
use crate::explain::{Explainer, Redaction};
use crate::router::RouterError;
use crate::router::probe::Probe;
use crate::secret;

/// What explanations of this generation do not show: every secret that it knows.
pub(super) fn redaction(config: &GatewayConfig, foundation: &Foundation) -> Option<Arc<Redaction>> {
    foundation.explaining.as_ref()?;
    let mut secrets = Vec::new();
    // What is not there cannot be shown; that it is missing is said elsewhere.
    let granted = config.plugin.values().flat_map(|plugin| plugin.grants.secrets.values());
    secrets.extend(granted.filter_map(|secret| secret::read(&secret.reference).ok()));
    secrets.extend(config.hidden.values().map(str::to_owned));
    secrets.extend(written(config));
    for stage in config.routes.iter().flat_map(|route| &route.chain) {
        secrets.extend(
            stage
                .kind
                .secrets()
                .filter_map(|secret| secret::read(&secret.reference).ok()),
        );
    }
    let admin = config.admin.iter();
    let admin = admin.flat_map(|admin| admin.token.iter().chain(&admin.explain_key));
    secrets.extend(admin.filter_map(|secret| secret::read(&secret.reference).ok()));
    Some(Arc::new(Redaction::new(config, secrets)))
}

/// What the configuration itself gives to fields and parameters whose names say that it is secret, without the scheme before it.
fn written(config: &GatewayConfig) -> impl Iterator<Item = String> {
    let stages = config.routes.iter().flat_map(|route| &route.chain);
    let of_stages = stages.flat_map(|stage| match &stage.kind {
        StageKind::Headers(headers) => {
            let edits = [&headers.request, &headers.response];
            edits
                .into_iter()
                .flat_map(|edits| [&edits.set, &edits.append])
                .collect()
        }
        StageKind::Rewrite(rewrite) => vec![&rewrite.query.set, &rewrite.query.append],
        _ => Vec::new(),
    });
    let of_integrations = config.routes.iter().filter_map(|route| match &route.integration {
        IntegrationConfig::Http(http) => Some(&http.headers),
        IntegrationConfig::Respond(respond) => Some(&respond.headers),
        IntegrationConfig::Plugin(_) => None,
    });
    let values = of_stages.chain(of_integrations).flatten();
    let secret = values.filter(|(name, _)| looks_secret(name));
    secret.filter_map(|(_, value)| match value.0.as_slice() {
        [TemplatePart::Text(text)] => text.split(' ').next_back().map(str::to_owned),
        _ => None,
    })
}

/// The stage, or the stage with an observer.
pub(super) fn stage(inner: Arc<dyn Stage>, redaction: Option<&Arc<Redaction>>) -> Arc<dyn Stage> {
    match redaction.map(Arc::clone) {
        Some(redaction) => Arc::new(ObservedStage { inner, redaction }),
        None => inner,
    }
}

/// The integration, or the integration with an observer.
pub(super) fn integration(
    inner: Arc<dyn Integration>,
    asked: bool,
    redaction: Option<&Arc<Redaction>>,
) -> Arc<dyn Integration> {
    match redaction.map(Arc::clone) {
        Some(redaction) => Arc::new(ObservedIntegration {
            inner,
            redaction,
            asked,
        }),
        None => inner,
    }
}

/// What explains the requests of this generation.
pub(super) fn explainer(
    config: &GatewayConfig,
    foundation: &Foundation,
    redaction: Option<Arc<Redaction>>,
) -> Result<Option<Explainer>, RouterError> {
    let (Some(explaining), Some(redaction)) = (&foundation.explaining, redaction) else {
        return Ok(None);
    };
    let mut probes = HashMap::new();
    for name in config.listeners.keys() {
        let serves = |route: &RouteConfig| route.listeners.is_empty() || route.listeners.contains(name);
        let routes = config.routes.iter().enumerate().filter(|(_, route)| serves(route));
        let routes = routes.map(|(index, route)| Probe::new(index, route));
        probes.insert(name.as_str().into(), routes.collect::<Result<_, _>>()?);
    }
    let names = config.routes.iter().map(|route| route.name.as_str().into());
    Ok(Some(Explainer::new(
        Arc::clone(explaining),
        redaction,
        names.collect(),
        probes,
    )))
}
