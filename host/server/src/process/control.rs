//! The control thread: reacts to reloads and changed files until it is told to stop, and then stops.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use gatewright_config::{ConfigErrors, GatewayConfig, Loaded, load_all};
use tokio::sync::{Notify, mpsc};

use super::examine::examine;
use super::foundation::{Purpose, foundation, registry, warn_of_fixed, worker_count};
use super::listeners::Listeners;
use super::{Event, Options, StartError, facts};
use crate::admin;
use crate::assemble::{Foundation, Generation, assemble};
use crate::descriptors;
use crate::drain::Phase;
use crate::explain::Explaining;
use crate::live::Live;
use crate::reload;
use crate::repeats;
use crate::status::Status;
use crate::telemetry::{Metrics, Telemetry};
use crate::versions;
use crate::warnings;
use crate::watch::{self, Snapshot};
use crate::workers::Workers;

/// Everything that changes.
pub(crate) struct Control {
    pub(crate) options: Options,
    pub(crate) events: mpsc::UnboundedSender<Event>,
    foundation: Foundation,
    workers: Workers,
    live: Live,
    status: Arc<Status>,
    number: u64,
    generation: Generation,
    // How the configuration and the files it names looked before they were read the last time.
    pub(crate) seen: Snapshot,
    listeners: Listeners,
    admin: Option<admin::Admin>,
}

/// What others may know of a gateway that has started.
pub(super) struct Facts {
    /// TCP addresses of the listeners, by name.
    pub(super) listeners: BTreeMap<String, SocketAddr>,
    /// The admin address.
    pub(super) admin: Option<SocketAddr>,
    /// What it shows.
    pub(super) status: Arc<Status>,
    /// Has the access log.
    pub(super) telemetry: Arc<Telemetry>,
}

impl Control {
    /// Does everything that comes before serving, and serves.
    pub(super) async fn start(options: Options, events: mpsc::UnboundedSender<Event>) -> Result<Self, StartError> {
        descriptors::raise_limit();
        let mut seen = Snapshot::default();
        let config = read(&options.config, &mut seen)?;
        let metrics = Arc::new(Metrics::default());
        let workers = Workers::start(worker_count(&config), metrics.shed_connections())?;
        let mut listeners = Listeners::default();
        let mut mistakes = examine(&config);
        mistakes.extend(listeners.probe(&config));
        mistakes.extend(config.admin.as_ref().and_then(admin::probe));
        let (count, compiler) = (workers.count(), &options.compiler);
        let mut foundation = foundation(Purpose::Serving, &config, &metrics, count, compiler, &mut mistakes)?;
        let status = Arc::<Status>::default();
        status.watch_redis(foundation.standing.clone());
        // That its key cannot be read is one of the mistakes.
        let explaining = Explaining::live(config.admin.as_ref(), &status.explanations);
        foundation.explaining = explaining.ok().flatten().map(Arc::new);
        let (gateway, generation) = assemble(config, 1, &foundation, None, mistakes).await?;
        let prepared = listeners.prepare(&generation.config, workers.count(), &metrics)?;
        let admin = generation.config.admin.as_ref().map(|config| {
            let registry = registry(&metrics, &foundation);
            let (status, responses) = (Arc::clone(&status), Arc::clone(&foundation.responses));
            let admin = admin::start(config, registry, status, responses, events.clone());
            admin.map_err(|error| ConfigErrors::from(error.mistake(config)))
        });
        let admin = admin.transpose()?;
        versions::keep(&generation);
        let live = Live::new(gateway);
        listeners.apply(prepared, &workers, &live);
        let control = Self {
            options,
            events,
            foundation,
            workers,
            live,
            status,
            number: 1,
            generation,
            seen,
            listeners,
            admin,
        };
        control.published();
        Ok(control)
    }

    /// What others may know of it.
    pub(super) fn facts(&self) -> Facts {
        Facts {
            listeners: self.listeners.addresses(),
            admin: self.admin.as_ref().map(|admin| admin.address),
            status: Arc::clone(&self.status),
            telemetry: Arc::clone(&self.foundation.telemetry),
        }
    }

    /// Reacts to events until it is told to stop, and then stops.
    pub(super) async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Event>, stopping: Arc<Notify>) {
        let mut watcher = self.options.watch.then(|| reload::Watcher::new(&self));
        let mut tick = tokio::time::interval(reload::LOOK_INTERVAL);
        loop {
            let event = tokio::select! {
                () = stopping.notified() => break,
                Some(event) = queue.recv() => event,
                _ = tick.tick() => {
                    self.close_idle();
                    self.listeners.forget_ended();
                    repeats::flush();
                    Event::FilesChanged
                }
            };
            // A plugin may take long to compile. Nothing of it is published when it is given up.
            tokio::select! {
                () = self.react(event, watcher.as_mut()) => {}
                () = stopping.notified() => break,
            }
        }
        self.stop().await;
    }

    async fn react(&mut self, event: Event, watcher: Option<&mut reload::Watcher>) {
        match event {
            Event::Reload(answer) => {
                let _ = answer.send(self.reload().await);
                if let Some(watcher) = watcher {
                    watcher.follow(self);
                }
            }
            Event::FilesChanged => {
                if let Some(watcher) = watcher {
                    watcher.settle(self).await;
                }
            }
        }
    }

    /// Loads the configuration anew. What cannot serve whole is not published at all.
    pub(crate) async fn reload(&mut self) -> Result<u64, String> {
        match self.try_reload().await {
            Ok(()) => {
                self.published();
                tracing::info!(generation = self.number, "configuration loaded");
                Ok(self.number)
            }
            Err(error) => {
                let reason = error.to_string();
                tracing::error!(
                    generation = self.number,
                    "reload refused, the last configuration goes on serving: {reason}"
                );
                self.foundation.metrics.reloaded(None);
                self.status.refuse(reason.clone());
                Err(reason)
            }
        }
    }

    async fn try_reload(&mut self) -> Result<(), StartError> {
        let file = self.options.config.clone();
        let config = read(&file, &mut self.seen)?;
        let (number, before) = (self.number + 1, Some(&self.generation));
        let mut mistakes = examine(&config);
        mistakes.extend(self.listeners.probe(&config));
        let (gateway, generation) = assemble(config, number, &self.foundation, before, mistakes).await?;
        let prepared = self
            .listeners
            .prepare(&generation.config, self.workers.count(), &self.foundation.metrics)?;
        warn_of_fixed(&self.generation.config, &generation.config);
        versions::keep(&generation);
        // From here on nothing can fail.
        self.number += 1;
        self.foundation
            .responses
            .resize(generation.config.response_cache.bytes.0);
        self.live.publish(gateway);
        self.generation = generation;
        self.listeners.apply(prepared, &self.workers, &self.live);
        Ok(())
    }

    fn published(&self) {
        for warning in warnings::unset(&self.generation) {
            tracing::warn!("{warning}");
        }
        self.foundation.probations.published(&self.generation);
        descriptors::warn_of_too_few(&self.generation.config);
        self.foundation.metrics.reloaded(Some(self.number));
        self.foundation.metrics.serves(facts::of(&self.generation));
        self.foundation.issuers.refresh();
        self.status
            .publish(&self.generation, self.number, self.options.config.clone());
    }

    fn close_idle(&self) {
        self.foundation.issuers.refresh();
        self.generation
            .upstreams
            .values()
            .for_each(|upstream| upstream.close_idle());
        self.generation.clients.values().for_each(|client| client.close_idle());
    }

    /// Says that it stops, then accepts no more, then waits for what runs, each for as long as configured.
    async fn stop(mut self) {
        self.enter(Phase::Leaving);
        tokio::time::sleep(self.generation.config.server.drain_delay).await;
        self.enter(Phase::Closing);
        let Self {
            listeners,
            workers,
            generation,
            admin,
            foundation,
            ..
        } = self;
        if tokio::time::timeout(generation.config.server.drain_timeout, listeners.ended())
            .await
            .is_err()
        {
            tracing::warn!("some exchanges did not end in time and are cut off");
        }
        foundation.telemetry.cut_off();
        workers.stop();
        drop(admin);
    }

    fn enter(&mut self, phase: Phase) {
        self.status.enter(phase);
        self.listeners.enter(phase);
    }
}

/// Reads the configuration. `seen` becomes how it and the files that it names looked before: what changes from now on
/// differs from it, and is loaded next time. That holds for a configuration that is refused, too.
fn read(file: &Path, seen: &mut Snapshot) -> Result<GatewayConfig, ConfigErrors> {
    *seen = Snapshot::take([file.to_owned()]);
    let Loaded {
        config,
        warnings,
        files,
    } = load_all(file);
    // What it includes may be what is wrong with it.
    seen.add(files);
    let config = config?;
    for warning in warnings.iter().chain(&warnings::of(&config)) {
        tracing::warn!("{warning}");
    }
    seen.add(watch::files(&config));
    Ok(config)
}
