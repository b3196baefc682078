//! The accept loop: never ends on an error, and never waits for a client.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use gatewright_core::ClientAddress;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::descriptors;
use crate::drain::Drain;
use crate::listener::Settings;
use crate::listener::connection;
use crate::listener::guard::Watch;
use crate::listener::shedding::OpenConnections;
use crate::listener::socket::Socket;
use crate::live::Live;

/// How long to wait when the process has run out of something: file descriptors, memory.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
/// How often that is said: the log may be on a disk, and has no use for more.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);

/// A listening socket, as one worker has it, and how many connections it may have open.
pub struct Acceptor {
    /// The socket.
    pub socket: ListeningSocket,
    /// A permit for each connection, shared by the listener's workers.
    pub connections: Arc<Semaphore>,
    /// The connections that there are, of all listeners.
    pub open: Arc<OpenConnections>,
}

/// A listening socket.
pub enum ListeningSocket {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix domain socket.
    Unix(UnixListener),
}

/// Accepts connections until told to close, each served by a task of its own.
pub async fn run(acceptor: Acceptor, settings: Arc<ArcSwap<Settings>>, live: Live, mut drain: Drain) {
    let mut shortage = Shortage::default();
    loop {
        let connection_drain = drain.clone();
        let accepted = tokio::select! {
            biased;
            () = drain.closing() => return,
            accepted = acceptor.accept() => accepted,
        };
        match accepted {
            Ok((socket, address, permit)) => {
                let (settings, live, open) = (settings.load_full(), live.clone(), Arc::clone(&acceptor.open));
                tokio::spawn(async move {
                    let watch = Watch::new();
                    let place = open.enter(&watch).await;
                    connection::serve(socket, address, settings, live, connection_drain, watch).await;
                    drop((place, permit));
                });
            }
            Err(error) if is_connection_error(&error) => {}
            Err(error) => {
                if descriptors::are_exhausted(&error) {
                    shortage.shed += acceptor.open.make_room();
                }
                shortage.complain(&settings.load().name, &error);
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

/// What is said of connections that cannot be accepted.
#[derive(Default)]
struct Shortage {
    said_at: Option<Instant>,
    // Idle connections asked to end since then.
    shed: usize,
}

impl Shortage {
    fn complain(&mut self, listener: &str, error: &io::Error) {
        if self.said_at.is_some_and(|at| at.elapsed() < COMPLAINT_INTERVAL) {
            return;
        }
        let shed = std::mem::take(&mut self.shed);
        tracing::warn!(listener, %error, shed, "cannot accept connections; trying again");
        self.said_at = Some(Instant::now());
    }
}

impl Acceptor {
    /// Accepts a client and waits until it may be served; the others wait in the kernel's backlog.
    ///
    /// The permit comes second: the kernel gives each client to one worker, and a permit that another worker held while
    /// it waits for clients would be missing here.
    async fn accept(&self) -> io::Result<(Socket, ClientAddress, OwnedSemaphorePermit)> {
        let (socket, address) = self.accept_socket().await?;
        let permit = Arc::clone(&self.connections)
            .acquire_owned()
            .await
            .map_err(io::Error::other)?;
        Ok((socket, address, permit))
    }

    async fn accept_socket(&self) -> io::Result<(Socket, ClientAddress)> {
        Ok(match &self.socket {
            ListeningSocket::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // Responses are written whole; waiting to put more into a packet only delays them.
                stream.set_nodelay(true)?;
                (Socket::Tcp(stream), ClientAddress::Tcp(address))
            }
            ListeningSocket::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                (Socket::Unix(stream), ClientAddress::Unix)
            }
        })
    }
}

/// Whether the error is one connection's, which the client gave up before it was accepted.
fn is_connection_error(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::NotConnected
            | io::ErrorKind::InvalidInput
    )
}
