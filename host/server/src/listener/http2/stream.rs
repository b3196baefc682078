//! One stream of a client's connection: its request goes to the gateway, and the answer goes out no faster than the client
//! takes it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use gatewright_core::Interim;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Method, StatusCode, header};
use http_body::Body as _;
use tokio::time::Instant;

use super::body::StreamBody;
use crate::alarm::Alarm;
use crate::answer::AnswerBody;
use crate::fields;
use crate::gateway::Answer;
use crate::listener::connection::Connection;
use crate::listener::interim::Interims;
use crate::received::Received;

/// How much of the connection's window a stream asks for at once.
const PIECE_BYTES: usize = 64 * 1024;
/// What a stream that its client resets this soon was good for.
const PREMATURE: std::time::Duration = std::time::Duration::from_secs(1);

/// Why a stream ends before its response has.
enum End {
    /// The client has reset it, or the connection is gone.
    Gone,
    /// The client has taken nothing for too long.
    Stalled,
    /// The response breaks off.
    Broken(Reason),
}

/// Serves one request. Runs in a task of its own.
pub(super) async fn serve(
    connection: Arc<Connection>,
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let begun = Instant::now();
    let method = request.method().clone();
    let (parts, stream) = request.into_parts();
    let body = Received::Http2(StreamBody::new(stream, &parts.headers));
    let interims = Interims::new();
    let request = http::Request::from_parts(parts, body);
    let taker: Arc<dyn Interim> = Arc::clone(&interims) as _;
    // Pinned here: in a function of its own it would be kept twice.
    let handling = pin!(Arc::clone(&connection).handle(request, Some(taker)));
    let Some(answer) = answer(handling, &mut respond, &interims).await else {
        return connection.watch.was_reset(begun.elapsed() < PREMATURE);
    };
    let (mut head, body) = answer.into_parts();
    prepare(&mut head.headers);
    let has_content = method != Method::HEAD
        && !matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        && !body.is_end_stream();
    if let Some(length) = body.size_hint().exact().filter(|length| *length > 0)
        && !matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    {
        head.headers
            .entry(header::CONTENT_LENGTH)
            .or_insert_with(|| length.into());
    }
    let head = http::Response::from_parts(head, ());
    let Ok(stream) = respond.send_response(head, !has_content) else {
        respond.send_reset(Reason::INTERNAL_ERROR);
        return;
    };
    if !has_content {
        return;
    }
    let mut sending = Sending {
        stream,
        body: Box::pin(body),
        connection: &connection,
        alarm: Alarm::default(),
    };
    match sending.run().await {
        Ok(()) => {}
        Err(End::Gone) => {
            sending.body.as_mut().unsent();
            connection.watch.was_reset(begun.elapsed() < PREMATURE);
        }
        Err(End::Stalled) => {
            sending.body.as_mut().stalled();
            sending.stream.send_reset(Reason::CANCEL);
        }
        Err(End::Broken(reason)) => sending.stream.send_reset(reason),
    }
}

/// The gateway's answer; none when the client resets the stream before there is one. Interim responses go out meanwhile.
async fn answer(
    mut handling: Pin<&mut impl Future<Output = Answer>>,
    respond: &mut SendResponse<Bytes>,
    interims: &Interims,
) -> Option<Answer> {
    poll_fn(|context| {
        if respond.poll_reset(context).is_ready() {
            return Poll::Ready(None);
        }
        interims.register(context.waker());
        let answer = handling.as_mut().poll(context);
        if interims.any() {
            // A client that is gone is found out above.
            let _ = interims
                .take()
                .into_iter()
                .try_for_each(|interim| respond.send_informational(interim));
            interims.sent();
        }
        answer.map(Some)
    })
    .await
}

/// Takes away what HTTP/2 has no place for, and says when the response was made.
fn prepare(headers: &mut HeaderMap) {
    for name in fields::CONNECTION_SPECIFIC {
        headers.remove(name);
    }
    headers.entry(header::DATE).or_insert_with(crate::date::now);
}

struct Sending<'a> {
    stream: SendStream<Bytes>,
    body: Pin<Box<AnswerBody>>,
    connection: &'a Connection,
    alarm: Alarm,
}

impl Sending<'_> {
    async fn run(&mut self) -> Result<(), End> {
        loop {
            let frame = poll_fn(|context| {
                if self.stream.poll_reset(context).is_ready() {
                    return Poll::Ready(Err(End::Gone));
                }
                self.body.as_mut().poll_frame(context).map(Ok)
            });
            match frame.await? {
                None => return self.send(Bytes::new(), true),
                Some(Err(_broken)) => return Err(End::Broken(Reason::INTERNAL_ERROR)),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        let is_last = self.body.is_end_stream();
                        self.send_all(data, is_last).await?;
                        if is_last {
                            return Ok(());
                        }
                    }
                    Err(frame) => {
                        let Ok(trailers) = frame.into_trailers() else { continue };
                        return self.stream.send_trailers(trailers).map_err(|_| End::Gone);
                    }
                },
            }
        }
    }

    /// Sends what the client has room for, and waits for room. Nothing is left with the library that the client has not
    /// asked for: once a stream's last byte is there, nobody could tell that it never leaves.
    async fn send_all(&mut self, mut data: Bytes, is_last: bool) -> Result<(), End> {
        while !data.is_empty() {
            let room = self.room(data.len().min(PIECE_BYTES)).await?;
            let piece = data.split_to(room.min(data.len()));
            self.connection.watch.sent(piece.len());
            let ends = is_last && data.is_empty();
            self.send(piece, ends)?;
            if ends {
                return Ok(());
            }
        }
        if is_last { self.send(data, true) } else { Ok(()) }
    }

    fn send(&mut self, data: Bytes, ends: bool) -> Result<(), End> {
        self.stream.send_data(data, ends).map_err(|_| End::Gone)
    }

    /// Waits until the client has room for at least one byte.
    async fn room(&mut self, wanted: usize) -> Result<usize, End> {
        self.stream.reserve_capacity(wanted);
        let mut deadline = None;
        poll_fn(|context| {
            loop {
                match self.stream.capacity() {
                    0 => {}
                    room => return Poll::Ready(Ok(room)),
                }
                if self.stream.poll_reset(context).is_ready() {
                    return Poll::Ready(Err(End::Gone));
                }
                match self.stream.poll_capacity(context) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(_) => return Poll::Ready(Err(End::Gone)),
                    Poll::Pending => break,
                }
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.connection.patience.write);
            self.alarm.poll(deadline, context).map(|()| Err(End::Stalled))
        })
        .await
    }
}
