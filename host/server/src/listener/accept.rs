//! The accept loop: never ends on an error, and never waits for a client.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use gatewright_core::ClientAddress;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::descriptors;
use crate::drain::Drain;
use crate::listener::Settings;
use crate::listener::connection;
use crate::listener::guard::{Counted, Watch};
use crate::listener::newcomers;
use crate::listener::shedding::OpenConnections;
use crate::listener::socket::Socket;
use crate::live::Live;

/// How long to wait when the process has run out of something: file descriptors, memory.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
/// How long a client may take from its first packet to the one that makes its connection.
const LAST_CALL: Duration = Duration::from_millis(200);
/// How long it may take to serve the backlog then. It is longer only where the system keeps letting clients in.
const LAST_ORDERS: Duration = Duration::from_secs(1);
/// How many looks have to find nobody: on a busy machine the kernel may be about to list a client.
const QUIET_LOOKS: u32 = 2;
/// How often to look for such clients.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
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

/// Accepts connections until told to close, each served by a task of its own, and at the end those that the kernel has
/// accepted already: to their clients they are open.
pub async fn run(acceptor: Acceptor, settings: Arc<ArcSwap<Settings>>, live: Live, mut drain: Drain) {
    let mut shortage = Shortage::default();
    let serving = Serving {
        settings,
        live,
        drain: drain.clone(),
        open: Arc::clone(&acceptor.open),
    };
    let mut waiting = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = drain.closing() => break,
            accepted = acceptor.socket.accept() => accepted,
        };
        match accepted {
            Ok(accepted) => {
                // The permit comes second: the kernel gives each client to one worker, and a permit that another worker
                // held while it waits for clients would be missing here. The others wait in the kernel's backlog.
                tokio::select! {
                    biased;
                    permit = Arc::clone(&acceptor.connections).acquire_owned() => serving.serve(accepted, permit),
                    () = drain.closing() => {
                        waiting.push_back(accepted);
                        break;
                    }
                }
            }
            Err(error) if is_connection_error(&error) => {}
            Err(error) => {
                if descriptors::are_exhausted(&error) {
                    shortage.shed += acceptor.open.make_room();
                }
                shortage.complain(&serving.settings.load().name, &error);
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
    let Acceptor {
        socket, connections, ..
    } = acceptor;
    serving.last_call(socket, &connections, waiting).await;
}

/// A client, accepted.
type Accepted = (Socket, ClientAddress);

/// What connections are served with.
struct Serving {
    settings: Arc<ArcSwap<Settings>>,
    live: Live,
    drain: Drain,
    open: Arc<OpenConnections>,
}

impl Serving {
    fn serve(&self, (socket, address): Accepted, permit: Result<OwnedSemaphorePermit, AcquireError>) {
        // The semaphore is never closed.
        let Ok(permit) = permit else { return };
        let (settings, live, drain) = (self.settings.load_full(), self.live.clone(), self.drain.clone());
        let open = Arc::clone(&self.open);
        tokio::spawn(async move {
            let numbers = settings.numbers.clone();
            let _open = Counted::one(&numbers.connections);
            let watch = Watch::counting(numbers.requests);
            let place = open.enter(&watch).await;
            connection::serve(socket, address, settings, live, drain, watch).await;
            drop((place, permit));
        });
    }

    /// Takes no new clients any more, waits for those whose handshake with the kernel is under way, closes the socket, and
    /// serves everybody who was waiting. Closing it at once would reset the connections in its backlog.
    async fn last_call(&self, socket: ListeningSocket, connections: &Arc<Semaphore>, mut waiting: VecDeque<Accepted>) {
        socket.refuse_newcomers();
        let now = Instant::now();
        let (until, at_the_latest) = (now + LAST_CALL, now + LAST_CALL + LAST_ORDERS);
        let mut quiet_looks = 0;
        while quiet_looks < QUIET_LOOKS {
            // Before the backlog is emptied: whoever was on the way and is not any more is there.
            let others_come = Instant::now() < until && socket.has_newcomers();
            quiet_looks = if others_come { 0 } else { quiet_looks + 1 };
            while Instant::now() < at_the_latest
                && let Ok(accepted) = tokio::time::timeout(LOOK_INTERVAL, socket.accept()).await
            {
                match accepted {
                    Ok(accepted) => match Arc::clone(connections).try_acquire_owned() {
                        Ok(permit) => self.serve(accepted, Ok(permit)),
                        Err(_) => waiting.push_back(accepted),
                    },
                    Err(error) if is_connection_error(&error) => {}
                    Err(_) if Instant::now() < until => tokio::time::sleep(LOOK_INTERVAL).await,
                    Err(_) => break,
                }
            }
        }
        drop(socket);
        for accepted in waiting {
            let permit = Arc::clone(connections).acquire_owned().await;
            self.serve(accepted, permit);
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

impl ListeningSocket {
    async fn accept(&self) -> io::Result<Accepted> {
        Ok(match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // Responses are written whole; waiting to put more into a packet only delays them.
                stream.set_nodelay(true)?;
                (Socket::Tcp(stream), ClientAddress::Tcp(address))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                (Socket::Unix(stream), ClientAddress::Unix)
            }
        })
    }

    /// Lets no new client into the backlog, but those that are on their way. Those of a Unix socket come by its file, which
    /// is gone by now.
    fn refuse_newcomers(&self) {
        if let Self::Tcp(listener) = self {
            newcomers::refuse(listener);
        }
    }

    /// Whether a client may be on its way. To connect to a Unix socket takes no time.
    fn has_newcomers(&self) -> bool {
        match self {
            Self::Tcp(listener) => newcomers::are_on_their_way(listener),
            Self::Unix(_) => false,
        }
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
