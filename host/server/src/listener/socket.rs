//! A client's socket, whichever kind it is, with or without TLS.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

/// A connected socket.
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix domain socket.
    Unix(UnixStream),
}

/// A socket as HTTP sees it. One type for all kinds, so that hyper's code is there only once.
pub enum Transport {
    /// Cleartext.
    Plain(Socket),
    /// TLS.
    Tls(Box<TlsStream<Socket>>),
}

impl Socket {
    /// Waits for the client's first bytes and looks at them without taking them.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn peek<'b>(&self, buffer: &'b mut [u8; 4]) -> io::Result<&'b [u8]> {
        let count = match self {
            Self::Tcp(stream) => stream.async_io(Interest::READABLE, || peek(stream, buffer)).await?,
            Self::Unix(stream) => stream.async_io(Interest::READABLE, || peek(stream, buffer)).await?,
        };
        Ok(buffer.get(..count).unwrap_or_default())
    }
}

impl Transport {
    /// Sees to it that the other side is told of an error when the connection is closed. What is still on its way may be
    /// lost.
    pub fn reset(&self) {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref().0,
        };
        if let Socket::Tcp(stream) = socket {
            // It is being closed in any case.
            let _ = set_socket_linger(stream, Some(Duration::ZERO));
        }
    }
}

fn peek(socket: impl AsFd, buffer: &mut [u8; 4]) -> io::Result<usize> {
    let (_, count) = recv(socket, &mut buffer[..], RecvFlags::PEEK)?;
    Ok(count)
}

macro_rules! delegate {
    ($type:ident, $($variant:ident),*) => {
        impl AsyncRead for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                match self.get_mut() { $(Self::$variant(inner) => Pin::new(inner).poll_read(context, buffer),)* }
            }
        }

        impl AsyncWrite for $type {
            fn poll_write(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                match self.get_mut() { $(Self::$variant(inner) => Pin::new(inner).poll_write(context, bytes),)* }
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                slices: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                match self.get_mut() {
                    $(Self::$variant(inner) => Pin::new(inner).poll_write_vectored(context, slices),)*
                }
            }

            fn is_write_vectored(&self) -> bool {
                match self { $(Self::$variant(inner) => inner.is_write_vectored(),)* }
            }

            fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() { $(Self::$variant(inner) => Pin::new(inner).poll_flush(context),)* }
            }

            fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() { $(Self::$variant(inner) => Pin::new(inner).poll_shutdown(context),)* }
            }
        }
    };
}

delegate!(Socket, Tcp, Unix);
delegate!(Transport, Plain, Tls);
