//! The listeners that are open: how a configuration opens, changes and closes them.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gatewright_config::{ConfigError, ConfigErrors, GatewayConfig, ListenAddress, ListenerConfig};

use crate::drain::{self, Drain, Drainer, Phase};
use crate::listener::bind::{self, Bound, SocketFile, bind, probe, set_mode, shown};
use crate::listener::{Settings, permits::Permits};
use crate::live::Live;
use crate::telemetry::Metrics;
use crate::workers::Workers;

/// The listeners that are open, and what is left of those that were.
#[derive(Default)]
pub(super) struct Listeners {
    open: BTreeMap<String, Listener>,
    // Connections of listeners that a reload has closed, while there are some.
    closed: Vec<Drainer>,
}

/// A listener that is open.
struct Listener {
    address: ListenAddress,
    tcp_address: Option<SocketAddr>,
    settings: Arc<ArcSwap<Settings>>,
    permits: Permits,
    drainer: Drainer,
    // Goes before the socket is closed, so that nobody comes in between.
    file: Option<SocketFile>,
}

/// A listener as a configuration wants it. Nothing can fail any more, and nothing is accepted yet.
pub(super) struct Prepared {
    name: String,
    // None where the address is listened on already.
    bound: Option<Bound>,
    settings: Settings,
    config: ListenerConfig,
}

impl Listeners {
    /// Mistakes in addresses that are not listened on yet, as far as can be told without listening.
    pub(super) fn probe(&self, config: &GatewayConfig) -> Vec<ConfigError> {
        let closed = config
            .listeners
            .iter()
            .filter(|(name, config)| !self.is_open(name, config));
        let probed = closed.filter_map(|(name, config)| Some((name, config, probe(&config.address).err()?)));
        probed
            .map(|(name, config, error)| mistake(name, config, &error))
            .collect()
    }

    /// Does what can fail: reads certificates, and binds the addresses that are not listened on yet.
    ///
    /// # Errors
    /// Everything that fails.
    pub(super) fn prepare(
        &self,
        config: &GatewayConfig,
        workers: usize,
        metrics: &Metrics,
    ) -> Result<Vec<Prepared>, ConfigErrors> {
        let mut prepared = Vec::new();
        let mut errors = Vec::new();
        for (name, config) in &config.listeners {
            let settings = Settings::new(name, config).map_err(|error| error.mistake());
            let bound = match self.is_open(name, config) {
                true => Ok(None),
                false => bind(&config.address, config.mode, workers).map(Some),
            };
            match (settings, bound.map_err(|error| mistake(name, config, &error))) {
                (Ok(mut settings), Ok(bound)) => {
                    settings.numbers = metrics.listener(name);
                    prepared.push(Prepared {
                        name: name.clone(),
                        bound,
                        settings,
                        config: config.clone(),
                    });
                }
                (settings, bound) => errors.extend(settings.err().into_iter().chain(bound.err())),
            }
        }
        match errors.is_empty() {
            true => Ok(prepared),
            false => Err(ConfigErrors { errors }),
        }
    }

    fn is_open(&self, name: &str, config: &ListenerConfig) -> bool {
        let open = self.open.get(name);
        open.is_some_and(|listener| listener.address == config.address)
    }

    /// Accepts on new listeners, changes those that stay, and closes those that are not wanted any more.
    pub(super) fn apply(&mut self, prepared: Vec<Prepared>, workers: &Workers, live: &Live) {
        let mut before = std::mem::take(&mut self.open);
        for Prepared {
            name,
            bound,
            settings,
            config,
        } in prepared
        {
            let listener = match (bound, before.remove(&name)) {
                (None, Some(mut listener)) => {
                    if let Err(error) = set_mode(&config.address, config.mode) {
                        tracing::error!(listener = name, %error, "cannot change the mode of the socket");
                    }
                    listener.permits.set(config.limits.connections);
                    listener.settings.store(Arc::new(settings));
                    listener
                }
                (Some(bound), replaced) => {
                    replaced.into_iter().for_each(|listener| self.close(&name, listener));
                    let listener = Listener::accept(bound, settings, &config, workers, live);
                    tracing::info!(listener = name, address = listener.shown(), "listening");
                    listener
                }
                (None, None) => continue,
            };
            self.open.insert(name, listener);
        }
        before
            .into_iter()
            .for_each(|(name, listener)| self.close(&name, listener));
    }

    /// Lets a listener's connections end in their own time, for which the end of the process waits.
    fn close(&mut self, name: &str, listener: Listener) {
        tracing::info!(listener = name, address = listener.shown(), "no longer listening");
        let Listener { file, drainer, .. } = listener;
        drop(file);
        drainer.enter(Phase::Closing);
        self.closed.push(drainer);
    }

    /// TCP addresses by name.
    pub(super) fn addresses(&self) -> BTreeMap<String, SocketAddr> {
        let address = |(name, listener): (&String, &Listener)| Some((name.clone(), listener.tcp_address?));
        self.open.iter().filter_map(address).collect()
    }

    /// Forgets closed listeners whose last connection has ended.
    pub(super) fn forget_ended(&mut self) {
        self.closed.retain_mut(|drainer| !drainer.has_ended());
    }

    /// Goes on to a later phase.
    pub(super) fn enter(&mut self, phase: Phase) {
        for listener in self.open.values_mut() {
            if phase == Phase::Closing {
                listener.file = None;
            }
            listener.drainer.enter(phase);
        }
    }

    /// Waits until the last connection has ended.
    pub(super) async fn ended(self) {
        let Self { open, closed } = self;
        let open = open.into_values().map(|listener| listener.drainer);
        for mut drainer in open.chain(closed) {
            drainer.ended().await;
        }
    }
}

impl Listener {
    fn accept(bound: Bound, settings: Settings, config: &ListenerConfig, workers: &Workers, live: &Live) -> Self {
        let (drainer, drain): (Drainer, Drain) = drain::new();
        let settings = Arc::new(ArcSwap::from_pointee(settings));
        let permits = Permits::new(config.limits.connections);
        let tcp_address = bound.tcp_address();
        workers.listen(bound, &settings, permits.semaphore(), live, &drain);
        Self {
            address: config.address.clone(),
            tcp_address,
            settings,
            permits,
            drainer,
            file: SocketFile::new(&config.address),
        }
    }

    /// The address that it got.
    fn shown(&self) -> String {
        shown(
            &self
                .tcp_address
                .map_or_else(|| self.address.clone(), ListenAddress::Tcp),
        )
    }
}

fn mistake(name: &str, config: &ListenerConfig, error: &io::Error) -> ConfigError {
    bind::mistake(&config.place, &format!("listener `{name}`"), &config.address, error)
}
