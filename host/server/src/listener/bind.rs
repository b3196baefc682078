//! Opening a listener's sockets.

use std::fs::Permissions;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use gatewright_config::ListenAddress;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Connections that wait in the kernel to be accepted; it takes less if `net.core.somaxconn` says so.
const BACKLOG: i32 = 4096;

/// A socket that listens.
#[derive(Debug)]
pub enum Bound {
    /// TCP: a socket for each worker, among which the kernel spreads connections.
    Tcp(Vec<std::net::TcpListener>),
    /// A Unix domain socket, which all workers share.
    Unix(Vec<std::os::unix::net::UnixListener>),
}

impl Bound {
    /// The address that a TCP listener got.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(sockets) => sockets.first()?.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }
}

/// The file of a Unix domain socket; removed when dropped.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl SocketFile {
    /// The file of that address, if it has one.
    pub fn new(address: &ListenAddress) -> Option<Self> {
        match address {
            ListenAddress::Unix(path) => Some(Self(path.clone())),
            ListenAddress::Tcp(_) => None,
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Opens sockets for as many workers; `mode` is that of a Unix socket's file.
///
/// # Errors
/// When the address is in use or may not be listened on.
pub fn bind(address: &ListenAddress, mode: Option<u32>, workers: usize) -> io::Result<Bound> {
    match address {
        ListenAddress::Tcp(address) => bind_tcp(*address, workers).map(Bound::Tcp),
        ListenAddress::Unix(path) => bind_unix(path, mode, workers),
    }
}

/// Sets the permissions of a Unix socket's file, if there are any to set.
///
/// # Errors
/// What the system says.
pub fn set_mode(address: &ListenAddress, mode: Option<u32>) -> io::Result<()> {
    match (address, mode) {
        (ListenAddress::Unix(path), Some(mode)) => std::fs::set_permissions(path, Permissions::from_mode(mode)),
        _ => Ok(()),
    }
}

fn bind_tcp(address: SocketAddr, workers: usize) -> io::Result<Vec<std::net::TcpListener>> {
    // Sockets that share a port share it with any other process of the same user. A first socket that does not share
    // finds out whether the port is free.
    if address.port() != 0 {
        drop(tcp_socket(address, false)?);
    }
    let first = tcp_socket(address, true)?;
    let address = first.local_addr()?.as_socket().unwrap_or(address);
    let mut listeners = vec![first.into()];
    for _ in 1..workers {
        listeners.push(tcp_socket(address, true)?.into());
    }
    Ok(listeners)
}

fn tcp_socket(address: SocketAddr, share: bool) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    // Connections of a former process that are still closing are no reason not to start.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

fn bind_unix(path: &Path, mode: Option<u32>, workers: usize) -> io::Result<Bound> {
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    if let Some(mode) = mode {
        // Nobody can connect before it listens.
        std::fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    socket.listen(BACKLOG)?;
    let listener = std::os::unix::net::UnixListener::from(socket);
    Ok(Bound::Unix(
        (0..workers.max(1))
            .map(|_| listener.try_clone())
            .collect::<io::Result<_>>()?,
    ))
}

/// Removes the socket of a process that is gone. Another kind of file, or one that is answered on, stays.
fn remove_stale(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
            Err(_) => std::fs::remove_file(path),
        },
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "a file that is not a socket is in the way",
        )),
        Err(_) => Ok(()),
    }
}
