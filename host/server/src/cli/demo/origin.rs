//! The demo's origin server: a few users, and what it was asked.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Where it listens; the demo's configuration says the same.
pub(super) const ADDRESS: &str = "127.0.0.1:9000";

/// Starts it on a thread of its own, which ends with the process.
pub(super) fn start() -> io::Result<()> {
    let socket = std::net::TcpListener::bind(ADDRESS)?;
    socket.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new()
        .name("origin".to_owned())
        .spawn(move || runtime.block_on(serve(socket)))?;
    Ok(())
}

async fn serve(socket: std::net::TcpListener) {
    let Ok(listener) = TcpListener::from_std(socket) else {
        return;
    };
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    let (status, body) = match path.strip_prefix("/v1/users/") {
        Some(id) if !id.is_empty() && !id.contains('/') => (StatusCode::OK, user(id, path, request.headers())),
        _ => (
            StatusCode::NOT_FOUND,
            json!({ "message": "the origin has /v1/users/{id} only", "path": path }),
        ),
    };
    let mut response = Response::new(Full::from(format!("{body:#}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    Ok(response)
}

fn user(id: &str, path: &str, headers: &HeaderMap) -> Value {
    let said = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    json!({
        "id": id,
        "name": format!("User {id}"),
        "email": format!("user{id}@example.com"),
        "phone": "+44 20 7946 0000",
        "origin_saw": {
            "path": path,
            "x-principal": said("x-principal"),
            "x-forwarded-for": said("x-forwarded-for"),
        },
    })
}
