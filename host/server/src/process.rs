//! The process: what others see of it, from its start to its end.
//!
//! One thread of its own, *control*, owns everything that changes: it assembles generations, opens and closes
//! listeners and waits for the end. Workers serve, `admin` answers operators; both only read what control publishes.
//!
//! - `control`: the loop of that thread, with reload and stop
//! - `listeners`: which addresses are listened on
//! - `facts`: what metrics say of a generation
//! - `foundation`: what is made once, and no reload changes
//! - `check`: all of it without serving; `lock`: the plugins alone, to approve them
//! - `explain`: all of it for one request

mod check;
mod control;
mod error;
mod examine;
mod explain;
mod facts;
mod foundation;
mod listeners;
mod lock;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use gatewright_wasm::Compiling;
use tokio::sync::{Notify, mpsc, oneshot};

pub use self::check::{Checked, Thoroughness, check};
pub(crate) use self::control::Control;
use self::control::Facts;
pub use self::error::StartError;
pub use self::explain::{ExplainError, Question, explain};
pub use self::lock::{Locking, lock};
use crate::status::Status;
use crate::telemetry::Telemetry;

/// What a process is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration file.
    pub config: PathBuf,
    /// Load anew when the configuration or a plugin changes.
    pub watch: bool,
    /// Where plugins are compiled, and who is told of it.
    pub compiler: Compiling,
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
    telemetry: Arc<Telemetry>,
    control: Mutex<Option<JoinHandle<()>>>,
}

impl Running {
    /// Opens the files of logs anew, some time soon: those that are open may have been moved or removed.
    pub fn reopen_logs(&self) {
        self.telemetry.reopen_log();
    }

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
    let Facts {
        listeners,
        admin,
        status,
        telemetry,
    } = result.recv().map_err(|_| gone())??;
    Ok(Running {
        listeners,
        admin,
        status,
        telemetry,
        events,
        stopping,
        control: Mutex::new(Some(control)),
    })
}
