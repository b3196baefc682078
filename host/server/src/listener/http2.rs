//! A client's connection of HTTP/2: its streams, and how it ends.
//!
//! The frames are the `h2` crate's. What is decided here is what a client may hold: a stream whose client takes nothing of
//! its response is reset, and a connection that costs without asking is told to calm down and closed.

pub mod body;
pub mod frames;

mod stream;

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server;

use crate::drain::Drain;
use crate::listener::Settings;
use crate::listener::connection::Connection;
use crate::listener::guard::{Farewell, Guard};
use crate::listener::socket::Transport;

/// What a client may send of bodies before it is told that somebody has taken it, of one stream and of all together.
const WINDOW_BYTES: u32 = 1024 * 1024;
/// What waits to be written, of all streams together.
const SEND_BUFFER_BYTES: usize = 400 * 1024;
/// Streams that the gateway has reset for what the client made of them, before it gives the connection up.
const MALFORMED_STREAMS: usize = 64;

type Connected = server::Connection<Guard<Transport>, Bytes>;

/// What ends a connection.
enum Event {
    /// The client, or what is between.
    Over(Result<(), h2::Error>),
    /// The gateway wants its clients to go.
    Parting,
    /// The guard has had enough.
    Enough(Farewell),
}

/// Serves the streams of a connection until one side has had enough.
///
/// # Errors
/// When the connection breaks, or the client does not speak HTTP/2.
pub async fn serve(
    guard: Guard<Transport>,
    connection: &Arc<Connection>,
    settings: &Settings,
    mut drain: Drain,
) -> Result<(), h2::Error> {
    let header_bytes = u32::try_from(settings.header_bytes).unwrap_or(u32::MAX);
    let handshake = server::Builder::new()
        .initial_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .max_local_error_reset_streams(Some(MALFORMED_STREAMS))
        .max_concurrent_streams(settings.streams)
        .max_header_list_size(header_bytes)
        .handshake::<_, Bytes>(guard);
    let mut streams = handshake.await?;
    let mut parting = pin!(drain.parting());
    let mut is_parting = false;
    let mut farewell = None;
    loop {
        let event = poll_fn(|context| {
            if farewell.is_none()
                && let Some(enough) = connection.watch.farewell()
            {
                return Poll::Ready(Event::Enough(enough));
            }
            if !is_parting && parting.as_mut().poll(context).is_ready() {
                return Poll::Ready(Event::Parting);
            }
            // The guard looks at bytes while the streams are polled.
            while let Poll::Ready(opened) = poll_opened(&mut streams, connection, context) {
                if let Some(result) = opened {
                    return Poll::Ready(Event::Over(result));
                }
                if farewell.is_none() && connection.watch.farewell().is_some() {
                    break;
                }
            }
            match connection.watch.farewell() {
                Some(enough) if farewell.is_none() => Poll::Ready(Event::Enough(enough)),
                _ => Poll::Pending,
            }
        });
        match event.await {
            Event::Over(result) => return result,
            Event::Parting => {
                is_parting = true;
                streams.graceful_shutdown();
            }
            Event::Enough(enough) => {
                farewell = Some(enough);
                streams.abrupt_shutdown(enough.reason());
            }
        }
    }
}

/// Serves the stream that the client opens next; how the connection has ended where there is none.
fn poll_opened(
    streams: &mut Connected,
    connection: &Arc<Connection>,
    context: &mut Context<'_>,
) -> Poll<Option<Result<(), h2::Error>>> {
    match ready!(pin!(streams.accept()).poll(context)) {
        None => Poll::Ready(Some(Ok(()))),
        Some(Err(error)) => Poll::Ready(Some(Err(error))),
        Some(Ok((request, respond))) => {
            // Boxed: the runtime moves what it is given several times.
            tokio::spawn(Box::pin(stream::serve(Arc::clone(connection), request, respond)));
            Poll::Ready(None)
        }
    }
}
