//! The accept loop: never ends on an error, and never waits for a client.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use gatewright_core::ClientAddress;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::drain::Drain;
use crate::listener::Settings;
use crate::listener::connection;
use crate::listener::socket::Socket;
use crate::live::Live;

/// How long to wait when the process has run out of something: file descriptors, memory.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// A listening socket, as one worker has it, and how many connections it may have open.
pub struct Acceptor {
    /// The socket.
    pub socket: ListeningSocket,
    /// A permit for each connection, shared by the listener's workers.
    pub connections: Arc<Semaphore>,
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
    let mut exhausted = false;
    loop {
        let connection_drain = drain.clone();
        let accepted = tokio::select! {
            biased;
            () = drain.closing() => return,
            accepted = acceptor.accept() => accepted,
        };
        match accepted {
            Ok((socket, address, permit)) => {
                exhausted = false;
                let (settings, live) = (settings.load_full(), live.clone());
                tokio::spawn(async move {
                    connection::serve(socket, address, settings, live, connection_drain).await;
                    drop(permit);
                });
            }
            Err(error) if is_connection_error(&error) => {}
            Err(error) => {
                // Once for each time that it begins: the log may be on a disk, and has no use for the rest.
                if !std::mem::replace(&mut exhausted, true) {
                    tracing::warn!(listener = %settings.load().name, %error, "cannot accept connections; trying again");
                }
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
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
