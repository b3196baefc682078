//! The process: what is started in which order, what a reload changes, and how it all stops.
//!
//! One thread of its own, *control*, owns everything that changes: it assembles generations, opens and closes
//! listeners and waits for the end. Workers serve, `admin` answers operators; both only read what control publishes.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use gatewright_config::{AccessLogConfig, AccessLogOutput, ConfigErrors, GatewayConfig, ListenAddress, ListenerConfig};
use gatewright_wasm::{CompileLimits, Compiler, HostSettings, PluginError, PluginHost};
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::access_log::AccessLog;
use crate::admin::{self, AdminError};
use crate::assemble::{AssembleError, Foundation, Generation, assemble};
use crate::drain::{self, Drain, Drainer, Phase};
use crate::integrations::http::via;
use crate::listener::bind::{Bound, SocketFile, bind};
use crate::listener::{Settings, permits::Permits, tls::TlsError};
use crate::live::Live;
use crate::reload;
use crate::secret;
use crate::state::embedded::Embedded;
use crate::status::Status;
use crate::telemetry::{Metrics, Telemetry};
use crate::watch::{self, Snapshot};
use crate::workers::Workers;

/// What a process is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration file.
    pub config: PathBuf,
    /// Load anew when the configuration or a plugin changes.
    pub watch: bool,
    /// Where plugins are compiled.
    pub compiler: Compiler,
}

/// Why the gateway does not start, or a reload is not published. One message each, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration has mistakes.
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    /// Something that the configuration names cannot be made.
    #[error("{}{}: {source}", file.display(), source.line().map(|line| format!(":{line}")).unwrap_or_default())]
    Assemble {
        /// The configuration file.
        file: PathBuf,
        /// Why.
        source: Box<AssembleError>,
    },
    /// A listener's certificate or key cannot be used.
    #[error("listener `{listener}`: {source}")]
    Tls {
        /// The listener.
        listener: String,
        /// Why.
        source: Box<TlsError>,
    },
    /// A listener's address cannot be listened on.
    #[error("listener `{listener}`: cannot listen on {address}: {source}")]
    Bind {
        /// The listener.
        listener: String,
        /// Its address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The plugin engine cannot be started.
    #[error("cannot start the plugin engine: {0}")]
    Plugins(#[from] PluginError),
    /// The access log cannot be opened.
    #[error("access_log.output: cannot open {output}: {source}")]
    AccessLog {
        /// Where it should go.
        output: String,
        /// Why.
        source: io::Error,
    },
    /// The admin address cannot be served.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The system refuses threads or file descriptors.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// What control is asked to do.
pub enum Event {
    /// Something happened in a watched folder.
    FilesChanged,
    /// Load anew, and say the new generation's number or why there is none.
    Reload(oneshot::Sender<Result<u64, String>>),
}

/// A gateway that runs.
pub struct Running {
    /// TCP addresses of the listeners, by name.
    pub listeners: BTreeMap<String, SocketAddr>,
    /// The admin address.
    pub admin: Option<SocketAddr>,
    /// What the admin address shows.
    pub status: Arc<Status>,
    events: mpsc::UnboundedSender<Event>,
    // Not an event: it does not wait until what is being loaded is loaded.
    stopping: Arc<Notify>,
    control: Mutex<Option<JoinHandle<()>>>,
}

impl Running {
    /// Loads the configuration anew, some time soon. What comes of it is logged.
    pub fn reload_soon(&self) {
        let (sender, _) = oneshot::channel();
        let _ = self.events.send(Event::Reload(sender));
    }

    /// Loads the configuration anew and waits until it serves.
    ///
    /// # Errors
    /// Why it does not.
    pub fn reload(&self) -> Result<u64, String> {
        let (sender, receiver) = oneshot::channel();
        let _ = self.events.send(Event::Reload(sender));
        receiver
            .blocking_recv()
            .unwrap_or_else(|_| Err("the gateway is stopping".to_owned()))
    }

    /// Begins to stop. Returns at once.
    pub fn stop(&self) {
        self.stopping.notify_one();
    }

    /// Waits until everything has stopped.
    pub fn wait(&self) {
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(control) = control {
            let _ = control.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        self.wait();
    }
}

/// Checks a configuration file and, unless `file_only`, everything that it names. Opens no listener.
///
/// # Errors
/// Everything that is wrong with the file, or the first thing that is wrong with what it names.
pub fn check(file: &Path, file_only: bool, compiler: &Compiler) -> Result<(), StartError> {
    let config = gatewright_config::load(file)?;
    if file_only {
        return Ok(());
    }
    for (name, listener) in &config.listeners {
        Settings::new(name, listener).map_err(|source| StartError::Tls {
            listener: name.clone(),
            source: Box::new(source),
        })?;
    }
    if let Some(token) = config.admin.as_ref().and_then(|admin| admin.token.as_ref()) {
        secret::read(token).map_err(AdminError::from)?;
    }
    let metrics = Arc::new(Metrics::default());
    let config = GatewayConfig {
        access_log: AccessLogConfig {
            output: AccessLogOutput::Off,
        },
        ..config
    };
    let foundation = foundation(&config, &metrics, 1, compiler)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime
        .block_on(assemble(config, 1, &foundation, None))
        .map(drop)
        .map_err(|source| StartError::Assemble {
            file: file.to_owned(),
            source: Box::new(source),
        })
}

/// Starts a gateway; returns when it serves.
///
/// # Errors
/// Why it does not.
pub fn start(options: Options) -> Result<Running, StartError> {
    let (events, queue) = mpsc::unbounded_channel();
    let (started, result) = std::sync::mpsc::channel();
    let stopping = Arc::<Notify>::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (control_events, control_stopping) = (events.clone(), Arc::clone(&stopping));
    let control = std::thread::Builder::new().name("control".to_owned()).spawn(move || {
        runtime.block_on(async {
            match Control::start(options, control_events).await {
                Ok(control) => {
                    let _ = started.send(Ok(control.facts()));
                    control.run(queue, control_stopping).await;
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                }
            }
        });
    })?;
    let gone = || StartError::System(io::Error::other("the control thread ended"));
    let (listeners, admin, status) = result.recv().map_err(|_| gone())??;
    Ok(Running {
        listeners,
        admin,
        status,
        events,
        stopping,
        control: Mutex::new(Some(control)),
    })
}

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
    listeners: BTreeMap<String, Listener>,
    // Connections of listeners that a reload has closed, while there are some.
    closed: Vec<Drainer>,
    admin: Option<admin::Admin>,
}

/// A listener that is open.
struct Listener {
    address: ListenAddress,
    tcp_address: Option<SocketAddr>,
    settings: Arc<ArcSwap<Settings>>,
    permits: Permits,
    drainer: Drainer,
    _file: Option<SocketFile>,
}

/// A listener that could be opened and does not accept yet.
struct Opened {
    name: String,
    bound: Option<Bound>,
    settings: Settings,
    config: ListenerConfig,
}

impl Control {
    async fn start(options: Options, events: mpsc::UnboundedSender<Event>) -> Result<Self, StartError> {
        let mut seen = Snapshot::default();
        let config = read(&options.config, &mut seen)?;
        let workers = Workers::start(worker_count(&config))?;
        let metrics = Arc::new(Metrics::default());
        let foundation = foundation(&config, &metrics, workers.count(), &options.compiler)?;
        let status = Arc::<Status>::default();
        let (gateway, generation) =
            assemble(config, 1, &foundation, None)
                .await
                .map_err(|source| StartError::Assemble {
                    file: options.config.clone(),
                    source: Box::new(source),
                })?;
        let opened = open_listeners(&generation.config, &BTreeMap::new(), workers.count())?;
        let admin = match &generation.config.admin {
            Some(config) => Some(admin::start(
                config,
                registry(&metrics, &foundation),
                Arc::clone(&status),
                events.clone(),
            )?),
            None => None,
        };
        let mut control = Self {
            options,
            events,
            foundation,
            workers,
            live: Live::new(gateway),
            status,
            number: 1,
            generation,
            seen,
            listeners: BTreeMap::new(),
            closed: Vec::new(),
            admin,
        };
        control.listen(opened);
        control.published();
        Ok(control)
    }

    fn facts(&self) -> (BTreeMap<String, SocketAddr>, Option<SocketAddr>, Arc<Status>) {
        let address = |(name, listener): (&String, &Listener)| Some((name.clone(), listener.tcp_address?));
        let listeners = self.listeners.iter().filter_map(address).collect();
        (
            listeners,
            self.admin.as_ref().map(|admin| admin.address),
            Arc::clone(&self.status),
        )
    }

    /// Reacts to events until it is told to stop, and then stops.
    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Event>, stopping: Arc<Notify>) {
        let mut watcher = self.options.watch.then(|| reload::Watcher::new(&self));
        let mut tick = tokio::time::interval(reload::LOOK_INTERVAL);
        loop {
            let event = tokio::select! {
                () = stopping.notified() => break,
                Some(event) = queue.recv() => event,
                _ = tick.tick() => {
                    self.close_idle();
                    self.forget_closed();
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
        let (gateway, generation) = assemble(config, self.number + 1, &self.foundation, Some(&self.generation))
            .await
            .map_err(|source| StartError::Assemble {
                file,
                source: Box::new(source),
            })?;
        let opened = open_listeners(&generation.config, &self.listeners, self.workers.count())?;
        warn_of_fixed(&self.generation.config, &generation.config);
        // From here on nothing can fail.
        self.number += 1;
        self.live.publish(gateway);
        self.generation = generation;
        self.listen(opened);
        Ok(())
    }

    /// Accepts on new listeners, changes those that stay, and closes those that are not wanted any more.
    fn listen(&mut self, opened: Vec<Opened>) {
        let mut before = std::mem::take(&mut self.listeners);
        for Opened {
            name,
            bound,
            settings,
            config,
        } in opened
        {
            let listener = match (bound, before.remove(&name)) {
                (None, Some(mut listener)) => {
                    listener.permits.set(config.limits.connections);
                    listener.settings.store(Arc::new(settings));
                    listener
                }
                (Some(bound), replaced) => {
                    replaced.into_iter().for_each(|listener| self.close(listener));
                    self.accept(bound, settings, &config)
                }
                (None, None) => continue,
            };
            self.listeners.insert(name, listener);
        }
        before.into_values().for_each(|listener| self.close(listener));
    }

    /// Lets a listener's connections end in their own time, for which the end of the process waits.
    fn close(&mut self, listener: Listener) {
        listener.drainer.enter(Phase::Closing);
        self.closed.push(listener.drainer);
    }

    fn accept(&self, bound: Bound, settings: Settings, config: &ListenerConfig) -> Listener {
        let (drainer, drain): (Drainer, Drain) = drain::new();
        let settings = Arc::new(ArcSwap::from_pointee(settings));
        let permits = Permits::new(config.limits.connections);
        let tcp_address = bound.tcp_address();
        self.workers
            .listen(bound, &settings, permits.semaphore(), &self.live, &drain);
        let file = SocketFile::new(&config.address);
        Listener {
            address: config.address.clone(),
            tcp_address,
            settings,
            permits,
            drainer,
            _file: file,
        }
    }

    fn published(&self) {
        self.foundation.metrics.reloaded(Some(self.number));
        self.status
            .publish(&self.generation, self.number, self.options.config.clone());
    }

    fn close_idle(&self) {
        self.generation
            .upstreams
            .values()
            .for_each(|upstream| upstream.close_idle());
    }

    fn forget_closed(&mut self) {
        self.closed.retain_mut(|drainer| !drainer.has_ended());
    }

    /// Says that it stops, then accepts no more, then waits for what runs, each for as long as configured.
    async fn stop(self) {
        let server = &self.generation.config.server;
        self.enter(Phase::Leaving);
        tokio::time::sleep(server.drain_delay).await;
        self.enter(Phase::Closing);
        let Self {
            listeners,
            closed,
            workers,
            generation,
            admin,
            ..
        } = self;
        let all = async {
            let open = listeners.into_values().map(|listener| listener.drainer);
            for mut drainer in open.chain(closed) {
                drainer.ended().await;
            }
        };
        if tokio::time::timeout(generation.config.server.drain_timeout, all)
            .await
            .is_err()
        {
            tracing::warn!("some exchanges did not end in time and are cut off");
        }
        workers.stop();
        drop(admin);
    }

    fn enter(&self, phase: Phase) {
        self.status.enter(phase);
        self.listeners
            .values()
            .for_each(|listener| listener.drainer.enter(phase));
    }
}

/// Reads the configuration. `seen` becomes how it and the files that it names looked before: what changes from now on
/// differs from it, and is loaded next time. That holds for a configuration that is refused, too.
fn read(file: &Path, seen: &mut Snapshot) -> Result<GatewayConfig, ConfigErrors> {
    *seen = Snapshot::take([file.to_owned()]);
    let config = gatewright_config::load(file)?;
    seen.add(watch::files(&config));
    Ok(config)
}

fn worker_count(config: &GatewayConfig) -> usize {
    match config.server.workers {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        count => count,
    }
}

fn foundation(
    config: &GatewayConfig,
    metrics: &Arc<Metrics>,
    workers: usize,
    compiler: &Compiler,
) -> Result<Foundation, StartError> {
    let output = &config.access_log.output;
    let access_log = AccessLog::open(output, metrics.dropped_records()).map_err(|source| StartError::AccessLog {
        output: match output {
            AccessLogOutput::File(path) => path.display().to_string(),
            AccessLogOutput::Stdout | AccessLogOutput::Off => "standard output".to_owned(),
        },
        source,
    })?;
    let plugins = PluginHost::new(HostSettings {
        store: config.plugins.store.clone(),
        instances: config.plugins.instances,
        file_bytes: config.plugins.file_bytes.0,
        workers,
        compiler: compiler.clone(),
        compile: CompileLimits {
            time: config.plugins.compile_time,
            memory: config.plugins.compile_memory,
        },
    })?;
    Ok(Foundation {
        plugins,
        state: Arc::new(Embedded::default()),
        telemetry: Telemetry::new(Arc::clone(metrics), access_log),
        metrics: Arc::clone(metrics),
        via: via(),
        workers,
    })
}

fn registry(metrics: &Metrics, foundation: &Foundation) -> Registry {
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    foundation.plugins.register_metrics(&mut registry);
    registry
}

/// Opens what the configuration wants and is not open yet.
fn open_listeners(
    config: &GatewayConfig,
    open: &BTreeMap<String, Listener>,
    workers: usize,
) -> Result<Vec<Opened>, StartError> {
    let mut opened = Vec::new();
    for (name, config) in &config.listeners {
        let settings = Settings::new(name, config).map_err(|source| StartError::Tls {
            listener: name.clone(),
            source: Box::new(source),
        })?;
        let is_open = open
            .get(name)
            .is_some_and(|listener| listener.address == config.address);
        let bound = match is_open {
            true => None,
            false => Some(bind(&config.address, workers).map_err(|source| StartError::Bind {
                listener: name.clone(),
                address: shown(&config.address),
                source,
            })?),
        };
        opened.push(Opened {
            name: name.clone(),
            bound,
            settings,
            config: config.clone(),
        });
    }
    Ok(opened)
}

fn shown(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Tcp(address) => address.to_string(),
        ListenAddress::Unix(path) => format!("unix:{}", path.display()),
    }
}

/// Says which changes wait for a restart.
fn warn_of_fixed(before: &GatewayConfig, after: &GatewayConfig) {
    let fixed = [
        ("server.workers", before.server.workers != after.server.workers),
        ("admin", before.admin != after.admin),
        ("access_log", before.access_log != after.access_log),
        ("plugins.store", before.plugins.store != after.plugins.store),
        ("plugins.instances", before.plugins.instances != after.plugins.instances),
        (
            "plugins.file_bytes",
            before.plugins.file_bytes != after.plugins.file_bytes,
        ),
        (
            "plugins.compile_time",
            before.plugins.compile_time != after.plugins.compile_time,
        ),
        (
            "plugins.compile_memory",
            before.plugins.compile_memory != after.plugins.compile_memory,
        ),
    ];
    for (key, _) in fixed.iter().filter(|(_, changed)| *changed) {
        tracing::warn!(key, "this change takes effect when the gateway is restarted");
    }
}
