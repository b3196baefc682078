//! The threads that serve requests, each with a runtime of its own: what a worker opens stays with it, and nothing on a
//! request's way is shared with another worker.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use gatewright_core::worker;
use prometheus_client::metrics::counter::Counter;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, mpsc};

use crate::drain::Drain;
use crate::listener::Settings;
use crate::listener::accept::{self, Acceptor, ListeningSocket};
use crate::listener::bind::Bound;
use crate::listener::shedding::OpenConnections;
use crate::live::Live;

/// The threads that serve requests.
pub struct Workers {
    commands: Vec<mpsc::UnboundedSender<Listen>>,
    threads: Vec<JoinHandle<()>>,
    open: Arc<OpenConnections>,
}

/// A socket for one worker to accept on.
struct Listen {
    socket: StdSocket,
    settings: Arc<ArcSwap<Settings>>,
    connections: Arc<Semaphore>,
    open: Arc<OpenConnections>,
    live: Live,
    drain: Drain,
}

enum StdSocket {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

impl Workers {
    /// Starts so many threads. `shed` counts connections that have to make room for others.
    ///
    /// # Errors
    /// When the system gives no more threads or file descriptors.
    pub fn start(count: usize, shed: Counter) -> io::Result<Self> {
        let mut workers = Self {
            commands: Vec::new(),
            threads: Vec::new(),
            open: OpenConnections::new(count, shed),
        };
        for index in 0..count {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let (sender, commands) = mpsc::unbounded_channel();
            let serve = move || {
                worker::enter(index);
                runtime.block_on(serve(commands));
                // Whatever is left has had its time.
                runtime.shutdown_background();
            };
            workers.threads.push(
                std::thread::Builder::new()
                    .name(format!("worker-{index}"))
                    .spawn(serve)?,
            );
            workers.commands.push(sender);
        }
        Ok(workers)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.commands.len()
    }

    /// Accepts on a listener's sockets, one for each worker.
    pub fn listen(
        &self,
        bound: Bound,
        settings: &Arc<ArcSwap<Settings>>,
        connections: &Arc<Semaphore>,
        live: &Live,
        drain: &Drain,
    ) {
        let sockets: Vec<StdSocket> = match bound {
            Bound::Tcp(sockets) => sockets.into_iter().map(StdSocket::Tcp).collect(),
            Bound::Unix(sockets) => sockets.into_iter().map(StdSocket::Unix).collect(),
        };
        for (worker, socket) in self.commands.iter().zip(sockets) {
            let listen = Listen {
                socket,
                settings: Arc::clone(settings),
                connections: Arc::clone(connections),
                open: Arc::clone(&self.open),
                live: live.clone(),
                drain: drain.clone(),
            };
            // A worker only ends when the process does.
            let _ = worker.send(listen);
        }
    }

    /// Ends the threads; what they still serve is cut off.
    pub fn stop(self) {
        let Self {
            commands,
            threads,
            open: _,
        } = self;
        drop(commands);
        for thread in threads {
            let _ = thread.join();
        }
    }
}

async fn serve(mut commands: mpsc::UnboundedReceiver<Listen>) {
    while let Some(Listen {
        socket,
        settings,
        connections,
        open,
        live,
        drain,
    }) = commands.recv().await
    {
        let socket = match socket {
            StdSocket::Tcp(socket) => TcpListener::from_std(socket).map(ListeningSocket::Tcp),
            StdSocket::Unix(socket) => UnixListener::from_std(socket).map(ListeningSocket::Unix),
        };
        match socket {
            Ok(socket) => {
                let acceptor = Acceptor {
                    socket,
                    connections,
                    open,
                };
                tokio::spawn(accept::run(acceptor, settings, live, drain));
            }
            Err(error) => tracing::error!(%error, "cannot listen in this worker"),
        }
    }
}
