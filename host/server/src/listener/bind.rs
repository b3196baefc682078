//! Opening a listener's sockets.

use std::fs::Permissions;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use gatewright_config::{ConfigError, ListenAddress, Place};
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

/// What is wrong where an address cannot be listened on.
pub fn mistake(place: &Place, who: &str, address: &ListenAddress, error: &io::Error) -> ConfigError {
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => "the address is in use".to_owned(),
        _ => gatewright_config::reason(error),
    };
    let hint = match (error.kind(), address) {
        (io::ErrorKind::AddrInUse, _) => "stop the process that listens there, or write another address",
        (io::ErrorKind::AddrNotAvailable, _) => "write an address of this machine, or 0.0.0.0 or [::] for all of them",
        (io::ErrorKind::PermissionDenied, ListenAddress::Tcp(_)) => {
            "write a port above 1023, or give the process the capability CAP_NET_BIND_SERVICE"
        }
        (io::ErrorKind::PermissionDenied, ListenAddress::Unix(_)) => "let this user write in the folder of the socket",
        (io::ErrorKind::NotFound | io::ErrorKind::NotADirectory, _) => {
            "make the folder of the socket, which is not there"
        }
        (io::ErrorKind::AlreadyExists, _) => "move it away, or write another path",
        _ => "write another address",
    };
    place
        .mistake(format_args!("{who}: cannot listen on {}: {reason}", shown(address)))
        .with_hint(hint)
}

/// An address as a configuration has it.
pub fn shown(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Tcp(address) => address.to_string(),
        ListenAddress::Unix(path) => format!("unix:{}", path.display()),
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

/// Whether an address can be listened on, as far as can be told without listening: whoever connects meanwhile is refused.
///
/// # Errors
/// When it is in use or may not be listened on.
pub fn probe(address: &ListenAddress) -> io::Result<()> {
    match address {
        ListenAddress::Tcp(address) => tcp_socket(*address, false).map(drop),
        ListenAddress::Unix(path) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            if !std::fs::metadata(folder.unwrap_or(Path::new(".")))?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            is_free(path).map(drop)
        }
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
        drop(listening(tcp_socket(address, false)?)?);
    }
    let first = listening(tcp_socket(address, true)?)?;
    let address = first.local_addr()?.as_socket().unwrap_or(address);
    let mut listeners = vec![first.into()];
    for _ in 1..workers {
        listeners.push(listening(tcp_socket(address, true)?)?.into());
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
    Ok(socket)
}

fn listening(socket: Socket) -> io::Result<Socket> {
    socket.listen(BACKLOG)?;
    Ok(socket)
}

fn bind_unix(path: &Path, mode: Option<u32>, workers: usize) -> io::Result<Bound> {
    if let Found::Stale = is_free(path)? {
        std::fs::remove_file(path)?;
    }
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

/// Where a Unix socket is to be.
enum Found {
    Nothing,
    /// The socket of a process that is gone.
    Stale,
}

/// Another kind of file, or a socket that is answered on, is in the way.
fn is_free(path: &Path) -> io::Result<Found> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
            Err(_) => Ok(Found::Stale),
        },
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "a file that is not a socket is in the way",
        )),
        Err(_) => Ok(Found::Nothing),
    }
}
