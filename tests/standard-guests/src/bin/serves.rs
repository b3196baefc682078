//! A server that behaves, made with `wstd`. What it does, the last segment of the path says.

use std::convert::Infallible;

use futures_lite::stream::{once_future, unfold};
use http_body_util::{BodyExt as _, StreamBody};
use wstd::http::body::{Body, Bytes, Frame};
use wstd::http::{Client, Error, HeaderMap, HeaderValue, Method, Request, Response, Uri};
use wstd::time::Duration;

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let path = request.uri().path().to_owned();
    eprintln!("serving {path}");
    match path.rsplit('/').next().unwrap_or_default() {
        "echo" => Ok(Response::new(request.into_body())),
        "seen" => seen(request),
        "slow" => slow().await,
        "endless" => Ok(endless()),
        "trailers" => trailers(request).await,
        "prints" => prints(),
        "fail" => Err(Error::msg("asked to fail")),
        "break" => Ok(breaks()),
        "ask" => ask(request).await,
        _ => Ok(Response::builder().status(404).body(Body::empty())?),
    }
}

/// More than anybody wants to read.
fn prints() -> Result<Response<Body>, Error> {
    for number in 0..1000 {
        println!("line {number} \u{1b}[31m");
    }
    print!("the end of no line");
    Ok(Response::new("printed".to_owned().into()))
}

/// What a server is told.
fn seen(request: Request<Body>) -> Result<Response<Body>, Error> {
    let header = |name: &str| {
        let values = request.headers().get_all(name).iter();
        values
            .filter_map(|value| value.to_str().ok())
            .collect::<Vec<_>>()
            .join("|")
    };
    let text = format!("{} {} {}", request.method(), request.uri(), header("x-seen"));
    Ok(Response::builder()
        .status(201)
        .header("x-server", "serves")
        .header("set-cookie", "a=1")
        .header("set-cookie", "b=2")
        .body(text.into())?)
}

/// Begins its response, and goes on a moment later, twice.
async fn slow() -> Result<Response<Body>, Error> {
    let piece = |left: usize| async move {
        if left == 0 {
            return None;
        }
        wstd::task::sleep(Duration::from_millis(20)).await;
        Some((Ok::<_, Infallible>(Bytes::from(format!("{left};"))), left - 1))
    };
    Ok(Response::new(Body::from_try_stream(unfold(3, piece))))
}

fn endless() -> Response<Body> {
    let piece = |()| async { Some((Ok::<_, Infallible>(Bytes::from(vec![b'x'; 64 << 10])), ())) };
    Response::new(Body::from_try_stream(unfold((), piece)))
}

/// Gives trailers back, each with a mark.
async fn trailers(request: Request<Body>) -> Result<Response<Body>, Error> {
    let collected = request.into_body().into_boxed_body().collect().await?;
    let mut trailers = HeaderMap::new();
    for (name, value) in collected.trailers().into_iter().flatten() {
        let value = format!("seen {}", value.to_str().unwrap_or_default());
        trailers.insert(name.clone(), HeaderValue::try_from(value)?);
    }
    let frames = once_future(async move { Ok::<_, Infallible>(Frame::<Bytes>::trailers(trailers)) });
    let response = Response::builder().header("trailer", "x-sum");
    Ok(response.body(Body::from_http_body(StreamBody::new(frames)))?)
}

/// A body that fails after its beginning.
fn breaks() -> Response<Body> {
    let piece = |begun: bool| async move {
        match begun {
            false => Some((Ok(Bytes::from_static(b"the beginning")), true)),
            true => Some((Err(std::io::Error::other("asked to break")), true)),
        }
    };
    Response::new(Body::from_try_stream(unfold(false, piece)))
}

/// Asks another server, whose URL is in `x-ask`, with its own body, and passes on what it says.
async fn ask(request: Request<Body>) -> Result<Response<Body>, Error> {
    let url: Uri = request.headers()["x-ask"].to_str()?.parse()?;
    let (parts, body) = request.into_parts();
    let mut asking = Request::builder().uri(url).method(Method::POST);
    for (name, value) in parts.headers.iter().filter(|(name, _)| *name != "content-length") {
        asking = asking.header(name, value);
    }
    match Client::new().send(asking.body(body)?).await {
        Ok(answer) => Ok(answer),
        Err(error) => Ok(Response::builder().status(502).body(format!("{error:?}").into())?),
    }
}
