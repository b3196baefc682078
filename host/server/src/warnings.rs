//! What a configuration names that is there and good, and probably not what was meant; or not there, and needed later.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatewright_config::{
    AccessLogOutput, AttributeFacts, BodyConfig, ConfigError, FileReference, GatewayConfig, KeySourceConfig,
    ListenAddress, NoFacts, Place, StageKind,
};
use gatewright_wasm::Plugin;

use crate::assemble::Generation;
use crate::listener::certificate;
use crate::listener::tls::certificates;
use crate::stages::body::{named_attributes, unknown_filters};

/// Everything that there is to warn of. What cannot be read is no warning: it is a mistake, and said elsewhere.
pub fn of(config: &GatewayConfig) -> Vec<ConfigError> {
    let mut warnings = Vec::new();
    expired(config, &mut warnings);
    for (name, upstream) in &config.upstreams {
        if upstream.accepts_any_certificate {
            let message = format!("upstream `{name}`: certificates are not verified");
            let place = upstream.place.key("dangerous_accept_any_certificate");
            warnings.push(
                place
                    .mistake(message)
                    .with_hint("name the authority of its certificate with `ca`"),
            );
        }
    }
    folders(config, &mut warnings);
    for route in &config.routes {
        for stage in &route.chain {
            if let StageKind::Body(body) = &stage.kind {
                let unknown = unknown_filters(body);
                warnings.extend(unknown.into_iter().map(|(message, hint)| {
                    let warning = stage.place.mistake(format_args!("route `{}`: {message}", route.name));
                    warning.with_hint(hint)
                }));
            }
        }
    }
    warnings
}

/// Files of certificates, each with what it means when the time of one is over.
fn certificate_files(config: &GatewayConfig) -> Vec<(&FileReference, &'static str)> {
    let mut files = Vec::new();
    for tls in config.listeners.values().filter_map(|listener| listener.tls.as_ref()) {
        files.push((&tls.certificate, "put a new one there: clients refuse this one"));
        let clients = tls.clients.as_ref();
        files.extend(clients.map(|clients| {
            (
                &clients.ca,
                "put a new one there: no client of this authority is let in",
            )
        }));
    }
    let identities = config
        .upstreams
        .values()
        .filter_map(|upstream| upstream.identity.as_ref());
    files.extend(identities.map(|own| (&own.certificate, "put a new one there: servers refuse this one")));
    let stages = config.routes.iter().flat_map(|route| &route.chain);
    let of_issuers = stages.filter_map(|stage| match &stage.kind {
        StageKind::Jwt(jwt) => match &jwt.keys {
            KeySourceConfig::Fetched(fetched) => fetched.ca.as_ref(),
            KeySourceConfig::File(_) => None,
        },
        StageKind::Oauth2Introspection(stage) => stage.introspector.ca.as_ref(),
        StageKind::OidcLogin(stage) => stage.login.keys.ca.as_ref(),
        _ => None,
    });
    let authorities = (config.upstreams.values().filter_map(|upstream| upstream.ca.as_ref()))
        .chain(config.redis.iter().filter_map(|redis| redis.ca.as_ref()))
        .chain(config.plugin.values().filter_map(|plugin| plugin.http.ca.as_ref()))
        .chain(of_issuers);
    files.extend(authorities.map(|ca| (ca, "put a new one there: no server of this authority is believed")));
    files
}

/// Certificates whose time is over, or has not come.
fn expired(config: &GatewayConfig, warnings: &mut Vec<ConfigError>) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    for (file, consequence) in certificate_files(config) {
        let Ok(found) = certificates(file, "certificate") else {
            continue;
        };
        for certificate in found.iter().filter_map(|der| certificate::read(der)) {
            let (subject, path) = (&certificate.subject, file.path.display());
            let message = if certificate.not_after < now {
                let date = date(certificate.not_after);
                format!("the certificate of `{subject}` in {path} has expired: it was good until {date}")
            } else if certificate.not_before > now {
                let date = date(certificate.not_before);
                format!("the certificate of `{subject}` in {path} is not good before {date}")
            } else {
                continue;
            };
            let warning = file.place.mistake(message).with_hint(consequence);
            // A chain that several routes share is in each of them.
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
}

/// A moment in seconds since 1970, for people.
fn date(seconds: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Folders that are named and are not there.
fn folders(config: &GatewayConfig, warnings: &mut Vec<ConfigError>) {
    const NO_START: &str = "make it, or the gateway will not start";
    let mut missing = |place: Place, folder: &Path, hint: &str| {
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        if !folder.is_dir() {
            let message = format!("the folder {} is not there", folder.display());
            warnings.push(place.mistake(message).with_hint(hint));
        }
    };
    let parent = |file: &Path| file.parent().unwrap_or(Path::new("")).to_owned();
    if let Some(directory) = &config.plugins.directory {
        missing(
            directory.place.clone(),
            &directory.path,
            "make it, or plugins will not be found",
        );
    }
    if let AccessLogOutput::File(file) = &config.access_log.output {
        missing(file.place.clone(), &parent(&file.path), NO_START);
    }
    if let Some(file) = &config.state.snapshot {
        missing(file.place.clone(), &parent(&file.path), NO_START);
    }
    for listener in config.listeners.values() {
        if let ListenAddress::Unix(path) = &listener.address {
            missing(listener.place.clone(), &parent(path), NO_START);
        }
    }
}

/// Attributes that are named and that nothing sets, as far as it takes plugins and templates to know: what the configuration
/// alone shows has been said when it was read.
pub fn unset(generation: &Generation) -> Vec<ConfigError> {
    let mut warnings = generation.config.unset_attributes(generation);
    let said = generation.config.unset_attributes(&NoFacts);
    warnings.retain(|warning| !said.contains(warning));
    warnings
}

impl AttributeFacts for Generation {
    fn may_authorize(&self, plugin: &str) -> bool {
        self.plugin(plugin).is_none_or(Plugin::is_authorizer)
    }

    fn may_transform(&self, plugin: &str) -> bool {
        self.plugin(plugin).is_none_or(|plugin| !plugin.is_authorizer())
    }

    fn named_in_bodies(&self, body: &BodyConfig) -> (Vec<String>, Vec<String>) {
        named_attributes(body)
    }
}

impl Generation {
    /// The plugin of that name, if it could be loaded.
    fn plugin(&self, name: &str) -> Option<&Plugin> {
        self.plugins.get(name)?.as_ref().ok().map(Arc::as_ref)
    }
}
