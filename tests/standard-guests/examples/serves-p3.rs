//! A server that behaves, for `wasi:http` 0.3, made with the bindings of `wasip3`. What it does, the last segment of the path
//! says.

use std::time::Duration;

use wasip3::clocks::monotonic_clock;
use wasip3::http::types::{ErrorCode, Fields, Method, Request, Response, Scheme};
use wasip3::http::client;
use wasip3::wit_bindgen::rt::async_support::{FutureReader, StreamReader, StreamResult, StreamWriter};
use wasip3::{spawn_local, wit_future, wit_stream};

wasip3::http::service::export!(Serves);

struct Serves;

type Trailers = Result<Option<Fields>, ErrorCode>;

/// Bytes that are read at once.
const PIECE: usize = 16 << 10;

impl wasip3::exports::http::handler::Guest for Serves {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        eprintln!("serving {path}");
        match path.rsplit('/').next().unwrap_or_default() {
            "echo" => Ok(echo(request)),
            "pass" => Ok(pass(request)),
            "seen" => Ok(seen(&request)),
            "slow" => Ok(slow()),
            "endless" => Ok(endless()),
            "trailers" => Ok(trailers(request).await),
            "prints" => Ok(prints().await),
            "code" => Err(ErrorCode::ConfigurationError),
            "break" => Ok(breaks()),
            "ask" => ask(request).await,
            "reach" => Ok(reach().await),
            "after" => Ok(after()),
            _ => Ok(respond(404, "", fields(&[]))),
        }
    }
}

fn fields(all: &[(&str, &str)]) -> Fields {
    let all: Vec<_> = all
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .collect();
    Fields::from_list(&all).expect("fields that may be written")
}

/// A response whose body is written by who is given its end, in a task of its own.
fn stream<W>(headers: Fields, write: impl FnOnce(StreamWriter<u8>) -> W + 'static) -> Response
where
    W: Future<Output = Trailers> + 'static,
{
    let (writer, body) = wit_stream::new();
    let (end, trailers) = wit_future::new(|| Ok(None));
    let (response, _sent) = Response::new(headers, Some(body), trailers);
    spawn_local(async move {
        let trailers = write(writer).await;
        let _ = end.write(trailers).await;
    });
    response
}

fn respond(status: u16, text: &str, headers: Fields) -> Response {
    let text = text.as_bytes().to_vec();
    let response = stream(headers, |mut body| async move {
        body.write_all(text).await;
        Ok(None)
    });
    response.set_status_code(status).expect("a status");
    response
}

/// The body of a request, and its trailers.
fn body(request: Request) -> (StreamReader<u8>, FutureReader<Trailers>) {
    let (done, result) = wit_future::new(|| Ok(()));
    drop(done);
    Request::consume_body(request, result)
}

/// Every piece through its own memory.
fn echo(request: Request) -> Response {
    let (mut from, _) = body(request);
    stream(fields(&[]), |mut to| async move {
        loop {
            let (result, piece) = from.read(Vec::with_capacity(PIECE)).await;
            if !piece.is_empty() && !to.write_all(piece).await.is_empty() {
                break;
            }
            if !matches!(result, StreamResult::Complete(_)) {
                break;
            }
        }
        Ok(None)
    })
}

/// The stream itself, unread.
fn pass(request: Request) -> Response {
    let (from, trailers) = body(request);
    Response::new(fields(&[]), Some(from), trailers).0
}

/// What a server is told.
fn seen(request: &Request) -> Response {
    let method = match request.get_method() {
        Method::Put => "PUT".to_owned(),
        other => format!("{other:?}"),
    };
    let scheme = match request.get_scheme() {
        Some(Scheme::Http) => "http",
        _ => "another",
    };
    let headers = request.get_headers();
    let seen: Vec<_> = headers
        .get("x-seen")
        .iter()
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .collect();
    let text = format!(
        "{method} {scheme}://{}{} {}",
        request.get_authority().unwrap_or_default(),
        request.get_path_with_query().unwrap_or_default(),
        seen.join("|")
    );
    let headers = [("x-server", "serves-p3"), ("set-cookie", "a=1"), ("set-cookie", "b=2")];
    respond(201, &text, fields(&headers))
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Begins its response, and goes on a moment later, twice.
fn slow() -> Response {
    stream(fields(&[]), |mut body| async move {
        for left in ["3;", "2;", "1;"] {
            monotonic_clock::wait_for(nanos(Duration::from_millis(20))).await;
            body.write_all(left.as_bytes().to_vec()).await;
        }
        Ok(None)
    })
}

fn endless() -> Response {
    stream(fields(&[]), |mut body| async move {
        while body.write_all(vec![b'x'; 64 << 10]).await.is_empty() {}
        Ok(None)
    })
}

/// Gives trailers back, each with a mark.
async fn trailers(request: Request) -> Response {
    let (body, trailers) = body(request);
    body.collect().await;
    let sent = trailers.await.expect("trailers, or none");
    let marked = sent.into_iter().flat_map(|sent| sent.copy_all());
    let marked: Vec<_> = marked
        .map(|(name, value)| (name, [b"seen ".as_slice(), &value].concat()))
        .collect();
    stream(fields(&[("trailer", "x-sum")]), |body| async move {
        drop(body);
        Ok(Some(Fields::from_list(&marked).expect("fields that may be written")))
    })
}

/// More than anybody wants to read.
async fn prints() -> Response {
    let (mut out, printed) = wit_stream::new();
    let done = wasip3::cli::stdout::write_via_stream(printed);
    for number in 0..1000 {
        out.write_all(format!("line {number} \u{1b}[31m\n").into_bytes()).await;
    }
    out.write_all(b"the end of no line".to_vec()).await;
    drop(out);
    let _ = done.await;
    respond(200, "printed", fields(&[]))
}

/// A body that fails after its beginning.
fn breaks() -> Response {
    stream(fields(&[]), |mut body| async move {
        body.write_all(b"the beginning".to_vec()).await;
        Err(ErrorCode::InternalError(Some("asked to break".to_owned())))
    })
}

/// Asks another server, whose URL is in `x-ask`, with its own body, and passes on what it says.
async fn ask(request: Request) -> Result<Response, ErrorCode> {
    let headers = request.get_headers();
    let url = headers.get("x-ask").pop().unwrap_or_default();
    let url = String::from_utf8_lossy(&url).into_owned();
    let rest = url.strip_prefix("http://").unwrap_or(&url);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let copied = headers.copy_all().into_iter().filter(|(name, _)| name != "content-length");
    let copied = Fields::from_list(&copied.collect::<Vec<_>>()).expect("fields as they came");
    let (from, trailers) = body(request);
    let (asking, _sent) = Request::new(copied, Some(from), trailers, None);
    asking.set_method(&Method::Post).expect("a method");
    asking.set_scheme(Some(&Scheme::Http)).expect("a scheme");
    asking.set_authority(Some(authority)).expect("an authority");
    let path = if path.is_empty() { "/" } else { path };
    asking.set_path_with_query(Some(path)).expect("a path");
    match client::send(asking).await {
        Ok(answer) => Ok(answer),
        Err(error) => Ok(respond(502, &format!("{error:?}"), fields(&[]))),
    }
}

/// What it can reach of the machine that it runs on.
async fn reach() -> Response {
    use wasip3::cli::environment;
    use wasip3::filesystem::preopens;
    use wasip3::sockets::types::{IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, TcpSocket};
    let mut reached = Vec::new();
    if !preopens::get_directories().is_empty() {
        reached.push("files");
    }
    if !environment::get_environment().is_empty() || !environment::get_arguments().is_empty() {
        reached.push("environment");
    }
    if let Ok(socket) = TcpSocket::create(IpAddressFamily::Ipv4) {
        let address = Ipv4SocketAddress {
            port: 80,
            address: (127, 0, 0, 1),
        };
        // A refused connection would be an answer of the network.
        match socket.connect(IpSocketAddress::Ipv4(address)).await {
            Err(wasip3::sockets::types::ErrorCode::AccessDenied) => {}
            _ => reached.push("sockets"),
        }
    }
    if wasip3::sockets::ip_name_lookup::resolve_addresses("localhost".to_owned()).await.is_ok() {
        reached.push("names");
    }
    let random = wasip3::random::random::get_random_bytes(16);
    let text = format!("reached {reached:?}, {} random bytes", random.len());
    respond(200, &text, fields(&[]))
}

/// Goes on for a moment when its response is whole, and says so.
fn after() -> Response {
    spawn_local(async {
        monotonic_clock::wait_for(nanos(Duration::from_millis(100))).await;
        println!("went on after its response");
    });
    respond(200, "done", fields(&[]))
}
